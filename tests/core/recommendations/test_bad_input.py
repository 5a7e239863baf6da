"""What may not be decided or proposed: refused with the reason, and told once in the audit."""

import pytest
from sqlalchemy import text

from core import audit, recommendations
from core.access import Actor, Kind, Role
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.specs import Gate, gates
from tests.actions_kit import two_versions
from tests.core.recommendations.kit import AGENT, propose


def promotion(db, actor=AGENT, version="2.0.0"):
    return propose(db, "promote", actor, version=version)


def approve(db, actor, row, digest=None):
    return recommendations.approve(db, actor, row.id, digest=digest or row.digest, solo=False)


def refused(db):
    """Return why things were refused, newest first, of what the audit trail says."""
    with db.read() as session:
        rows = [row for row in audit.tail(session) if row.outcome == "refused"]
    return [row.detail["refused_because"] for row in rows]


def expired(world):
    row = promotion(world.db)
    world.clock.forward(hours=25)
    return row, world.apo


def superseded(world):
    row = promotion(world.db)
    promotion(world.db)
    return row, world.apo


def decided(world):
    row = promotion(world.db)
    recommendations.reject(world.db, world.apo, row.id, reason="not now")
    return row, world.apo


def tampered(world):
    row = promotion(world.db)
    with world.db.engine.begin() as connection:
        connection.execute(text("update recommendation set kind = 'rollback'"))
    return row, world.apo


def overtaken(world):
    row = promotion(world.db)
    world.release("spam", "3.0.0")
    return row, world.apo


def without_right(world):
    return promotion(world.db), world.ana


def by_a_key(world):
    return promotion(world.db), Actor("shop", Role.ADMIN, Kind.KEY)


def ones_own(world):
    return promotion(world.db, world.apo), world.apo


@pytest.fixture
def world(db, clock, release, ana, apo):
    two_versions(release)
    kept = {"db": db, "clock": clock, "release": release, "ana": ana, "apo": apo}
    return type("World", (), kept)


@pytest.mark.parametrize(
    ("make", "error", "reason"),
    [
        (expired, ConflictError, "this proposal lapsed at 2030-01-02 12:00:00 UTC"),
        (superseded, ConflictError, "decided already: replaced by a newer proposal"),
        (decided, ConflictError, "decided already: rejected by apo at 2030-01-01 12:00:00 UTC"),
        (tampered, ConflictError, "this is not the proposal that was shown"),
        (overtaken, ConflictError, "what serves has changed since this was proposed"),
        (without_right, ForbiddenError, "ana (operator) may not decide this: it needs an approver"),
        (by_a_key, ForbiddenError, "shop (admin) may not do recommendation.decide"),
        (ones_own, ForbiddenError, "you proposed this yourself: another person decides (adm)"),
    ],
)
def test_what_may_not_be_approved_is_refused_with_the_reason_once(world, make, error, reason):
    row, actor = make(world)
    with pytest.raises(error) as problem:
        approve(world.db, actor, row)
    assert str(problem.value).startswith(reason)
    assert [why for why in refused(world.db) if why == str(problem.value)] == [str(problem.value)]
    assert len(refused(world.db)) == 1


def test_a_digest_of_something_else_is_refused_once(world):
    row = promotion(world.db)
    with pytest.raises(ConflictError, match="not the proposal that was shown"):
        approve(world.db, world.apo, row, digest="0" * 64)
    assert len(refused(world.db)) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("kind", "arguments", "reason"),
    [
        ("change_weights", {"version": "2.0.0", "share": "1"}, "a share is 0, which ends it, or"),
        ("change_weights", {"version": "2.0.0", "share": "nan"}, "a share is 0, which ends it, or"),
        ("change_weights", {"version": "9.0.0", "share": "0.1"}, "spam has no version 9.0.0"),
        ("change_weights", {"version": "2.0.0"}, "a proposal to change_weights takes share, ver"),
        ("set_threshold", {"threshold": "0.995"}, "a threshold lies between 0.01 and 0.99"),
        ("set_threshold", {"threshold": "half"}, "a threshold lies between 0.01 and 0.99"),
        ("collect_labels", {"rows": "9"}, "the number of labels to collect is a whole number from"),
        ("collect_labels", {"rows": "12.5"}, "the number of labels to collect is a whole number"),
        ("collect_labels", {"rows": "5001"}, "the number of labels to collect is a whole number"),
        ("freeze", {"hours": "169"}, "a freeze lasts more than 0 hours and at most 168"),
        ("freeze", {"hours": "0"}, "a freeze lasts more than 0 hours and at most 168"),
        ("silence", {"cause": "drift", "hours": "721"}, "a silence lasts more than 0 hours and at"),
        ("silence", {"cause": "moon", "hours": "2"}, "there is no cause moon; there is accuracy,"),
        ("change_policy", {"version": "7"}, "there is no policy version 7 for all models"),
        ("change_policy", {"version": "one"}, "there is no policy version one for all models"),
        ("change_gate", gates.words(Gate()), "a proposal to change_gate is about one model: name"),
        ("change_gate", {"floor": "0.5"}, "a proposal to change_gate takes alpha, auto_deploy"),
        ("notify", {"text": "hello"}, "a proposal to notify takes no arguments"),
        ("notify", {"text": "x" * 101}, "a proposal to notify takes no arguments"),
        ("silence", {"cause": "x" * 101, "hours": "1"}, "cause must be 1 to 100 characters"),
        ("explode", {}, "'explode' cannot be proposed; one of retrain, promote"),
    ],
)
def test_arguments_out_of_range_are_refused_with_the_reason_once(world, kind, arguments, reason):
    serving = kind in ("change_weights", "set_threshold", "collect_labels")
    with pytest.raises((InvalidInputError, NotFoundError)) as problem:
        propose(world.db, kind, model="spam" if serving else "*", **arguments)
    assert str(problem.value).startswith(reason)
    assert refused(world.db) == [str(problem.value)]


@pytest.mark.parametrize(
    ("kind", "given", "reason"),
    [
        ("promote", "nothing", "promote is never left to the product; these can be: retrain, roll"),
        ("retrain", "everywhere", "a proposal to grant_autonomy is about one model: name it"),
    ],
)
def test_a_leave_is_for_kinds_and_models_that_can_have_it(world, kind, given, reason):
    model = "*" if given == "everywhere" else "spam"
    with pytest.raises(InvalidInputError) as problem:
        recommendations.propose(
            world.db,
            world.ana,
            model=model,
            kind="grant_autonomy",
            arguments={"kind": kind},
            title="leave",
            reasoning="because",
        )
    assert str(problem.value).startswith(reason)


def test_a_hold_names_a_model_that_exists(world):
    with pytest.raises(NotFoundError, match="there is no model nope"):
        propose(world.db, "freeze", model="nope", hours="1")
