import pytest

from core import actions, autonomy, policies, recommendations, specs
from core.errors import ConflictError, ForbiddenError, InvalidInputError
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
    assert (version(world), second.before["policy"], second.after["policy"]) == (2, "1", "2")
    world.undo(second)
    assert version(world) == 1


def test_a_policy_that_gave_way_already_is_not_undone(world):
    first = world.do("change_policy", version=world.draft_policy(drift_urgent=0.2))
    world.do("change_policy", version="0")
    with pytest.raises(ConflictError, match="another policy is in force by now"):
        world.undo(first)
    assert version(world) is None


def gate(world):
    with world.db.read() as session:
        return specs.active(session, world.name).gate


def loosened(world, actor=ANA, **changes):
    given = changes or {"min_slice": "100", "floor": "0.5"}
    return recommendations.propose_gate(
        world.db, actor, model=world.name, changes=given, reason="rows are rare here"
    )


def test_a_gate_is_changed_by_two_people_and_nothing_else_of_the_spec_is(world):
    with world.db.read() as session:
        before = specs.active(session, world.name)
    row = loosened(world, actor=APO)
    assert row.title == (
        f"Change the gate of {world.name}: min slice {before.gate.min_slice} → 100,"
        f" floor {before.gate.floor:g} → 0.5"
    )
    assert row.evidence[-1]["label"] == "what the gate said about 3.0.0"
    assert gate(world) == before.gate
    with pytest.raises(ForbiddenError, match="another person decides"):
        recommendations.approve(world.db, APO, row.id, digest=row.digest, solo=False)
    action = world.approve(loosened(world))
    assert action.before["gate"] == specs.gates.words(before.gate)
    after = before.gate.model_copy(update={"min_slice": 100, "floor": 0.5})
    with world.db.read() as session:
        assert specs.active(session, world.name) == before.model_copy(update={"gate": after})


def test_undoing_a_gate_is_another_persons_decision(world):
    before = gate(world)
    action = world.approve(loosened(world))
    said = actions.undo(world.db, APO, action.id, reason="too much came through")
    assert said.endswith(f"Let the gate of {world.name} be as it was")
    assert gate(world).floor == 0.5
    with world.db.read() as session:
        (row,) = recommendations.waiting(session, model=world.name)
    with pytest.raises(ForbiddenError, match="another person decides"):
        recommendations.approve(world.db, APO, row.id, digest=row.digest, solo=False)
    recommendations.reject(world.db, APO, row.id, reason="again")
    world.undo(action)
    assert gate(world) == before


def test_a_gate_that_gave_way_already_is_not_undone(world):
    first = world.approve(loosened(world))
    world.approve(loosened(world, floor="0.6"))
    with pytest.raises(ConflictError, match="another gate is in force by now"):
        world.undo(first)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"flor": "0.5"}, "a gate has no flor"),
        ({"floor": "1.5"}, "The gate's floor cannot be used"),
        ({"floor": "off"}, "The gate's floor cannot be used"),
        ({"rule": "none"}, "The gate's rule cannot be used"),
        ({"min_slice": "0"}, "The gate's min_slice cannot be used"),
        ({"alpha": "nan"}, "The gate's alpha cannot be used"),
        ({"auto_deploy_threshold": "off"}, "nothing would change"),
    ],
)
def test_a_gate_that_cannot_be_is_not_proposed(world, changes, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        loosened(world, **changes)
    with pytest.raises(InvalidInputError, match="say why"):
        recommendations.propose_gate(
            world.db, ANA, model=world.name, changes={"floor": "0.5"}, reason=" "
        )


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
