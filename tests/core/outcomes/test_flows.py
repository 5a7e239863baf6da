"""From a release to its outcome, on both databases: what the words are tested by elsewhere."""

import numpy as np
import pytest
from sqlalchemy import select

from core import actions, audit, outcomes, predictions
from core.tables.decisions import Outcome
from tests.fakes.answered import answer, told
from tests.outcomes_kit import (
    BETTER,
    Served,
    action_of,
    candidate,
    done,
    graded,
    promoted,
    traffic,
)


@pytest.fixture
def model(db, settings, clock):
    """1.0.0 serves and was right in 80 of 100 labelled answers; 2.0.0 is a candidate."""
    watched = Served(db, settings, clock)
    watched.release("1.0.0")
    traffic(watched, 100, wrong=20)
    candidate(watched)
    return watched


def test_a_promotion_is_good_once_labels_say_that_it_is_right_more_often(db, settings, apo, model):
    key = promoted(model, apo, expected=BETTER)
    assert graded(db, settings, key) is None
    traffic(model, 60)
    found = graded(db, settings, key)
    assert (found.grade, found.kind, found.model) == ("good", "promote", "spam")
    assert found.expected == BETTER
    assert found.measured["effect"] == pytest.approx(0.2)
    assert (found.measured["metric"], found.measured["n"]) == ("accuracy", 50)
    assert 0 < found.measured["low"] < 0.2 < found.measured["high"]
    assert "Accuracy +20.0 points" in found.sentence
    assert "against 1.0.0 before, on 50 labelled answers since: surely better." in found.sentence


def test_an_outcome_is_graded_once_and_audited(db, settings, apo, model):
    key = promoted(model, apo)
    traffic(model, 60)
    assert outcomes.grade_due(db, settings) == 1
    assert outcomes.grade_due(db, settings) == 0
    with db.read() as session:
        (row,) = audit.tail(session, action="outcome.grade")
        assert (row.detail["recommendation"], row.detail["grade"]) == (key, "good")
        assert len(session.scalars(select(Outcome)).all()) == 1


def test_labels_that_come_first_grade_nothing_until_the_others_have_come(db, settings, apo, clock):
    model = Served(db, settings, clock)
    model.release("1.0.0")
    complaints_first(model, 1200, wrong=5)
    clock.forward(days=4)
    candidate(model)
    key = promoted(model, apo, expected=BETTER)
    complaints_first(model, 1200, wrong=20)
    with db.read() as session:
        so_far = predictions.accuracy(session, "spam", version="2.0.0")
    assert (so_far.n, so_far.correct) == (60, 0)  # all that have come say that it was wrong
    assert graded(db, settings, key) is None

    clock.forward(days=4)
    told_late(model)
    found = graded(db, settings, key)
    assert (found.grade, found.measured["n"]) == ("good", 800)


def complaints_first(model, n, *, wrong):
    """Answer over two days; one in `wrong` is wrong and told at once, the others 3 days later."""
    is_wrong = np.arange(n) % wrong == 0
    truth = [True if bad else None for bad in is_wrong]
    rows = answer(model, np.full(n, 0.1), truth, apart=2 * 86_400 / n)
    model.late = [row for row, bad in zip(rows, is_wrong, strict=True) if not bad]
    if model.version == "1.0.0":
        told_late(model)


def told_late(model):
    with model.db.append() as session:
        session.add_all(told(model, row, False, 3 * 86_400.0) for row in model.late)


def test_a_rollback_is_good_when_what_serves_again_is_right_more_often(db, settings, apo, model):
    model.serve("2.0.0")
    traffic(model, 100, wrong=60)
    key = done(db, settings, apo, "rollback", to="1.0.0", expected=BETTER)
    model.version = "1.0.0"
    traffic(model, 60, wrong=6)
    found = graded(db, settings, key)
    assert (found.grade, "against 2.0.0 before" in found.sentence) == ("good", True)


def test_an_outcome_becomes_bad_when_it_is_taken_back_after_its_grade(
    db, settings, apo, ana, model
):
    key = promoted(model, apo)
    traffic(model, 60)
    assert graded(db, settings, key).grade == "good"
    model.clock.forward(hours=3)
    actions.undo(db, ana, action_of(db, key).id, reason="customers complain")
    found = graded(db, settings, key)
    assert (found.grade, "Before: Accuracy" in found.sentence) == ("bad", True)
    assert outcomes.grade_due(db, settings) == 0
