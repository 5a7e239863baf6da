"""The answers of a quiet model are found in the log without reading those of a busy one."""

import math
from datetime import timedelta

import pytest
from sqlalchemy import delete, event, insert, select, text

from core import answers, labels, predictions
from core.answers import Stretch
from core.monitoring import windows
from core.serving import storing
from core.serving.records import sample_key
from core.tables.telemetry import Label, Prediction
from tests.conftest import NOON

START = NOON - timedelta(hours=1)


def record(model, number, every):
    at, key = NOON + timedelta(seconds=number * every), f"{model}-{number:05}"
    row = {
        "at": at.isoformat(timespec="microseconds"), "id": key, "model": model,
        "version": "1.0.0", "variant": "control", "release_seq": 1, "is_shadow": False,
        "sample_key": sample_key(key), "input": {"message": "hello"}, "label": "ham",
        "probability": 0.5, "latency_ms": 1.0, "entity_id": None, "experiment": None, "key_id": "k",
    }  # fmt: skip
    return {"kind": "prediction", "once": None, "positive": False, "row": row}


@pytest.fixture
def log(db):
    """Two days: 100 answers of a quiet model among 2,000 of a busy one, all of these labelled."""
    with db.append() as session:
        storing.store(session, [record("quiet", i, 1720) for i in range(100)])
        storing.store(session, [record("busy", i, 86.0) for i in range(2000)])
        told = [said("busy", i) for i in range(2000)] + [
            said("quiet", i) for i in range(0, 100, 10)
        ]
        told += [said("quiet", i, "ham", "shop") for i in (0, 50)]
        session.execute(insert(Label), told)
    if db.is_postgresql:
        with db.engine.begin() as connection:
            connection.execute(text("analyze prediction"))
    return db


def said(model, number, value="spam", source="client"):
    every = 1720 if model == "quiet" else 86.0
    at = NOON + timedelta(seconds=number * every, minutes=1)
    key = f"{model}-{number:05}"
    return {
        "prediction_id": key, "source": source, "value": value, "state": "confirmed", "at": at,
    }  # fmt: skip


ALL = Stretch.of("quiet", "1.0.0", START, NOON + timedelta(days=3))
LOOKS = {
    "waiting": lambda session: windows.waiting(session, ALL),
    "window": lambda session: windows.behind(session, ALL, n=100, total=100),
    "nth": lambda session: answers.nth(session, ALL, 60),
    "newest": lambda session: answers.nth(session, ALL, 1, newest_first=True),
    "sample": lambda session: windows._sample(session, ALL),
    "outcomes": lambda session: predictions.outcomes(
        session, "quiet", "1.0.0", since=START, until=NOON + timedelta(days=3), limit=50
    ),
    "labelled": lambda session: predictions.labelled(session, "quiet", limit=3000, most_read=150),
    "label_counts": lambda session: predictions.label_counts(session, "quiet", since=START),
    "disputed": lambda session: labels.disputed(session, "quiet"),
    "disputes": lambda session: labels.disputes(session, "quiet", limit=20),
}


@pytest.mark.parametrize("most", [150, 50], ids=["by its answers", "by labels first"])
def test_nothing_that_is_asked_of_a_quiet_model_reads_the_log_of_a_busy_one(log, monkeypatch, most):
    for module in (predictions, labels):
        monkeypatch.setattr(module, "MOST_READ", most)
    assert {name: far for name, look in LOOKS.items() if (far := reads_too_far(log, look))} == {}


def test_what_reads_the_log_of_a_busy_model_is_noticed(log):
    def recent(session):
        wanted = select(Prediction).where(Prediction.model == "quiet", Prediction.version == "9")
        session.scalars(wanted.order_by(Prediction.at.desc()).limit(5)).all()

    assert reads_too_far(log, recent)


def reads_too_far(db, look):
    """Steps that go along the log, or the answers that one step read if these are too many."""
    plans = plans_of(db, look)
    assert plans
    if not db.is_postgresql:
        return [step for step in plans if walks(step)]
    most = max(rows_read(node) for plan in plans for node in nodes(plan))
    return most if most > 500 else None


def plans_of(db, look):
    """How the database goes about what is asked: with the rows it read, on PostgreSQL."""
    asked = []

    def keep(_connection, _cursor, words, values, *_more):
        asked.append((words, values))

    with db.read() as session:
        event.listen(db.engine, "before_cursor_execute", keep)
        look(session)
        event.remove(db.engine, "before_cursor_execute", keep)
        run = session.connection().exec_driver_sql
        if not db.is_postgresql:
            explained = [run(f"explain query plan {words}", values) for words, values in asked]
            return [row[-1] for rows in explained for row in rows]
        for way in ("seqscan", "hashjoin", "mergejoin"):  # so small a log is quickly read whole
            run(f"set enable_{way} = off")
        how = "explain (analyze, format json)"
        explained = [run(f"{how} {words}", values) for words, values in asked]
        return [rows.scalar_one()[0]["Plan"] for rows in explained]


def walks(step):
    """Whether SQLite goes along the log, rather than to single answers or an hour of a model."""
    ours = "prediction" in step.replace("prediction_id", "")
    sought = ("(at=? AND id=?)", "(id=?)", "(hour=? AND model=?")
    return ours and not any(words in step for words in sought)


def nodes(plan):
    return [plan, *(node for part in plan.get("Plans", []) for node in nodes(part))]


def rows_read(node):
    """How many answers a step of PostgreSQL took from the log."""
    if node.get("Index Name") == "ix_prediction_sample" and "hour" not in node["Index Cond"]:
        return math.inf  # the whole index, though it finds few
    if node.get("Relation Name") != "prediction":
        return 0
    left = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return (node["Actual Rows"] + left) * node["Actual Loops"]


def test_what_is_found_of_a_quiet_model_is_what_there_is(log):
    with log.read() as session:
        window = windows.behind(session, ALL, n=100, total=100)
        assert [row.id for row in window.rows] == [f"quiet-{i:05}" for i in range(100)]
        assert windows.waiting(session, ALL) == 100
        assert answers.nth(session, ALL, 60)[1] == "quiet-00059"
        assert answers.nth(session, ALL, 3, newest_first=True)[1] == "quiet-00097"
        assert answers.nth(session, ALL, 101) is None
        assert predictions.label_counts(session, "quiet", since=START) == (8, 100)
        assert [one.prediction.id for one in labels.disputes(session, "quiet", limit=1)] == [
            "quiet-00050"
        ]


def test_labels_of_another_model_crowd_none_of_a_quiet_one_out(log, monkeypatch):
    monkeypatch.setattr(predictions, "MOST_READ", 99)
    monkeypatch.setattr(labels, "MOST_READ", 100)
    with log.read() as session:
        assert len(predictions.labelled(session, "quiet", limit=50, most_read=100)) == 8
        assert labels.disputed(session, "quiet") == 2


def test_the_share_that_is_labelled_of_many_answers_is_estimated(log, monkeypatch):
    monkeypatch.setattr(predictions, "MOST_READ", 1000)
    monkeypatch.setattr(predictions, "_SAMPLE", 400)
    with log.append() as session:
        session.execute(delete(Label).where(Label.prediction_id.like("busy-%0")))
    with log.read() as session:
        known, n = predictions.label_counts(session, "busy", since=START)
    assert n == 2000
    assert 1700 < known < 1900  # 1800 of 2,000 are labelled: four standard errors


@pytest.mark.parametrize("busy", [20, 5000])
def test_hours_with_many_answers_are_read_by_time_to_the_same_end(log, monkeypatch, busy):
    monkeypatch.setattr(answers, "BUSY", busy)
    monkeypatch.setattr(answers, "_FEWEST", 1)
    of = Stretch("busy", "1.0.0", (NOON, "busy-00099"), (NOON + timedelta(days=1), ""))
    with log.read() as session:
        assert [row.id for row in answers.first(session, of, 300)] == [
            f"busy-{i:05}" for i in range(1, 301)
        ]
        assert answers.nth(session, of, 250, newest_first=True)[1] == "busy-00755"


def test_answers_that_are_no_longer_stored_are_passed_over(log):
    with log.append() as session:
        session.execute(
            delete(Prediction).where(Prediction.id.between("quiet-00010", "quiet-00089"))
        )
    with log.read() as session:
        assert answers.nth(session, ALL, 11)[1] == "quiet-00090"
        assert windows.waiting(session, ALL) == 20
