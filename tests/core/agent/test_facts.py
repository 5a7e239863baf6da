from datetime import timedelta

import pytest
from sqlalchemy import event

from core import releases
from core.access import system
from core.agent.fact_names import LABELS
from core.agent.facts import Fact, FactBook, gather, safe_words
from core.recommendations import Basis, propose
from core.releases import Arm
from core.tables.entities import ModelVersion, Run
from core.tables.telemetry import HourlyCount, Label, MonitorReport, Prediction


def known(db, clock):
    with db.read() as session:
        return gather(session, "spam", now=clock())


def report(db, clock, state="fail", kind="drift", version="1.0.0", score=0.3, **figures):
    with db.append() as session:
        row = MonitorReport(
            id=f"m{clock().timestamp()}",
            model="spam",
            version=version,
            kind=kind,
            state=state,
            window_start=clock() - timedelta(hours=1),
            window_end=clock(),
            window_last_id=str(clock().timestamp()),
            follows=str(clock().timestamp()),
            n_current=200,
            n_reference=3000,
            p_value=0.001,
            score=score,
            method="permutation",
            sentence="",
            figures=figures,
            assumptions="",
            at=clock(),
        )
        session.add(row)
    clock.forward(minutes=15)


def predictions(db, clock, right, wrong, version="1.0.0", shadow=False, tag="p"):
    with db.append() as session:
        for index in range(right + wrong):
            row_id = f"{tag}{version}{index}"
            truth = "spam" if index < right else "ham"
            session.add(
                Prediction(
                    at=clock(),
                    id=row_id,
                    model="spam",
                    version=version,
                    variant="shadow" if shadow else "control",
                    release_seq=1,
                    is_shadow=shadow,
                    hour=int(clock().timestamp() // 3600),
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
        variant = "shadow" if shadow else "control"
        count(session, clock, version=version, variant=variant, requests=right + wrong)


def count(session, clock, *, version="1.0.0", variant="control", requests, errors=0, buckets=None):
    key = ("spam", version, variant, int(clock().timestamp() // 3600))
    before = session.get(HourlyCount, key)
    row = HourlyCount(
        model="spam",
        version=version,
        variant=variant,
        hour=key[-1],
        requests=requests + (before.requests if before else 0),
        errors=errors,
        positives=0,
        latency_ms_sum=0,
        latency_buckets=buckets or {},
    )
    session.merge(row)


def test_nothing_is_known_about_a_model_without_a_release_but_its_trainings(db, clock):
    assert all(fact.id.startswith("retrain.") for fact in known(db, clock))


def test_the_newest_conclusive_drift_report_of_what_serves_is_the_fact(db, clock, release):
    release("spam", "1.0.0")
    report(db, clock, score=0.2)
    report(db, clock, state="inconclusive", score=None)
    report(db, clock, version="0.9.0", score=0.9)
    book = known(db, clock)
    assert (book.get("drift.score"), book.get("drift.alarm")) == (0.2, True)
    assert book.fact("drift.score").source.startswith("/drift?model=spam&report=")


def test_alarms_in_a_row_are_counted_over_inconclusive_windows_to_the_last_pass(db, clock, release):
    release("spam", "1.0.0")
    for state in ("fail", "pass", "warn", "inconclusive", "fail"):
        report(db, clock, state=state)
    assert known(db, clock).get("drift.windows_in_a_row") == 2


def test_new_words_are_facts_that_may_be_shown_but_not_cited(db, clock, release):
    release("spam", "1.0.0")
    terms = [{"term": f"bit\u202ecoin{'!' * 50}", "share_current": 0.2}] * 30
    report(db, clock, vocabulary_drift=0.3, tfidf_drift=0.2, new_terms=terms)
    fact = known(db, clock).fact("text.new_terms")
    assert not fact.citable
    assert len(fact.value) == 20
    assert fact.value[0] == {"term": "bitcoin!!!!!!!!!!!!!!!!!", "share": 0.2}


def test_campaigns_are_facts_with_a_short_example_and_not_citable(db, clock, release):
    release("spam", "1.0.0")
    one = {"size": 40, "share": 0.2, "example": "win\u202e " * 50, "terms": ["win"], "p_value": 0}
    report(db, clock, vocabulary_drift=0, tfidf_drift=0, campaigns=[one])
    fact = known(db, clock).fact("text.campaigns")
    assert not fact.citable
    assert fact.value == [{"share": 0.2, "size": 40, "example": "win " * 15}]


def test_a_change_of_unit_is_a_fact_in_words(db, clock, release):
    release("spam", "1.0.0")
    unit = {"column": "age", "factor": 12.0, "words": "years to months", "share": 1.0}
    report(db, clock, kind="quality", unit_change=unit)
    assert known(db, clock).get("data_quality.unit_change") == "age: years to months, by 12"


@pytest.mark.parametrize(
    ("missing", "before", "lost"),
    [(0.7, 0.0, ["age"]), (0.5, 0.2, ["age"]), (0.4, 0.0, None), (0.7, 0.6, None)],
)
def test_a_column_mostly_missing_beyond_the_reference_is_named(
    db, clock, release, missing, before, lost
):
    release("spam", "1.0.0")
    column = {"name": "age", "missing": missing, "missing_reference": before}
    report(db, clock, kind="quality", state="warn", columns=[column, {"name": "note"}])
    assert known(db, clock).get("data_quality.mostly_missing") == lost


@pytest.mark.parametrize("words", ["\x00a\u200bb\u202ec", "ａｂｃ"])
def test_a_strangers_words_are_made_visible_and_plain(words):
    assert safe_words(words) == "abc"


def test_accuracy_is_counted_on_labels_with_its_interval(db, clock, release):
    release("spam", "1.0.0")
    measure(db, accuracy=0.97, n_test=1000)
    predictions(db, clock, right=170, wrong=30)
    book = known(db, clock)
    current = book.fact("accuracy.current")
    assert (current.value, current.n) == (0.85, 200)
    assert current.interval[0] < 0.85 < current.interval[1]
    assert book.get("accuracy.drop") == pytest.approx(0.12)


def test_old_good_days_do_not_hide_a_bad_window(db, clock, release):
    release("spam", "1.0.0")
    predictions(db, clock, right=300, wrong=0, tag="old")
    clock.forward(hours=5)
    predictions(db, clock, right=100, wrong=100, tag="new")
    report(db, clock, kind="performance")
    assert known(db, clock).get("accuracy.current") == 0.5


def measure(db, **metrics):
    with db.command(system("worker"), "version.register") as command:
        command.session.get(ModelVersion, ("spam", "1.0.0")).metrics = metrics


def test_what_a_rollback_would_serve_is_named(db, clock, release):
    release("spam", "1.0.0")
    assert known(db, clock).get("deployment.previous_available") is False
    clock.forward(hours=3)
    release("spam", "2.0.0")
    book = known(db, clock)
    assert (book.get("deployment.current"), book.get("deployment.previous")) == ("2.0.0", "1.0.0")
    assert book.get("deployment.hours_since_deploy") == 0


def test_versions_are_compared_on_one_period_where_the_earlier_ran_in_shadow(db, clock, release):
    release("spam", "1.0.0")
    release("spam", "2.0.0")
    beside(db, Arm("2.0.0", "control", 1000), Arm("1.0.0", "shadow", 0), mode="shadow")
    predictions(db, clock, right=80, wrong=20, version="2.0.0")
    predictions(db, clock, right=98, wrong=2, version="1.0.0", shadow=True)
    book = known(db, clock)
    assert book.get("deployment.same_period") is True
    assert book.get("deployment.difference") == pytest.approx(-0.18)
    assert book.fact("deployment.difference").interval[1] < 0


def beside(db, *arms, **how):
    """Serve several versions at once, as the next release."""
    with db.command(system("executor"), "release.promote") as command:
        now = releases.current(command.session, "spam")
        how = {"mode": "canary", "reason": "test", "replaces": now.seq} | how
        return releases.append(command, "spam", list(arms), **how)


def test_rollbacks_of_the_last_hours_are_counted(db, ana, clock, release):
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        release("spam", version)
    releases.roll_back(db, ana, "spam", reason="x")
    assert known(db, clock).get("deployment.rollbacks_last_6h") == 1
    clock.forward(hours=7)
    assert known(db, clock).get("deployment.rollbacks_last_6h") == 0


def counted(db, clock):
    with db.append() as session:
        buckets = {"10": 90, "250": 8, "inf": 2}
        count(session, clock, requests=100, errors=3, buckets=buckets)


def test_errors_and_latency_come_from_the_counters_of_the_last_hours(db, clock, release):
    release("spam", "1.0.0")
    counted(db, clock)
    book = known(db, clock)
    assert book.get("service.error_rate") == 0.03
    assert book.get("service.latency_p95_ms") == 231.25  # within its bucket


@pytest.mark.parametrize(
    ("age", "judged", "seen"),
    [(0, True, (150, 0.5, 900.0)), (2, True, (100, 0.03, 231.25)), (0, False, (100, 0.03, 231.25))],
    ids=["fresh", "old", "not judged"],
)
def test_a_fresh_report_on_the_service_counts_more_than_the_counters(
    db, clock, release, age, judged, seen
):
    release("spam", "1.0.0")
    now = {"version": "1.0.0", "requests": 150, "error_rate": 0.5, "error_interval": [0.4, 0.6]}
    now |= {"latency_p95": {"value": 900.0, "low": 500.0, "high": 1000.0}, "judged": judged}
    report(db, clock, kind="service", versions=[{**now, "version": "2.0.0"}, now])
    clock.forward(hours=age)
    counted(db, clock)
    book = known(db, clock)
    names = ("n_requests", "error_rate", "latency_p95_ms")
    assert tuple(book.get(f"service.{name}") for name in names) == seen


def test_a_report_on_the_service_of_before_a_rollback_is_no_fact(db, clock, release, ana):
    release("spam", "1.0.0")
    now = {"version": "1.0.0", "requests": 150, "error_rate": 0.5, "error_interval": [0.4, 0.6]}
    report(db, clock, kind="service", versions=[{**now, "judged": True}])
    assert known(db, clock).get("service.error_rate") == 0.5
    release("spam", "2.0.0")
    clock.forward(minutes=5)
    releases.roll_back(db, ana, "spam", reason="x")
    assert known(db, clock).get("service.error_rate") is None


def test_trainings_tell_when_the_last_ended_and_whether_one_runs(db, clock, release):
    release("spam", "1.0.0")
    run(db, clock, "r1", "finished")
    clock.forward(hours=2)
    run(db, clock, "r2", "queued")
    book = known(db, clock)
    assert book.get("retrain.hours_since_last") == 2
    assert book.get("retrain.retrains_last_24h") == 2
    assert book.get("retrain.in_progress") is True


def run(db, clock, run_id, state):
    with db.command(system("executor"), "action.execute") as command:
        row = Run(
            id=run_id,
            model="spam",
            kind="retrain",
            state=state,
            job_id="j",
            spec_version=1,
            candidates=[],
            parameters={},
            metrics={},
            leaderboard=[],
            trigger="recommendation",
            reason="",
            author="ana",
            at=clock(),
            finished_at=clock() if state == "finished" else None,
        )
        command.session.add(row)


def test_a_younger_candidate_is_a_fact_with_what_the_gate_said(db, clock, release):
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)
    with db.command(system("worker"), "version.register") as command:
        row = command.session.get(ModelVersion, ("spam", "2.0.0"))
        row.gate = {"answer": "promote", "difference": {"value": 0.02}, "n": 500}
    book = known(db, clock)
    assert (book.get("candidate.version"), book.get("candidate.gate")) == ("2.0.0", "promote")
    assert book.get("candidate.proposed_before") is False


def test_what_waits_is_a_fact_until_what_serves_changes(db, clock, release):
    release("spam", "1.0.0")
    propose(
        db,
        system("agent"),
        model="spam",
        kind="retrain",
        arguments={},
        title="t",
        reasoning="r",
        basis=Basis(severity="high"),
    )
    assert [w["kind"] for w in known(db, clock).get("pending_approval")] == ["retrain"]
    release("spam", "2.0.0")
    assert known(db, clock).get("pending_approval") is None


def test_a_book_read_back_is_the_same_book(db, clock, release):
    release("spam", "1.0.0")
    report(db, clock)
    predictions(db, clock, right=60, wrong=3)
    book = known(db, clock)
    again = FactBook.from_plain("spam", book.plain())
    assert again.digest() == book.digest()
    assert again.fact("accuracy.current") == book.fact("accuracy.current")


def test_more_traffic_makes_no_look_longer(db, clock, release):
    release("spam", "1.0.0")
    asked = []
    event.listen(db.engine, "before_cursor_execute", lambda *_: asked.append(1))
    costs = []
    for right in (60, 900):
        predictions(db, clock, right=right, wrong=5, tag=str(right))
        asked.clear()
        known(db, clock)
        costs.append(len(asked))
    assert costs[0] == costs[1]


def test_the_scores_and_the_standing_of_the_alarm_are_known(db, clock, release):
    release("spam", "1.0.0")
    for score in (0.0, 0.2, 0.31):
        report(db, clock, score=score, watch={"alarm": score > 0.3})
    book = known(db, clock)
    assert book.get("drift.history") == [0.0, 0.2, 0.31]
    assert book.get("drift.standing") is True


def test_a_book_without_some_facts_keeps_the_others():
    whole = FactBook("spam", [Fact("a", 1, "", ""), Fact("b", 2, "", "")], 7)
    left = whole.without("a", "c")
    assert ([fact.id for fact in left], left.release_seq) == (["b"], 7)


def test_every_fact_of_a_full_book_has_a_name_in_words(db, clock, release):
    release("spam", "1.0.0")
    report(db, clock)
    predictions(db, clock, right=60, wrong=3)
    assert [fact.id for fact in known(db, clock) if fact.id not in LABELS] == []
