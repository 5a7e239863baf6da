import shutil
from datetime import timedelta

import numpy as np
import pytest

from core import actions, incidents, outbox, outcomes, predictions
from core.access import system
from core.experiments import lifecycle
from tests.core.agent.test_facts import report
from tests.fakes.answered import answer, told
from tests.fakes.counted import count
from tests.outcomes_kit import BETTER, Served, action_of, candidate, done, graded, promoted, traffic


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """What is read here is read alike from either database; test_flows has both."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def model(db, settings, clock):
    """1.0.0 serves and was right in 80 of 100 labelled answers; 2.0.0 is a candidate."""
    watched = Served(db, settings, clock)
    watched.release("1.0.0")
    traffic(watched, 100, wrong=20)
    candidate(watched)
    return watched


def test_a_promotion_is_bad_when_it_is_surely_right_less_often(db, settings, apo, model):
    key = promoted(model, apo)
    traffic(model, 60, wrong=40)
    assert graded(db, settings, key).grade == "bad"


def test_between_two_looks_nothing_is_decided(db, settings, apo, model):
    key = promoted(model, apo, expected=BETTER)
    traffic(model, 60, wrong=10)
    assert graded(db, settings, key) is None
    traffic(model, 139)  # better by now, but the next look is at 200
    assert graded(db, settings, key) is None
    traffic(model, 1)
    assert graded(db, settings, key).measured["n"] == 200


def test_while_labels_arrive_at_every_age_nothing_is_graded(db, settings, apo, clock):
    model = Served(db, settings, clock)
    model.release("1.0.0")
    some_labels(model, 400, over=2 * 86_400, latest=5 * 86_400)
    candidate(model)
    key = promoted(model, apo)
    some_labels(model, 400, over=600, latest=1_800)
    with db.read() as session:
        assert predictions.accuracy(session, "spam", version="2.0.0").n > 50
    assert graded(db, settings, key) is None


def some_labels(model, n, *, over, latest):
    """Answer `n` messages over some seconds; labels come at any time up to `latest` after each."""
    rows = answer(model, np.full(n, 0.1), apart=over / n)
    lags = np.random.default_rng(1).uniform(0, latest, n)
    here = [(row, lag) for row, lag in zip(rows, lags, strict=True)
            if row.at + timedelta(seconds=lag) <= model.clock.now]  # fmt: skip
    with model.db.append() as session:
        session.add_all(told(model, row, model.version == "2.0.0", lag) for row, lag in here)


def test_what_the_checks_know_of_late_labels_is_believed(db, settings, apo, model):
    key = promoted(model, apo, expected=BETTER)
    traffic(model, 60)
    checked(model, "2.0.0", settled=True, delay_hours=30.0)
    assert graded(db, settings, key) is None
    model.clock.forward(hours=29)
    checked(model, "2.0.0", settled=True, delay_hours=30.0)
    assert graded(db, settings, key) is None
    model.clock.forward(hours=1)
    checked(model, "2.0.0", settled=True, delay_hours=30.0)
    assert graded(db, settings, key).grade == "good"


def checked(model, version, **labels):
    """A check of performance that told how late labels come."""
    report(model.db, model.clock, kind="performance", version=version, labels=labels)


def test_after_two_weeks_without_labels_it_is_neutral_and_says_so(db, settings, apo, model):
    key = promoted(model, apo)
    traffic(model, 20)
    model.clock.forward(days=14)
    found = graded(db, settings, key)
    assert found.grade == "neutral"
    assert found.sentence.startswith("Not enough labels came: 20")


def test_a_difference_within_chance_is_neutral_at_the_end(db, settings, apo, model):
    key = promoted(model, apo, expected=BETTER)
    traffic(model, 100, wrong=15)
    model.clock.forward(days=14)
    found = graded(db, settings, key)
    assert (found.grade, "beyond chance" in found.sentence) == ("neutral", True)


def test_a_non_inferior_promotion_is_good_when_it_is_surely_not_worse(db, settings, apo, clock):
    model = Served(db, settings, clock)
    model.release("1.0.0")
    traffic(model, 800)
    candidate(model, rule="non_inferiority")
    key = promoted(model, apo, expected=BETTER)
    traffic(model, 800)
    found = graded(db, settings, key)
    assert (found.grade, "not worse by 1 points or more" in found.sentence) == ("good", True)


def test_where_both_answer_they_are_compared_in_the_same_period(db, settings, apo, model):
    key = promoted(model, apo)
    traffic(model, 60, wrong=30)
    traffic(model, 60, wrong=50, version="1.0.0")  # everything got harder, for both
    found = graded(db, settings, key)
    assert found is None or "in the same period" in found.sentence
    model.clock.forward(days=14)
    assert graded(db, settings, key).grade != "bad"


@pytest.mark.parametrize(("wrong", "grade"), [(0, "good"), (50, "bad")])
def test_a_share_is_graded_beside_those_who_met_the_other_version(
    db, settings, apo, model, wrong, grade
):
    key = done(db, settings, apo, "change_weights", version="2.0.0", share="0.3", expected=BETTER)
    for version, missed in (("1.0.0", 20), ("2.0.0", wrong)):
        traffic(model, 60, wrong=missed, version=version)
    found = graded(db, settings, key)
    assert (found.grade, "1.0.0 in the same period" in found.sentence) == (grade, True)


@pytest.mark.parametrize(("wrong", "grade"), [(0, "good"), (40, "bad")])
def test_a_threshold_is_graded_by_the_answers_before_and_after(
    db, settings, apo, model, wrong, grade
):
    key = done(db, settings, apo, "set_threshold", threshold="0.7", expected=BETTER)
    traffic(model, 60, wrong=wrong)
    found = graded(db, settings, key)
    assert (found.grade, "1.0.0 before" in found.sentence) == (grade, True)


def test_what_ran_along_in_shadow_is_compared_on_the_same_answers(db, settings, apo, ana, model):
    key = promoted(model, apo)
    row = lifecycle.draft(
        db, ana, model="spam", name="back", control="2.0.0", treatment="1.0.0", share=0.0,
        mode="shadow", hypothesis="it was better",
    )  # fmt: skip
    with db.command(system("executor"), "experiment.start") as command:
        lifecycle.start_in(command, row.id)
    beside(model, traffic(model, 60, wrong=30), said="ham")  # both were wrong alike
    assert graded(db, settings, key) is None
    beside(model, traffic(model, 140, wrong=130), said="spam")
    found = graded(db, settings, key)
    assert (found.grade, "1.0.0 in the same period" in found.sentence) == ("bad", True)


def beside(model, answered, *, said):
    with model.db.append() as session:
        for one in answered:
            row = model._row(one.input, "1.0.0", said)
            row.id, row.at = one.id, one.at + timedelta(microseconds=1)
            row.variant, row.is_shadow = "shadow", True
            session.add(row)


def test_a_rollback_because_of_errors_is_graded_by_errors(db, settings, apo, model):
    model.serve("2.0.0")
    counted(model, "2.0.0", 200, errors=40)
    facts = ["service.error_rate"]
    key = done(db, settings, apo, "rollback", to="1.0.0", facts=facts)
    model.version = "1.0.0"
    counted(model, "1.0.0", 200, errors=0)
    assert graded(db, settings, key) is None
    model.clock.forward(hours=2)
    found = graded(db, settings, key)
    assert (found.grade, "share of errors" in found.sentence) == ("good", True)


def counted(model, version, n, *, errors):
    from core.clock import hour_of
    from core.tables.telemetry import HourlyCount

    model.version = version
    rows = [model._row({"message": "x"}, version, "ham") for _ in range(n)]
    with model.db.append() as session:
        count(session, rows)
        session.flush()
        key = ("spam", version, "control", hour_of(model.clock()))
        session.get(HourlyCount, key).errors += errors


def test_the_first_release_has_nothing_to_be_compared_with(db, settings, apo, clock):
    model = Served(db, settings, clock)
    candidate(model, "1.0.0")
    key = done(db, settings, apo, version="1.0.0")
    found = graded(db, settings, key)
    assert (found.grade, "Nothing served before" in found.sentence) == ("neutral", True)


def test_an_incident_about_errors_after_a_release_is_a_bad_outcome(db, settings, apo, model):
    key = promoted(model, apo)
    model.clock.forward(hours=1)
    finding = incidents.Finding("error_rate", 0.3, 0.02, "r", "30 % failed")
    incidents.open(
        db, model="spam", version="2.0.0", cause="errors", severity="critical",
        title="Requests fail: spam 2.0.0", finding=finding,
    )  # fmt: skip
    found = graded(db, settings, key)
    assert found.grade == "bad"
    assert found.sentence == "An incident opened 1.0 h after it: Requests fail: spam 2.0.0."


def test_what_a_person_takes_back_is_a_bad_outcome_with_the_reason(db, settings, apo, ana, model):
    key = promoted(model, apo)
    model.clock.forward(hours=3)
    actions.undo(db, ana, action_of(db, key).id, reason="customers complain")
    found = graded(db, settings, key)
    assert found.grade == "bad"
    assert found.sentence == "Taken back by ana after 3.0 h: customers complain."


def test_taken_back_after_three_days_it_is_graded_by_its_labels(db, settings, apo, ana, model):
    key = promoted(model, apo)
    traffic(model, 60)
    model.clock.forward(hours=73)
    actions.undo(db, ana, action_of(db, key).id, reason="a new law")
    assert graded(db, settings, key).grade == "good"


def test_a_rollback_that_is_released_again_within_three_days_is_bad(db, settings, apo, model):
    model.serve("2.0.0")
    key = done(db, settings, apo, "rollback", to="1.0.0")
    model.clock.forward(hours=5)
    model.serve("2.0.0")
    found = graded(db, settings, key)
    assert (found.grade, "after 5.0 h" in found.sentence) == ("bad", True)


def test_a_bad_outcome_is_told_to_those_who_wait_for_messages(db, settings, apo, model):
    from pydantic import SecretStr

    told = settings.model_copy(update={"slack_webhook_url": SecretStr("http://127.0.0.1:9")})
    key = promoted(model, apo)
    traffic(model, 60, wrong=50)
    graded(db, told, key)
    with db.read() as session:
        assert outbox.recent(session)[0].subject == "Bad outcome: promote spam"


def test_a_failed_action_has_no_outcome(db, settings, apo, model, release):
    from core.errors import ConflictError

    with pytest.raises(ConflictError):
        done(db, settings, apo, "rollback", to="2.0.0")
    model.clock.now += timedelta(days=20)
    assert outcomes.grade_due(db, settings) == 0
