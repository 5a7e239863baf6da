import pytest

from core import actions, autonomy, policies, recommendations
from core.errors import ConflictError, ForbiddenError
from tests.state_kit import ANA, APO

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def version(world):
    with world.db.read() as session:
        row = policies.active(session, world.name)
        return row and row.version


def test_undoing_a_policy_is_another_persons_decision(world):
    first = world.do("change_policy", version=world.draft_policy(drift_urgent=0.2))
    said = actions.undo(world.db, APO, first.id, reason="too loud")
    assert said.endswith(f"Let the policy of {world.name} be what it lies over again")
    assert version(world) == 1
    with world.db.read() as session:
        (row,) = recommendations.waiting(session, model=world.name)
    with pytest.raises(ForbiddenError, match="another person decides"):
        recommendations.approve(world.db, APO, row.id, digest=row.digest, solo=False)


def test_an_undone_policy_gives_way_to_the_one_before_it(world):
    world.do("change_policy", version=world.draft_policy(drift_urgent=0.2))
    second = world.do("change_policy", version=world.draft_policy(drift_urgent=0.3))
    assert version(world) == 2
    world.undo(second)
    assert version(world) == 1


def test_a_policy_that_gave_way_already_is_not_undone(world):
    first = world.do("change_policy", version=world.draft_policy(drift_urgent=0.2))
    world.do("change_policy", version="0")
    with pytest.raises(ConflictError, match="another policy is in force by now"):
        world.undo(first)
    assert version(world) is None


def test_a_leave_is_taken_away_by_its_undo_at_once(world):
    action = world.do("grant_autonomy", kind="silence")
    assert world.state()["leaves"] == ["silence"]
    assert world.undo(action) == f"a person decides again to silence {world.name}"
    assert world.state()["leaves"] == []


def test_a_leave_that_was_withdrawn_already_is_not_undone(world):
    action = world.do("grant_autonomy", kind="silence")
    autonomy.withdraw(world.db, ANA, model=world.name, kind="silence", reason="it slept")
    with pytest.raises(ConflictError, match="has no leave to silence"):
        world.undo(action)
