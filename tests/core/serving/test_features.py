from datetime import timedelta

import pytest

from core import features
from core.errors import InvalidInputError, UnavailableError
from core.features import values
from core.features.values import Given
from core.serving import predict, service
from core.serving.frames import frames
from core.serving.predict import Request
from core.serving.spool import files
from tests import serving_kit as kit
from tests.conftest import NOON

DAY = timedelta(days=1)


@pytest.fixture
def serving(db, settings, ana, clock, monkeypatch):
    """A model whose age is looked up (at most 30 days old) and whose sex is a mail's domain."""
    kit.apply_specs(db, ana)
    kit.share_features(db, ana, monkeypatch)
    kit.deploy(db, settings, "heart_disease", "1.0.0")
    values.load(
        db, ana, [Given("age", "p1", NOON - DAY, 70), Given("age", "old", NOON - 31 * DAY, 5)]
    )
    built = service.build(settings, clock)
    built.refresh()
    yield built
    built.close()


def used(serving, caller, given, **how):
    """Answer one request and return the input that was logged."""
    predict.predict(serving, caller, Request(features=given, model="heart_disease", **how))
    (log,) = files(serving.settings.folder("spool"))
    *_, (record, _end) = frames(log.read_bytes())
    return record["row"]["input"]["features"]


def test_what_a_request_leaves_out_is_looked_up_and_logged(serving, caller):
    found = used(serving, caller, {"mail": "me@One.example"}, entity_id="p1")
    assert found == {"age": 70.0, "sex": "one.example"}


def test_what_a_request_gives_is_not_looked_up(serving, caller):
    assert used(serving, caller, {"age": 30}, entity_id="p1")["age"] == 30.0


@pytest.mark.parametrize("entity", [None, "nobody", "old"])
def test_without_a_fresh_value_the_feature_is_missing(serving, caller, entity):
    assert used(serving, caller, {}, entity_id=entity)["age"] is None


def test_a_value_loaded_later_is_followed(serving, caller, db, ana, clock):
    clock.forward(seconds=20)
    values.load(db, ana, [Given("age", "p1", clock(), 71), Given("age", "p2", NOON - 2 * DAY, 8)])
    values.load(db, ana, [Given("age", "p1", NOON - 2 * DAY, 1)])
    serving.refresh()
    assert used(serving, caller, {}, entity_id="p1")["age"] == 71.0
    assert used(serving, caller, {}, entity_id="p2")["age"] == 8.0


def test_predictions_go_on_while_the_database_is_away(serving, caller, monkeypatch):
    def away():
        raise UnavailableError("the database does not answer")

    monkeypatch.setattr(serving.db, "read", away)
    assert used(serving, caller, {}, entity_id="p1")["age"] == 70.0


def test_an_input_of_a_wrong_type_is_refused(serving, caller):
    with pytest.raises(InvalidInputError, match="mail must be a text"):
        used(serving, caller, {"mail": ["x"]})


def test_a_column_that_nothing_reads_is_refused(serving, caller):
    with pytest.raises(InvalidInputError, match="unknown feature"):
        used(serving, caller, {"colour": "red"})


def test_memory_for_values_is_bounded_and_keeps_the_newest(serving, db):
    serving.values = type(serving.values)(most=1)
    with db.read() as session:
        serving.values.follow(session, {"age@1"}, NOON)
    assert len(serving.values) == 1
    with db.read() as session:
        definition = features.named(session, "age@1")
    assert serving.values.find(definition, "p1", NOON) == 70.0
