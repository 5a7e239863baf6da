from datetime import timedelta

import pytest
from sqlalchemy import event

from core import predictions
from core.serving import storing
from tests.conftest import NOON


def answer(number, ago, **more):
    row = {
        **{"at": (NOON - ago).isoformat(), "id": f"p{number}", "model": "spam"},
        **{"version": "1.0.0", "variant": "control", "release_seq": 1, "is_shadow": False},
        **{"sample_key": number, "input": {"message": "hello"}, "label": "ham"},
        **{"probability": 0.5, "latency_ms": 1.0, "entity_id": None, "experiment": None},
        **{"key_id": "k", **more},
    }
    return {"kind": "prediction", "once": None, "positive": False, "row": row}


def newest(db, limit, *answers):
    with db.append() as session:
        storing.store(session, list(answers))
    with db.read() as session:
        return [row.id for row in predictions.recent(session, "spam", limit)]


def test_the_newest_answers_come_first_also_from_earlier_hours(db):
    agos = [timedelta(days=9), timedelta(hours=2), timedelta(minutes=1), timedelta(0)]
    answers = [answer(i, ago) for i, ago in enumerate(agos)]
    assert newest(db, 3, *answers) == ["p3", "p2", "p1"]
    assert newest(db, 10) == ["p3", "p2", "p1", "p0"]


def test_other_models_and_shadows_are_left_out(db):
    shadow = answer(1, timedelta(0), is_shadow=True, variant="shadow")
    other = answer(2, timedelta(0), model="heart")
    assert newest(db, 5, answer(0, timedelta(hours=1)), shadow, other) == ["p0"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_of_a_model_that_nobody_asks_any_more_the_log_of_others_is_not_read(db):
    asked = []
    newest(db, 1, answer(1, timedelta(days=9)))
    with db.read() as session:
        event.listen(db.engine, "before_cursor_execute", lambda *a: asked.append(a[2:4]))
        predictions.recent(session, "spam", 1)
        words, values = asked[-1]
        plan = session.connection().exec_driver_sql(f"explain query plan {words}", values).all()
    (step,) = (row[-1] for row in plan)
    assert "sqlite_autoindex_prediction_1 (at>? AND at<?)" in step


def test_without_a_request_there_is_nothing(db):
    assert newest(db, 3) == []
