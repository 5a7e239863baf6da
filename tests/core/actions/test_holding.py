import pytest

from core import actions, audit, incidents, notes
from core.errors import ConflictError, InvalidInputError
from core.incidents import Finding, silences
from core.tables.entities import Silence
from tests.state_kit import APO

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def freezes(world):
    with world.db.read() as session:
        return [one for one in notes.in_force(session, world.name, world.clock()) if one.freeze]


def test_a_freeze_holds_releases_back_and_lets_a_rollback_through(world):
    world.do("freeze", hours="4")
    with pytest.raises(ConflictError, match="changes are frozen by apo until 2030-01-01 16:0"):
        world.do("promote", version="3.0.0")
    with pytest.raises(ConflictError, match="changes are frozen by apo"):
        world.do("retrain")
    world.do("rollback", to="1.0.0")
    assert world.state()["serves"][0][0][0] == "1.0.0"


def test_what_a_freeze_holds_back_is_failed_and_audited_with_the_reason(world):
    row = world.propose("promote", version="3.0.0")
    world.do("freeze", hours="4")
    with pytest.raises(ConflictError):
        world.approve(row)
    with world.db.read() as session:
        action = next(one for one in actions.recent(session) if one.recommendation_id == row.id)
        told = audit.tail(session, action="action.finish")[0]
    assert action.state == "failed"
    assert "changes are frozen by apo" in action.error
    assert told.reason == action.error


def test_a_freeze_says_whose_it_is_and_why_and_ends_by_itself(world):
    world.do("freeze", hours="4")
    (note,) = freezes(world)
    assert (note.author, note.text) == ("apo", "because")
    world.clock.forward(hours=4)
    assert freezes(world) == []
    world.do("promote", version="3.0.0")


def test_a_freeze_that_ended_cannot_be_ended_again_by_its_undo(world):
    action = world.do("freeze", hours="4")
    notes.end(world.db, APO, action.after["note"])
    with pytest.raises(ConflictError, match="this freeze was ended by apo already"):
        world.undo(action)
    assert world.action(action).state == "succeeded"


def test_a_freeze_that_has_run_out_needs_no_undo(world):
    action = world.do("freeze", hours="1")
    world.clock.forward(hours=1)
    with pytest.raises(ConflictError, match="this freeze has run out already"):
        world.undo(action)


def test_a_silence_is_the_approvers_and_holds_for_the_cause_of_the_model_alone(world):
    action = world.do("silence", cause="drift", hours="2")
    with world.db.read() as session:
        row = session.get(Silence, action.after["silence"])
    assert (row.author, row.matchers) == ("apo", {"cause": "drift", "model": world.name})
    alert = {"model": world.name, "rule": "drift", "cause": "drift"}
    assert silences.covers(row.matchers, **alert, severity="high")
    assert not silences.covers(row.matchers, **alert, severity="critical")
    assert not silences.covers(row.matchers, **{**alert, "model": "other"}, severity="high")


def test_a_silence_that_was_ended_by_hand_is_not_undone(world):
    action = world.do("silence", cause="drift", hours="2")
    silences.end(world.db, APO, action.after["silence"], "it is loud again")
    with pytest.raises(ConflictError, match="over already"):
        world.undo(action)


def test_a_cause_that_is_open_now_can_be_silenced_whoever_named_it(world):
    with pytest.raises(InvalidInputError, match="there is no cause disk_full; there is accuracy"):
        world.propose("silence", cause="disk_full", hours="1")
    incidents.open(
        world.db,
        model=world.name,
        version="2.0.0",
        cause="disk_full",
        severity="high",
        title="The disk is full",
        finding=Finding("disk_full", 1.0, 0.9, "r1", "The disk is full."),
    )
    assert world.do("silence", cause="disk_full", hours="1").state == "succeeded"
