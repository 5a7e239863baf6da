import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from core import actions
from core.errors import PilothouseError
from core.specs import Gate, gates
from tests.state_kit import World

STEPS = [
    ("promote", {"version": "1"}),
    ("promote", {"version": "3"}),
    ("rollback", {"to": "1.0.0"}),
    ("rollback", {"to": "2.0.0"}),
    ("change_weights", {"version": "3", "share": "0.1"}),
    ("change_weights", {"version": "3", "share": "0.5"}),
    ("change_weights", {"version": "3", "share": "0"}),
    ("set_threshold", {"threshold": "0.3"}),
    ("set_threshold", {"threshold": "0.7"}),
    ("start_experiment", {"experiment_id": "canary"}),
    ("start_experiment", {"experiment_id": "shadow"}),
    ("widen_experiment", {"experiment_id": "canary", "share": "0.05"}),
    ("widen_experiment", {"experiment_id": "canary", "share": "0.5"}),
    ("stop_experiment", {"experiment_id": "canary"}),
    ("collect_labels", {"rows": "20"}),
    ("freeze", {"hours": "1"}),
    ("silence", {"cause": "drift", "hours": "2"}),
    ("notify", {}),
    ("change_policy", {"version": "new"}),
    ("change_policy", {"version": "0"}),
    ("change_gate", gates.words(Gate(floor=0.5))),
    ("change_gate", gates.words(Gate(rule="non_inferiority", auto_deploy_threshold=0.7))),
    ("grant_autonomy", {"kind": "silence"}),
]
"""Kinds with arguments as `named` reads them; some cannot be done as things stand."""


def named(world, kind, arguments):
    """Return arguments with the real names of this world's versions and experiments."""
    given = dict(arguments)
    if kind in ("promote", "change_weights"):
        given["version"] += ".0.0"
    if "experiment_id" in given:
        given["experiment_id"] = world.experiments[given["experiment_id"]]
    if given.get("version") == "new":
        given["version"] = world.draft_policy(drift_urgent=0.2 + 0.001 * world.clock().second)
    return given


def attempt(world, kind, arguments):
    """Carry an action out; None where it is refused, which changes nothing."""
    before = world.digest()
    try:
        return world.do(kind, **named(world, kind, arguments))
    except PilothouseError:
        assert world.digest() == before, f"a refused {kind} changed {world.state()}"
        return None


def take_back(world, before, action):
    """Undo an action and compare; one without a way back says why, and changes nothing."""
    after = world.digest()
    if why := actions.final(action):
        with pytest.raises(PilothouseError, match=why[:20]):
            world.undo(action)
        assert world.digest() == after
        return
    world.undo(action)
    assert world.state() == before, f"undoing {action.kind} {action.arguments}"
    assert world.action(action).state == "reverted"
    with pytest.raises(PilothouseError, match="has reverted"):
        world.undo(action)


def walk(world, steps):
    """Do each step, and undo those that are marked at once, the others at the end, newest first.

    Returns the kinds of what could be done.
    """
    kept, done = [], []
    for (kind, arguments), at_once in steps:
        before = world.state()
        if (action := attempt(world, kind, arguments)) is None:
            continue
        done.append(kind)
        if at_once or kind == "freeze" or actions.final(action):  # a freeze holds proposals back
            take_back(world, before, action)
        else:
            kept.append((before, action))
        if actions.final(action) and world.state() != before:
            kept.clear()  # what came before it has been overtaken for good
    for before, action in reversed(kept):
        take_back(world, before, action)
    return done


ALL = [
    ("promote", {"version": "3"}),
    ("rollback", {"to": "1.0.0"}),
    ("change_weights", {"version": "3", "share": "0.25"}),
    ("set_threshold", {"threshold": "0.7"}),
    ("collect_labels", {"rows": "20"}),
    ("silence", {"cause": "drift", "hours": "2"}),
    ("change_policy", {"version": "new"}),
    ("change_gate", gates.words(Gate(floor=0.5))),
    ("grant_autonomy", {"kind": "silence"}),
    ("freeze", {"hours": "1"}),
]


def test_what_is_done_and_undone_leaves_everything_as_it_was(db, settings, clock):
    world = World(db, settings, clock)
    start = world.state()
    for step in ALL:
        assert walk(world, [(step, True)])
    together = [step for step in ALL if step[0] not in ("promote", "rollback")]
    assert walk(world, [(step, False) for step in together]) == [kind for kind, _ in together]
    assert world.state() == start


def test_an_experiment_is_done_and_undone_step_by_step(db, settings, clock):
    world = World(db, settings, clock)
    done = walk(
        world,
        [
            (("start_experiment", {"experiment_id": "canary"}), False),
            (("widen_experiment", {"experiment_id": "canary", "share": "0.5"}), False),
            (("widen_experiment", {"experiment_id": "canary", "share": "0.25"}), False),
            (("promote", {"version": "3"}), True),
            (("promote", {"version": "1"}), False),
        ],
    )
    assert len(done) == 5


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the same SQL as above
@hypothesis(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.booleans()), min_size=2, max_size=6))
def test_any_actions_can_be_taken_back_to_an_equal_state(db, settings, clock, steps):
    walk(World(db, settings, clock), steps)
