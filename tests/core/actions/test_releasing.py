import pytest

from core import actions, audit, recommendations, releases
from core.access import system
from core.errors import ConflictError, ForbiddenError
from core.serving import assignment
from core.tables.entities import ModelVersion
from tests.state_kit import ANA, APO

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
USERS = [f"user-{number}" for number in range(300)]


def current(world):
    with world.db.read() as session:
        return releases.current(session, world.name)


def label(world):
    return releases.label(current(world))


def who_meets(world, version):
    release = current(world)
    arms = releases.arms(release)
    return {u for u in USERS if assignment.choose(arms, release.salt, u).version == version}


def waiting(world):
    with world.db.read() as session:
        return recommendations.waiting(session, model=world.name)


def test_the_past_names_who_decided_and_who_took_it_back(world):
    action = world.do("set_threshold", threshold="0.7")
    world.undo(action)
    with world.db.read() as session:
        told = [one.to_dict()["by"] for one in releases.past(session, world.name)]
    assert told[:3] == ["ana", "apo, proposed by ana", "worker"]


def test_more_weight_moves_only_the_users_between_the_old_and_the_new_boundary(world):
    world.do("change_weights", version="3.0.0", share="0.1")
    few = who_meets(world, "3.0.0")
    world.do("change_weights", version="3.0.0", share="0.4")
    many = who_meets(world, "3.0.0")
    assert label(world) == "2.0.0 60% + 3.0.0 40%"
    assert few < many
    world.do("change_weights", version="3.0.0", share="0")
    assert (label(world), current(world).mode) == ("2.0.0", "live")
    world.do("change_weights", version="3.0.0", share="0.1")
    assert who_meets(world, "3.0.0") == few


@pytest.mark.parametrize(
    ("version", "share", "reason"),
    [
        ("2.0.0", "0.1", "2.0.0 serves what no other version gets"),
        ("1.0.0", "0.1", "3.0.0 has a share already; end that one first"),
        ("3.0.0", "0.2", "3.0.0 has this share already"),
        ("1.0.0", "0", "3.0.0 has a share already"),
    ],
)
def test_weights_that_make_no_sense_are_refused_with_the_reason(world, version, share, reason):
    world.do("change_weights", version="3.0.0", share="0.2")
    with pytest.raises(ConflictError, match=reason):
        world.do("change_weights", version=version, share=share)
    assert label(world) == "2.0.0 80% + 3.0.0 20%"


def test_a_share_that_nobody_has_cannot_end(world):
    with pytest.raises(ConflictError, match=r"3\.0\.0 has no share to end"):
        world.do("change_weights", version="3.0.0", share="0")


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("change_weights", {"version": "3.0.0", "share": "0.3"}),
        ("set_threshold", {"threshold": "0.7"}),
    ],
)
def test_while_an_experiment_runs_it_holds_weights_and_threshold(world, kind, arguments):
    world.do("start_experiment", experiment_id=world.experiments["canary"])
    with pytest.raises(ConflictError, match="experiment canary runs and holds the weights"):
        world.do(kind, **arguments)
    assert label(world) == "2.0.0 90% + 3.0.0 10%"


def test_a_share_is_taken_away_at_once_and_given_again_by_another_person(world):
    given = world.do("change_weights", version="3.0.0", share="0.3")
    world.undo(given)
    assert label(world) == "2.0.0"

    world.do("change_weights", version="3.0.0", share="0.3")
    ended = world.do("change_weights", version="3.0.0", share="0")
    said = actions.undo(world.db, APO, ended.id, reason="it was fine")
    assert said.startswith("it is proposed; another person decides: Give ")
    assert label(world) == "2.0.0"
    (row,) = waiting(world)
    with pytest.raises(ForbiddenError, match="another person decides"):
        recommendations.approve(world.db, APO, row.id, digest=row.digest, solo=False)


def test_what_is_proposed_back_is_proposed_once_and_reverts_the_action_when_it_is_done(world):
    world.do("change_weights", version="3.0.0", share="0.3")
    ended = world.do("change_weights", version="3.0.0", share="0")
    actions.undo(world.db, ANA, ended.id, reason="it was fine")
    with pytest.raises(ConflictError, match="proposed already; it waits in the inbox"):
        world.undo(ended)
    assert world.action(ended).state == "succeeded"
    world.approve(*waiting(world))
    assert label(world) == "2.0.0 70% + 3.0.0 30%"
    assert world.action(ended).state == "reverted"


def test_what_was_rejected_can_be_proposed_back_again(world):
    rolled = world.do("rollback", to="1.0.0")
    actions.undo(world.db, ANA, rolled.id, reason="too early")
    (row,) = waiting(world)
    recommendations.reject(world.db, APO, row.id, reason="not yet")
    world.undo(rolled)
    assert label(world) == "2.0.0"


def test_a_rollback_that_took_back_a_split_says_why_it_has_no_undo(world):
    world.do("change_weights", version="3.0.0", share="0.3")
    rolled = world.do("rollback", to="1.0.0")
    assert actions.inverse_of(rolled) is None
    with pytest.raises(ConflictError, match="it took back more than one version"):
        world.undo(rolled)


def test_a_threshold_serves_with_every_version_until_it_is_undone(world):
    world.do("change_weights", version="3.0.0", share="0.3")
    action = world.do("set_threshold", threshold="0.7")
    assert [arm.threshold for arm in releases.arms(current(world))] == [0.7, 0.7]
    assert action.inverse == {"kind": "set_threshold", "arguments": {"threshold": "0.5"}}
    world.undo(action)
    assert [arm.threshold for arm in releases.arms(current(world))] == [None, None]
    assert current(world).arms[0] == {"version": "2.0.0", "variant": "control", "weight": 700}


def test_the_threshold_it_has_already_is_refused(world):
    with pytest.raises(ConflictError, match="answers positive from 0.5 already"):
        world.do("set_threshold", threshold="0.5")


def test_a_threshold_outlives_an_experiment_and_a_rollback(world):
    world.do("set_threshold", threshold="0.7")
    started = world.do("start_experiment", experiment_id=world.experiments["canary"])
    assert [arm.threshold for arm in releases.arms(current(world))] == [0.7, None]
    world.undo(started)
    world.do("promote", version="3.0.0")
    assert releases.set_thresholds(current(world)) == {}
    world.do("rollback", to="2.0.0")
    assert releases.set_thresholds(current(world)) == {"2.0.0": 0.7}


def test_an_undone_promotion_resumes_the_experiment_that_it_ended(world):
    world.do("start_experiment", experiment_id=world.experiments["canary"])
    before = world.state()
    promoted = world.do("promote", version="3.0.0")
    assert world.state()["experiment"] is None
    world.undo(promoted)
    assert world.state() == before


def test_an_overtaken_undo_is_refused_and_told_once(world):
    promoted = world.do("promote", version="3.0.0")
    world.do("promote", version="1.0.0")
    with pytest.raises(ConflictError, match="another release serves by now"):
        world.undo(promoted)
    with world.db.read() as session:
        told = audit.tail(session, action="action.undo")
    assert [(row.outcome, row.detail["action_id"]) for row in told] == [("refused", promoted.id)]


def test_an_older_action_is_not_undone_in_place_of_a_newer_one_that_looks_the_same(world):
    shares = ("0.2", "0.3", "0.2")
    first, *later = [world.do("change_weights", version="3.0.0", share=one) for one in shares]
    with pytest.raises(ConflictError, match="another release serves by now"):
        world.undo(first)
    for action in (*reversed(later), first):
        world.undo(action)
    assert label(world) == "2.0.0"


def test_a_version_that_the_gate_has_not_let_through_gets_no_share(world):
    with world.db.command(system("worker"), "version.judge") as command:
        row = command.session.get_one(ModelVersion, (world.name, "3.0.0"))
        row.gate = {"answer": "not_enough_evidence"}
    with pytest.raises(ConflictError, match="the gate has not let"):
        world.do("change_weights", version="3.0.0", share="0.1")
    assert label(world) == "2.0.0"
