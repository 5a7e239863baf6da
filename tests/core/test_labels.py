from datetime import timedelta

import pytest

from core import audit, labels, predictions
from core.clock import hour_of
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.tables.entities import ModelVersion
from core.tables.telemetry import EarlierLabel, Label, Prediction
from tests.fakes.counted import count

ID = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def answered(db, worker, clock, release):
    """A prediction of a released version whose classes are ham and spam."""
    release("spam", "1.0.0")
    with db.command(worker, "version.register") as command:
        known = command.session.get(ModelVersion, ("spam", "1.0.0"))
        known.signature = {"labels": ["ham", "spam"], "positive": "spam"}
    with db.append() as session:
        row = Prediction(
            at=clock(), id=ID, model="spam", version="1.0.0", variant="control",
            release_seq=1, is_shadow=False, hour=hour_of(clock()), sample_key=1, input={},
            label="spam", probability=0.9, latency_ms=1.0, key_id="k",
        )  # fmt: skip
        session.add(row)
        count(session, [row])


@pytest.fixture
def say(db, clock):
    def put(source, value, minutes=0):
        at = clock() + timedelta(minutes=minutes)
        with db.append() as session:
            session.add(
                Label(prediction_id=ID, source=source, value=value, state="confirmed", at=at)
            )

    return put


def waiting(db):
    with db.read() as session:
        found = labels.disputes(session, "spam")
        assert labels.disputed(session, "spam") == len(found)
        return [(one.prediction.id, [str(word) for word in one.words]) for one in found]


def truth(db):
    with db.read() as session:
        return [one.label.value for one in predictions.labelled(session, "spam", limit=50)]


def test_two_sources_that_disagree_wait_for_a_decision_with_what_they_said_before(
    db, clock, answered, say
):
    say("shop", "ham")
    assert (waiting(db), truth(db)) == ([], ["ham"])
    say("till", "spam")
    with db.append() as session:
        session.add(EarlierLabel(prediction_id=ID, source="till", value="ham", at=clock()))
    assert waiting(db) == [(ID, ["shop: ham", "till: spam, ham before"])]
    assert truth(db) == []


def test_a_label_of_another_model_disputes_nothing(db, answered, say):
    say("shop", "ham")
    say("till", "healthy")
    assert (waiting(db), truth(db)) == ([], ["ham"])


def test_a_decision_counts_is_audited_and_stands_whatever_the_sources_say(db, ana, answered, say):
    say("shop", "ham")
    say("till", "spam")
    labels.resolve(db, ana, ID, "spam", reason="read it")
    say("late", "ham", minutes=5)
    assert (waiting(db), truth(db)) == ([], ["spam"])
    with db.read() as session:
        row = audit.tail(session, action="label.resolve")[0]
    assert (row.action, row.actor, row.reason) == ("label.resolve", "ana", "read it")
    assert row.detail["before"] == ["shop: ham", "till: spam"]


def test_a_decision_can_be_changed_and_the_earlier_one_is_kept(db, ana, clock, answered, say):
    say("shop", "ham")
    say("till", "spam")
    labels.resolve(db, ana, ID, "spam", reason="read it")
    clock.forward(minutes=1)
    labels.resolve(db, ana, ID, "ham", reason="read it again")
    with db.read() as session:
        (decision,) = [one for one in labels.said(session, [ID])[ID] if one.source == labels.REVIEW]
    assert (truth(db), str(decision)) == (["ham"], f"{labels.REVIEW}: ham, spam before")


def test_a_decision_needs_a_dispute_a_class_a_reason_and_an_operator(db, ana, vic, answered, say):
    say("shop", "ham")
    with pytest.raises(ConflictError, match="no dispute"):
        labels.resolve(db, ana, ID, "spam", reason="x")
    say("till", "spam")
    with pytest.raises(InvalidInputError, match="one of ham, spam"):
        labels.resolve(db, ana, ID, "eggs", reason="x")
    with pytest.raises(InvalidInputError, match="say why"):
        labels.resolve(db, ana, ID, "spam", reason=" ")
    with pytest.raises(NotFoundError):
        labels.resolve(db, ana, "x", "spam", reason="x")
    with pytest.raises(ForbiddenError):
        labels.resolve(db, vic, ID, "spam", reason="x")
    assert truth(db) == []
