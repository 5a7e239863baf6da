import shutil
from datetime import timedelta

import pytest

from core import label_requests, outcomes, recommendations
from core.access import system
from core.clock import hour_of
from core.experiments import lifecycle
from core.incidents import silences
from core.tables.entities import Alert, Experiment, Incident, ModelVersion, Run
from core.tables.telemetry import HourlyCount, Prediction
from tests.core.experiments.test_lifecycle import beside
from tests.outcomes_kit import Served, action_of, candidate, done, graded, traffic


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """What is read here is read alike from either database: one is enough."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def model(db, settings, clock):
    watched = Served(db, settings, clock)
    watched.release("1.0.0")
    return watched


@pytest.fixture
def retrained(db, settings, apo, model):
    return done(db, settings, apo, "retrain")


def end_run(db, key, state="finished", error=None, **gate):
    """End the training of an executed proposal; with an answer of the gate it made 2.0.0."""
    with db.command(system("worker"), "run.finish") as command:
        run = command.session.get_one(Run, action_of(db, key).after["run_id"])
        run.state, run.finished_at, run.error = state, command.now, error
        run.version = "2.0.0" if gate else None
    return gate


def test_a_training_is_not_graded_while_it_runs(db, settings, retrained):
    assert graded(db, settings, retrained) is None


def test_a_training_whose_candidate_passed_the_gate_is_good(db, settings, model, retrained):
    gate = {"answer": "promote", "difference": {"value": 0.02, "low": 0.01, "high": 0.03}, "n": 500}
    candidate(model, **end_run(db, retrained, **gate))
    found = graded(db, settings, retrained)
    assert (found.grade, found.sentence) == (
        "good", "The training made 2.0.0, which passed the gate.",
    )  # fmt: skip
    assert (found.measured["effect"], found.measured["n"]) == (0.02, 500)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_training_that_did_not_finish_is_bad_with_the_reason(db, settings, retrained, state):
    end_run(db, retrained, state, error="no disk left")
    found = graded(db, settings, retrained)
    assert (found.grade, "no disk left" in found.sentence) == ("bad", True)


def test_a_refused_candidate_is_bad(db, settings, model, retrained):
    candidate(model, **end_run(db, retrained, answer="refuse", reasons=["worse by 3 points"]))
    found = graded(db, settings, retrained)
    assert (found.grade, found.sentence) == ("bad", "The gate refused 2.0.0: worse by 3 points.")


def test_missing_evidence_is_waited_for_and_then_neutral(db, settings, clock, model, retrained):
    answer = {"answer": "not_enough_evidence", "more_rows_needed": 1200}
    candidate(model, **end_run(db, retrained, **answer))
    assert graded(db, settings, retrained) is None
    clock.forward(days=14)
    found = graded(db, settings, retrained)
    assert (found.grade, "1,200 more labelled rows" in found.sentence) == ("neutral", True)


def test_a_candidate_that_was_released_is_good_whatever_the_gate_lacked(
    db, settings, model, retrained
):
    candidate(model, **end_run(db, retrained, answer="not_enough_evidence"))
    model.serve("2.0.0")
    assert graded(db, settings, retrained).grade == "good"


@pytest.fixture
def shadow(db, settings, ana, apo, model):
    """An experiment in shadow, started by an approved proposal: (experiment, proposal)."""
    candidate(model)
    row = lifecycle.draft(
        db, ana, model="spam", name="e", control="1.0.0", treatment="2.0.0", mode="shadow",
        hypothesis="better",
    )  # fmt: skip
    return row, done(db, settings, apo, "start_experiment", experiment_id=row.id)


def set_result(db, row, result):
    with db.command(system("executor"), "experiment.start") as command:
        command.session.get_one(Experiment, row.id).result = result


@pytest.mark.parametrize(
    ("result", "grade"),
    [("won", "good"), ("lost", "good"), ("invalid", "bad"), ("inconclusive", "neutral")],
)
def test_an_experiment_is_graded_by_how_it_ended(db, settings, ana, shadow, result, grade):
    row, key = shadow
    assert graded(db, settings, key) is None
    lifecycle.stop(db, ana, row.id, reason="enough")
    set_result(db, row, result)
    assert graded(db, settings, key).grade == grade


def stopped(db, settings, apo, shadow):
    return done(db, settings, apo, "stop_experiment", experiment_id=shadow[0].id)


def test_stopping_what_was_surely_worse_is_good(db, settings, apo, clock, shadow):
    beside(db, clock, both=300, first=60, second=2, neither=4)
    key = stopped(db, settings, apo, shadow)
    assert graded(db, settings, key) is None
    clock.forward(days=14)
    found = graded(db, settings, key)
    assert (found.grade, "stopping was right" in found.sentence) == ("good", True)


def test_stopping_what_was_surely_better_is_bad(db, settings, apo, clock, shadow):
    beside(db, clock, both=300, first=2, second=60, neither=4)
    key = stopped(db, settings, apo, shadow)
    clock.forward(days=14)
    assert graded(db, settings, key).grade == "bad"


def test_a_stop_whose_harm_nobody_measured_is_neutral(db, settings, apo, clock, shadow):
    key = stopped(db, settings, apo, shadow)
    clock.forward(days=14)
    found = graded(db, settings, key)
    assert (found.grade, "was not measured" in found.sentence) == ("neutral", True)


def test_stopping_an_arm_whose_requests_fail_is_good_by_its_errors(
    db, settings, ana, apo, clock, model
):
    candidate(model)
    row = lifecycle.draft(
        db, ana, model="spam", name="c", control="1.0.0", treatment="2.0.0", share=0.5,
        hypothesis="better",
    )  # fmt: skip
    done(db, settings, apo, "start_experiment", experiment_id=row.id)
    hourly(db, clock, "1.0.0", "control", 300, errors=2)
    hourly(db, clock, "2.0.0", "treatment", 300, errors=40)
    key = done(db, settings, apo, "stop_experiment", experiment_id=row.id)
    clock.forward(hours=1)
    found = graded(db, settings, key)
    assert (found.grade, "13.3% of the treatment's requests failed" in found.sentence) == (
        "good", True,
    )  # fmt: skip


def hourly(db, clock, version, variant, n, *, errors=0, slow=0, hours=0):
    """Count requests, `hours` from now."""
    with db.append() as session:
        session.add(
            HourlyCount(
                model="spam", version=version, variant=variant,
                hour=hour_of(clock.now + timedelta(hours=hours)), requests=n, errors=errors,
                positives=0, latency_ms_sum=0.0,
                latency_buckets={"5": n - errors - slow, "500": slow},
            )
        )  # fmt: skip


@pytest.fixture
def asked(db, settings, apo, model):
    """Forty labels are asked for: (the proposal, the answers in question)."""
    model.log([{"message": "hello"}] * 200)
    key = done(db, settings, apo, "collect_labels", rows="40")
    with db.read() as session:
        request = label_requests.open_of(session, "spam")
        rows = [session.query(Prediction).filter_by(id=i).one() for i in request.prediction_ids]
    return key, request, rows


def test_labels_are_graded_when_all_have_come(db, settings, model, asked):
    key, _, rows = asked
    model.label(rows[:39])
    assert graded(db, settings, key) is None
    model.label(rows[39:])
    found = graded(db, settings, key)
    assert (found.grade, found.sentence) == ("good", "40 of 40 labels came.")


@pytest.mark.parametrize(("given", "grade"), [(0, "bad"), (10, "neutral"), (20, "good")])
def test_labels_are_graded_by_how_many_came_until_the_request_was_closed(
    db, settings, ana, model, asked, given, grade
):
    key, request, rows = asked
    model.label(rows[:given])
    label_requests.close(db, ana, request.id, reason="enough")
    assert graded(db, settings, key).grade == grade


@pytest.fixture
def quiet(db, settings, apo, model):
    """Alerts about drift are silent for two hours."""
    return done(db, settings, apo, "silence", cause="drift", hours="2")


def alert(db, clock, *, severity="high", incident=False, cause="drift"):
    """An alert that came now, and perhaps the incident that it became an hour later."""
    with db.command(system("worker"), "incident.open") as command:
        key = f"alert-{clock.now}"
        if incident:
            command.session.add(
                Incident(
                    id=key, model="spam", version="1.0.0", state="open", severity=severity,
                    cause=cause, title="The data has drifted", timeline=[],
                    opened_at=clock.now + timedelta(hours=1),
                )
            )  # fmt: skip
        command.session.add(
            Alert(
                id=key, model="spam", rule="drift", severity=severity, state="firing", value=0.5,
                fingerprint=f"spam:{cause}:drift", threshold=0.1, report_id="r", at=clock.now,
                incident_id=key if incident else None,
            )
        )  # fmt: skip


def test_a_silence_is_looked_at_after_its_end(db, settings, clock, quiet):
    clock.forward(hours=2)
    assert graded(db, settings, quiet) is None
    clock.forward(hours=1)
    assert graded(db, settings, quiet).sentence == "It silenced nothing."


def test_a_silence_over_something_that_became_an_incident_is_bad(db, settings, clock, quiet):
    clock.forward(hours=1)
    alert(db, clock, incident=True)
    clock.forward(hours=2)
    found = graded(db, settings, quiet)
    assert (found.grade, "The data has drifted" in found.sentence) == ("bad", True)


@pytest.mark.parametrize("what", [{}, {"severity": "medium", "incident": True}])
def test_a_silence_over_nothing_grave_is_good(db, settings, clock, quiet, what):
    clock.forward(hours=1)
    alert(db, clock, **what)
    clock.forward(hours=2)
    assert graded(db, settings, quiet).grade == "good"


def test_an_incident_about_something_else_does_not_count(db, settings, clock, quiet):
    with db.read() as session:
        covered = silences.all(session)[0].matchers
    assert covered["cause"] == "drift"
    clock.forward(hours=1)
    alert(db, clock, severity="critical", incident=True)  # it passes a silence that names no such
    clock.forward(hours=2)
    assert graded(db, settings, quiet).grade == "neutral"


def test_what_cannot_be_measured_is_neutral(db, settings, apo, model):
    key = done(db, settings, apo, "freeze", hours="2")
    found = graded(db, settings, key)
    assert (found.grade, found.sentence) == ("neutral", "To freeze has no effect to measure.")


@pytest.mark.parametrize(
    ("before", "after", "grade"),
    [((0, 100), (0, 2), "good"), ((2, 0), (60, 0), "bad"), ((2, 2), (3, 3), "neutral")],
)
def test_a_scaling_is_graded_by_errors_and_slow_answers(
    db, settings, clock, model, before, after, grade
):
    clock.now = clock.now.replace(minute=30)
    for hours, (errors, slow) in ((-2, before), (2, after)):
        hourly(db, clock, "1.0.0", "control", 500, errors=errors, slow=slow, hours=hours)
    key = scaled(db)
    assert graded(db, settings, key) is None
    clock.forward(hours=8)
    assert graded(db, settings, key).grade == grade


def scaled(db):
    """A scaling that was carried out: what sets replicas outside is another test's business."""
    from core.tables.entities import ActionRow

    row = recommendations.propose(
        db, system("agent"), model="spam", kind="notify", arguments={}, title="t", reasoning="r"
    )
    with db.command(system("executor"), "action.execute") as command:
        row = recommendations.get(command.session, row.id)
        row.kind, row.state = "scale", "succeeded"
        command.session.add(
            ActionRow(
                id="a1", model="spam", recommendation_id=row.id, kind="scale", arguments={},
                state="succeeded", before={}, after={}, inverse={}, idempotency_key="a1",
                origin="approval", at=command.now, finished_at=command.now,
            )
        )  # fmt: skip
    return row.id


def test_a_model_that_was_archived_is_no_longer_measured(db, settings, clock, apo, model):
    traffic(model, 60)
    candidate(model)
    key = done(db, settings, apo, version="2.0.0")
    with db.command(system("worker"), "version.register") as command:
        command.session.delete(command.session.get_one(ModelVersion, ("spam", "2.0.0")))
    assert graded(db, settings, key) is None
    clock.forward(days=14)
    assert graded(db, settings, key).grade == "neutral"
    assert outcomes.grade_due(db, settings) == 0
