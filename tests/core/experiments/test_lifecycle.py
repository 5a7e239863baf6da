import threading
from datetime import timedelta

import pytest

from core import releases
from core.access import system
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.experiments import lifecycle
from core.tables.entities import ModelVersion
from core.tables.telemetry import Label, Prediction

EXECUTOR = system("executor")


@pytest.fixture
def two(release):
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)


def draft(db, actor, name="bold", **change):
    given = {
        "model": "spam",
        "name": name,
        "control": "1.0.0",
        "treatment": "2.0.0",
        "share": 0.2,
        "hypothesis": "fewer misses",
        "minimum_effect": 0.02,
    }
    return lifecycle.draft(db, actor, **{**given, **change})


def start(db, row):
    with db.command(EXECUTOR, "experiment.start") as command:
        return lifecycle.start_in(command, row.id)


@pytest.mark.parametrize("step", ["start", "widen", "stop"])
def test_what_was_approved_over_another_release_is_refused(db, ana, release, step):
    for version in ("1.0.0", "2.0.0"):
        release("spam", version, release=version == "1.0.0")
    row = draft(db, ana)
    if step != "start":
        start(db, row)
    now = 1 if step == "start" else 2
    do = {
        "start": lambda command, seen: lifecycle.start_in(command, row.id, seen=seen),
        "widen": lambda command, seen: lifecycle.widen_in(command, row.id, 0.3, seen=seen),
        "stop": lambda command, seen: lifecycle.stop_in(command, row.id, reason="x", seen=seen),
    }[step]
    with (
        pytest.raises(ConflictError, match="was released again meanwhile"),
        db.command(EXECUTOR, "experiment.start") as command,
    ):
        do(command, now - 1)
    with db.command(EXECUTOR, "experiment.start") as command:
        do(command, now)


def status(db, row):
    with db.read() as session:
        return lifecycle.status(session, row.id)


def served(db):
    with db.read() as session:
        return releases.label(releases.current(session, "spam"))


def beside(db, clock, *, both, first, second, neither, each=0):
    """Log answers of the control with those of the treatment in its shadow, all labelled."""
    cases = [("spam", "spam")] * both + [("spam", "ham")] * first
    cases += [("ham", "spam")] * second + [("ham", "ham")] * neither
    common = {
        "model": "spam", "release_seq": 2, "hour": 0, "sample_key": 1, "input": {},
        "probability": 0.9, "latency_ms": 1.0, "key_id": "k",
    }  # fmt: skip
    with db.append() as session:
        for index, said in enumerate(cases):
            arms = (("1.0.0", "control"), ("2.0.0", "shadow"))
            for place, ((version, variant), label) in enumerate(zip(arms, said, strict=True)):
                shadow = {"is_shadow": variant == "shadow", "variant": variant}
                at = clock() + timedelta(microseconds=place)
                row = {"id": f"p{index}", "version": version, "label": label, "at": at}
                row |= {"entity_id": f"u{index // each}"} if each else {}
                session.add(Prediction(**common, **shadow, **row))
            key = {"prediction_id": f"p{index}", "source": "x"}
            session.add(Label(**key, value="spam", state="confirmed", at=clock()))


def widen(db, row, share):
    with db.command(EXECUTOR, "experiment.start") as command:
        return lifecycle.widen_in(command, row.id, share)


def answers(db, clock, variant, right, wrong, seq=2):
    with db.append() as session:
        for index in range(right + wrong):
            row_id = f"{variant}{index}"
            truth = "spam" if index < right else "ham"
            session.add(
                Prediction(
                    at=clock(),
                    id=row_id,
                    model="spam",
                    version="1.0.0",
                    variant=variant,
                    release_seq=seq,
                    is_shadow=False,
                    hour=0,
                    sample_key=index,
                    input={},
                    label="spam",
                    probability=0.9,
                    latency_ms=1.0,
                    key_id="k",
                )
            )
            session.add(
                Label(prediction_id=row_id, source="x", value=truth, state="confirmed", at=clock())
            )


def test_a_draft_changes_nothing_that_serves_and_plans_its_size(db, ana, two):
    row = draft(db, ana)
    assert (row.state, row.author, served(db)) == ("draft", "ana", "1.0.0")
    assert row.planned_n == 20_399
    assert "20,399 labelled predictions are planned" in status(db, row)["sentence"]


def test_a_control_that_is_almost_perfect_plans_to_find_a_loss(db, worker, ana, two):
    with db.command(worker, "version.register") as command:
        command.session.get(ModelVersion, ("spam", "1.0.0")).metrics = {"accuracy": 0.995}
    assert draft(db, ana).planned_n > 0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"share": 0}, InvalidInputError),
        ({"share": 1.0}, InvalidInputError),
        ({"treatment": "1.0.0"}, InvalidInputError),
        ({"metric": "revenue"}, InvalidInputError),
        ({"minimum_effect": 0}, InvalidInputError),
        ({"alpha": 2}, InvalidInputError),
        ({"mode": "live"}, InvalidInputError),
        ({"mode": "shadow"}, InvalidInputError),
        ({"name": ""}, InvalidInputError),
        ({"treatment": "9.0.0"}, NotFoundError),
    ],
)
def test_a_draft_that_cannot_run_is_refused(db, ana, two, change, error):
    with pytest.raises(error):
        draft(db, ana, **change)


def test_a_share_is_what_the_buckets_of_a_release_can_do(db, ana, two):
    row = draft(db, ana, share=0.0016)
    weights = [arm["weight"] for arm in start(db, row).arms]
    assert (row.share, weights) == (0.002, [998, 2])


def test_a_name_is_used_once(db, ana, two):
    draft(db, ana)
    with pytest.raises(ConflictError, match="called bold already"):
        draft(db, ana)


def test_a_start_splits_the_traffic_by_a_release_that_points_back(db, ana, two):
    row = draft(db, ana)
    release = start(db, row)
    assert [(arm.version, arm.variant, arm.weight) for arm in releases.arms(release)] == [
        ("1.0.0", "control", 800),
        ("2.0.0", "treatment", 200),
    ]
    assert (release.mode, release.experiment_id) == ("canary", row.id)
    assert status(db, row)["state"] == "running"


def test_in_shadow_the_control_answers_everybody_and_both_are_judged_on_the_same_requests(
    db, ana, two, clock
):
    row = draft(db, ana, mode="shadow", share=0.0)
    release = start(db, row)
    assert (release.mode, served(db)) == ("shadow", "1.0.0")
    assert [arm.variant for arm in releases.arms(release)] == ["control", "shadow"]
    assert status(db, row)["sentence"] == "No outcome is known yet."
    beside(db, clock, both=900, first=10, second=80, neither=10)
    found = status(db, row)
    assert found["labelled"] == {"control": 1000, "treatment": 1000}
    assert found["correct"] == {"control": 910, "treatment": 980}
    assert found["verdict"]["result"] == "won"
    assert "2.0.0 would have been better than 1.0.0" in found["sentence"]
    assert lifecycle.stop(db, ana, row.id, reason="seen").result == "won"


def test_in_shadow_requests_are_judged_by_the_users_behind_them(db, ana, two, clock):
    row = draft(db, ana, mode="shadow", share=0.0)
    start(db, row)
    beside(db, clock, both=900, first=10, second=80, neither=10, each=10)
    found = status(db, row)
    assert (found["users"]["control"], found["correct"]["treatment"]) == (100, 980)
    assert found["verdict"]["result"] == "inconclusive"
    assert "users are independent" in found["verdict"]["assumptions"]


def test_a_canary_is_widened_in_steps_and_each_begins_its_figures_anew(db, ana, two, clock):
    row = draft(db, ana)
    first = start(db, row)
    answers(db, clock, "control", 72, 8)
    second = widen(db, row, 0.5)
    assert (served(db), second.salt) == ("1.0.0 50% + 2.0.0 50%", first.salt)
    assert (second.mode, second.experiment_id) == ("canary", row.id)
    found = status(db, row)
    assert (found["share"], found["labelled"]["control"]) == (0.5, 0)
    assert found["planned_n"] == lifecycle.size(0.9, 0.02, share=0.5, step=2)
    with pytest.raises(InvalidInputError):
        widen(db, row, 1.0)
    with pytest.raises(ConflictError, match="this share already"):
        widen(db, row, 0.5)
    assert lifecycle.stop(db, ana, row.id, reason="enough").share == 0.5
    assert served(db) == "1.0.0"
    with pytest.raises(ConflictError, match="no canary that runs"):
        widen(db, row, 0.6)


def test_each_split_of_a_canary_has_half_of_the_error_that_is_left(db, ana, two, clock):
    row, levels = draft(db, ana), []
    start(db, row)
    for seq, variant, share in ((2, "control", 0.3), (3, "treatment", 0.5)):
        answers(db, clock, variant, 72, 8, seq=seq)
        levels.append(status(db, row)["verdict"]["interval"]["level"])
        widen(db, row, share)
        clock.forward(seconds=1)
    assert levels == pytest.approx([1 - 0.05 / 2, 1 - 0.05 / 4])


def test_a_shadow_is_not_widened(db, ana, two):
    row = draft(db, ana, mode="shadow", share=0.0)
    start(db, row)
    with pytest.raises(ConflictError, match="no canary that runs"):
        widen(db, row, 0.5)


def test_nobody_but_the_executor_starts(db, adm, ana, two):
    row = draft(db, ana)
    with pytest.raises(ForbiddenError), db.command(adm, "experiment.start") as command:
        lifecycle.start_in(command, row.id)


def test_one_experiment_runs_at_a_time(db, ana, two):
    start(db, draft(db, ana))
    with pytest.raises(ConflictError, match="experiment bold runs on spam"):
        start(db, draft(db, ana, name="second"))


def test_of_two_starts_at_once_one_wins(db, ana, two):
    rows, outcomes = [draft(db, ana, name=name) for name in ("a", "b", "c", "d")], []

    def press(row):
        try:
            start(db, row)
            outcomes.append("started")
        except ConflictError:
            outcomes.append("refused")

    threads = [threading.Thread(target=press, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused", "refused", "refused", "started"]


def test_a_control_that_does_not_serve_cannot_start(db, ana, two, release):
    row = draft(db, ana)
    release("spam", "3.0.0")
    with pytest.raises(ConflictError, match=r"serves 3.0.0, and the control is 1.0.0"):
        start(db, row)


def test_a_stop_gives_all_traffic_to_the_control_and_keeps_the_result(db, ana, two, clock):
    row = draft(db, ana)
    start(db, row)
    answers(db, clock, "control", 720, 80)
    answers(db, clock, "treatment", 100, 100)
    stopped = lifecycle.stop(db, ana, row.id, reason="it loses")
    assert (stopped.state, stopped.result, served(db)) == ("stopped", "lost", "1.0.0")
    assert stopped.verdict["stopped_because"] == "it loses"
    with pytest.raises(ConflictError, match="nothing to stop"):
        lifecycle.stop(db, ana, row.id, reason="again")


def test_the_status_counts_each_arm_and_judges(db, ana, two, clock):
    row = draft(db, ana)
    start(db, row)
    answers(db, clock, "control", 720, 80)
    answers(db, clock, "treatment", 180, 20)
    found = status(db, row)
    assert found["labelled"] == {"control": 800, "treatment": 200}
    assert found["correct"] == {"control": 720, "treatment": 180}
    assert found["verdict"]["result"] == "inconclusive"
    assert "more outcomes needed" in found["sentence"]


def test_before_the_first_label_there_is_no_verdict(db, ana, two):
    row = draft(db, ana)
    start(db, row)
    assert status(db, row)["verdict"] is None
    assert status(db, row)["sentence"] == "No outcome is known yet."


def test_an_experiment_whose_release_was_replaced_is_truthfully_stopped(db, ana, two, release):
    row = draft(db, ana)
    start(db, row)
    release("spam", "3.0.0")
    found = status(db, row)
    assert found["state"] == "stopped"
    assert found["sentence"].startswith("Another release took its place")
    stopped = lifecycle.stop(db, ana, row.id, reason="over")
    assert (stopped.state, served(db)) == ("stopped", "3.0.0")


def test_a_replaced_experiment_makes_room_for_the_next(db, ana, two, release):
    first = draft(db, ana)
    start(db, first)
    release("spam", "3.0.0")
    start(db, draft(db, ana, name="next", control="3.0.0"))
    with db.read() as session:
        states = {e.name: e.state for e in lifecycle.all(session, "spam")}
    assert states == {"bold": "stopped", "next": "running"}


def test_a_stop_is_no_rollback_the_control_stays_trusted(db, ana, two, release):
    row = draft(db, ana)
    start(db, row)
    lifecycle.stop(db, ana, row.id, reason="done")
    release("spam", "3.0.0")
    assert releases.label(releases.roll_back(db, ana, "spam", reason="x")) == "1.0.0"


def test_the_names_of_experiments_are_listed_newest_first(db, ana, two):
    for name in ("a", "b"):
        draft(db, ana, name=name)
    with db.read() as session:
        assert {e.name for e in lifecycle.all(session)} == {"a", "b"}
        assert lifecycle.all(session, "other") == []
