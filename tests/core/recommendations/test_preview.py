"""What a card says would change: a row for each thing, before and after."""

import pytest

from core import recommendations, specs
from core.specs import gates
from tests.state_kit import ANA, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def world(db, settings, clock):
    return World(db, settings, clock)


def shown(world, kind, /, *, model=None, **arguments):
    row = recommendations.propose(
        world.db,
        ANA,
        model=model or world.name,
        kind=kind,
        arguments=arguments,
        title="Tell everybody",
        reasoning="because",
    )
    with world.db.read() as session:
        return recommendations.difference(session, row)


def test_weights_show_the_share_of_each_version(world):
    assert shown(world, "change_weights", version="3.0.0", share="0.1") == [
        ("share of 2.0.0", "100 %", "90 %"),
        ("share of 3.0.0", "0 %", "10 %"),
    ]


def test_a_threshold_shows_how_many_answers_it_would_turn(world):
    assert shown(world, "set_threshold", threshold="0.05") == [
        ("2.0.0 answers positive from", "0.5", "0.05"),
        ("positive among its last 40 answers", "0.0%", "100.0%"),
    ]


def test_a_promotion_shows_what_else_it_changes(world):
    world.do("set_threshold", threshold="0.7")
    world.do("start_experiment", experiment_id=world.experiments["canary"])
    rows = shown(world, "promote", version="3.0.0")
    assert ("serves", "2.0.0 90% + 3.0.0 10%", "3.0.0") in rows
    assert ("positive from a probability of", "0.7", "0.5") in rows
    assert ("experiment canary", "runs", "ends") in rows


def test_what_cannot_be_done_as_things_stand_says_why(world):
    world.do("start_experiment", experiment_id=world.experiments["canary"])
    assert shown(world, "change_weights", version="3.0.0", share="0.5") == [
        ("as things stand", "it cannot be done", "an experiment holds the weights; stop it first")
    ]


def test_a_rollback_that_would_serve_something_else_says_so(world):
    world.do("promote", version="3.0.0")
    rows = shown(world, "rollback", to="1.0.0")
    assert rows[0] == ("serves", "3.0.0", "1.0.0")
    assert rows[1][2] == "a rollback would serve 2.0.0, not 1.0.0"


@pytest.mark.parametrize(
    ("kind", "arguments", "row"),
    [
        ("collect_labels", {"rows": "20"}, ("labels of answers", "none are asked for", "up to 20")),
        ("freeze", {"hours": "4"}, ("changes of {}", "free", "frozen for 4 h; a rollback stays")),
        (
            "silence",
            {"cause": "drift", "hours": "2"},
            ("alerts about drift of {}", "heard", "silent for 2 h, but for critical ones"),
        ),
        ("notify", {}, ("every channel", "not told", "Tell everybody")),
        ("grant_autonomy", {"kind": "silence"}, ("to silence {}", "a person decides", "the produ")),
    ],
)
def test_what_changes_nothing_that_serves_says_what_it_does(world, kind, arguments, row):
    ((what, before, after),) = shown(world, kind, **arguments)
    assert (what, before) == (row[0].format(world.name), row[1])
    assert after.startswith(row[2])


@pytest.mark.parametrize(
    ("kind", "arguments", "why"),
    [("notify", {}, "no channel is set up"), ("scale", {"replicas": "3"}, "scaling is not set up")],
)
def test_what_nothing_here_could_do_says_so(world, settings, kind, arguments, why):
    settings.scale_command = "scale {replicas}"
    with world.db.read() as session:
        assert recommendations.has_means(session, kind)
    row = world.propose(kind, **arguments)
    settings.scale_command = settings.slack_webhook_url = None
    with world.db.read() as session:
        ((_, before, after),) = recommendations.difference(session, row)
        assert not recommendations.has_means(session, kind)
    assert before == "it cannot be done"
    assert why in after


def test_a_policy_shows_each_threshold_that_it_changes(world):
    version = world.draft_policy(drift_urgent=0.2)
    assert shown(world, "change_policy", version=version) == [
        (f"policy of {world.name}", "what lies underneath", "version 1"),
        ("drift urgent", "0.15", "0.2"),
        ("retraining in the middle of the drift ladder", "asks a person", "done without asking"),
    ]
    world.do("change_policy", version=version)
    assert shown(world, "change_policy", version="0") == [
        (f"policy of {world.name}", "version 1", "what lies underneath"),
        ("drift urgent", "0.2", "0.15"),
        ("retraining in the middle of the drift ladder", "done without asking", "asks a person"),
    ]
    assert len(shown(world, "change_policy", version=world.draft_policy(drift_urgent=0.3))) == 2


def test_a_gate_shows_each_value_that_it_changes(world):
    with world.db.read() as session:
        now = specs.active(session, world.name).gate
    wanted = gates.words(now.model_copy(update={"floor": 0.5, "auto_deploy_threshold": 0.6}))
    assert shown(world, "change_gate", **wanted) == [
        ("gate: floor", f"{now.floor}", "0.5"),
        ("gate: auto deploy threshold", "off", "0.6"),
    ]
    ((_, _, why),) = shown(world, "change_gate", **gates.words(now))
    assert why == f"the gate of {world.name} is that already"
