import pytest

from core.tables.telemetry import Label, Prediction
from tests.core.agent.test_facts import known


@pytest.fixture
def serving(release, db, worker):
    from core.tables.entities import ModelVersion

    release("spam", "1.0.0")
    with db.command(worker, "version.register") as command:
        row = command.session.get(ModelVersion, ("spam", "1.0.0"))
        row.signature = {"positive": "spam", "labels": ["ham", "spam"]}


def told(db, clock, source, n, positive, tag, model="spam"):
    with db.append() as session:
        for index in range(n):
            key = f"{tag}{index}"
            session.add(
                Prediction(
                    **{"at": clock(), "id": key, "model": model, "version": "1.0.0"},
                    **{"variant": "control", "release_seq": 1, "is_shadow": False, "hour": 1},
                    **{"sample_key": index, "input": {}, "label": "spam", "probability": 0.9},
                    **{"latency_ms": 1.0, "key_id": "k"},
                )
            )
            truth = "spam" if index < positive else "ham"
            said = {"source": source, "value": truth, "state": "confirmed", "at": clock()}
            session.add(Label(prediction_id=key, **said))


def shares(book, name):
    return book.get(f"data_quality.{name}"), book.get(f"data_quality.{name}_before")


def test_where_labels_come_from_is_known_of_the_last_day_and_of_before(db, clock, serving):
    told(db, clock, "app", 60, 10, "a")
    told(db, clock, "crm", 40, 10, "b")
    clock.forward(days=2)
    told(db, clock, "bot", 90, 85, "c")
    told(db, clock, "app", 10, 5, "d")
    book = known(db, clock)
    assert shares(book, "label_concentration_top_source") == (0.9, 0.6)
    assert shares(book, "label_positive_rate") == (0.9, 0.2)
    assert book.fact("data_quality.label_positive_rate").n == 100


def test_neither_many_labels_nor_a_busy_neighbour_hide_where_labels_come_from(db, clock, serving):
    told(db, clock, "app", 60, 10, "a")
    clock.forward(days=2)
    told(db, clock, "bot", 700, 600, "b")
    told(db, clock, "app", 50, 10, "c")
    clock.forward(hours=1)
    told(db, clock, "app", 1000, 0, "d", model="heart")
    book = known(db, clock)
    assert shares(book, "label_concentration_top_source") == (pytest.approx(14 / 15), 1)
    assert book.fact("data_quality.label_positive_rate").n == 750


def test_of_labels_that_always_came_from_one_source_nothing_is_told(db, clock, serving):
    told(db, clock, "app", 100, 30, "a")
    book = known(db, clock)
    assert shares(book, "label_concentration_top_source") == (None, None)
    assert shares(book, "label_positive_rate") == (0.3, None)
