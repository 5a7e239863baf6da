from datetime import timedelta

from app import drift_charts
from core import jobs, releases, specs
from core.access import system
from core.jobs import Claim
from core.tables.entities import Alert
from tests.pages.conftest import ROOT
from tests.pages.looking import button, text_of


def newest(panel, prefix):
    with panel.db.read() as db:
        return jobs.newest(db, prefix)


def test_the_finding_comes_first_with_words_and_the_false_alarm_statement(open_page, drifted, ana):
    page = open_page("drift", ana, model="sms_spam")
    shown = text_of(page)

    assert "The texts have changed: crypto is new." in page.markdown[0].value.replace("\\", "")
    assert "At most **0.1 false alarms a month** are allowed, over all checks" in shown
    assert "crypto" in shown
    assert "30.00%" in shown


def test_the_window_is_described(open_page, drifted, ana):
    page = open_page("drift", ana, model="sms_spam")
    facts = page.table[0].value.to_string()
    assert "3,000" in facts.replace("\\", "")
    assert "permutation" in facts


def test_the_full_report_is_asked_for_once(open_page, panel, drifted, ana):
    page = open_page("drift", ana, model="sms_spam")

    button(page, "Render").click().run()

    job = newest(panel, "evidently:")
    assert (job.kind, job.payload) == ("evidently_report", {"report_id": drifted.id})
    assert "about half a minute" in page.info[0].value
    assert not [one for one in page.button if one.label.startswith("Render")]


def test_a_finished_report_can_be_downloaded(open_page, panel, drifted, ana):
    open_page("drift", ana, model="sms_spam").button(key="evidently").click().run()
    job = newest(panel, "evidently:")
    with panel.db.keep() as db:
        db.get(type(job), job.id).state = "succeeded"
    folder = panel.settings.folder("reports")
    (folder / f"drift-{drifted.id}.html").write_text("<html></html>")

    page = open_page("drift", ana, model="sms_spam")

    assert [one.label for one in page.get("download_button")] == ["Download as HTML"]


def test_a_report_that_failed_can_be_asked_for_again(open_page, panel, drifted, ana, clock):
    open_page("drift", ana, model="sms_spam").button(key="evidently").click().run()
    asked = newest(panel, "evidently:").id
    claim = jobs.claim(panel.db, "w", lease=clock.now - clock.now, only=asked)
    jobs.finish(panel.db, Claim(claim.job_id, claim.kind, {}, claim.fence), "failed", error="full")

    clock.forward(seconds=1)
    page = open_page("drift", ana, model="sms_spam")
    assert "It could not be rendered: full" in page.error[0].value.replace("\\", "")
    button(page, "Render").click().run()

    assert newest(panel, "evidently:").state == "queued"


def test_a_viewer_cannot_ask_for_checks_or_reports(open_page, drifted, vic):
    page = open_page("drift", vic, model="sms_spam")
    assert not [one for one in page.button if one.label.startswith(("Render", "Check"))]


def test_a_check_can_be_asked_for_now(open_page, panel, served, ana):
    page = open_page("drift", ana, model=served)
    assert "SMS spam: 2.0.0 serves since just now" in text_of(page)

    button(page, "Check now").click().run()

    assert newest(panel, "monitor-asked:").payload == {"model": served}


def test_an_earlier_window_has_an_address(open_page, drifted, put_report, clock, ana):
    clock.forward(minutes=15)
    put_report("drift", score=0.0, p_value=0.5)
    shown = text_of(open_page("drift", ana, model="sms_spam", report=drifted.id))
    assert "You look at an earlier window." in shown
    assert "This window is over: what to do follows from the newest one." in shown


def test_the_newest_window_is_no_earlier_one_by_its_address(open_page, drifted, ana):
    shown = text_of(open_page("drift", ana, model="sms_spam", report=drifted.id))
    assert "earlier window" not in shown
    assert "one opens by itself if it lasts" in shown


def test_another_models_window_is_not_found(open_page, panel, drifted, put_report, ana):
    other = put_report("drift", model="heart_disease")
    page = open_page("drift", ana, model="sms_spam", report=other.id)
    assert "Not found" in [one.value for one in page.title]
    estimate = put_report("estimate", ago=timedelta(minutes=1))
    page = open_page("drift", ana, model="sms_spam", report=estimate.id)
    assert "Not found" in [one.value for one in page.title]


def test_choosing_another_model_leaves_the_window_behind(open_page, panel, drifted, ana):
    specs.apply(panel.db, system("bootstrap"), (ROOT / "specs/heart_disease.yaml").read_text())
    page = open_page("drift", ana, model="sms_spam", report=drifted.id, column="x")
    page.selectbox(key="model-sms_spam").select("heart_disease").run()
    assert not page.exception
    assert page.title[0].value == "Drift"
    assert dict(page.query_params) == {"model": "heart_disease"}
    assert "crypto" not in text_of(page)


def test_a_quality_report_is_read_beside_its_window(open_page, drifted, put_report, ana):
    old = put_report("quality", ago=timedelta(minutes=2), sentence="age was ten times as large.")
    put_report("quality", ago=timedelta(minutes=1), sentence="age is what it should be.")
    page = open_page("drift", ana, model="sms_spam", report=old.id)
    assert "age was ten times as large." in page.markdown[0].value.replace("\\", "")


def test_the_inputs_told_are_those_of_the_window(open_page, drifted, put_report, clock, ana):
    put_report("quality", sentence="Then the inputs were broken.")
    clock.forward(hours=5)
    put_report("quality", sentence="Now the inputs are fine.")
    put_report("drift", score=0.0, p_value=0.5)
    shown = text_of(open_page("drift", ana, model="sms_spam", report=drifted.id))
    assert "Then the inputs were broken." in shown
    assert "Now the inputs are fine." not in shown


def roll_back(panel, clock, worker):
    clock.forward(minutes=15)
    with panel.db.command(worker, "release.promote") as command:
        releases.promote(command, "sms_spam", "1.0.0", replaces=2, reason="roll back")


def test_after_a_rollback_the_finding_on_the_version_before_is_over(
    open_page, panel, drifted, clock, worker, ana
):
    roll_back(panel, clock, worker)
    page = open_page("drift", ana, model="sms_spam")
    assert "1.0.0 serves since just now" in page.markdown[0].value.replace("\\", "")
    shown = text_of(page)
    assert "Below is the last window before that, of version 2.0.0." in shown
    assert "one opens by itself" not in shown


def test_a_backfill_is_never_the_finding(open_page, put_report, clock, ana):
    clock.forward(hours=2)
    put_report("drift", ago=timedelta(hours=1), score=0.0, p_value=0.5, sentence="It is as it was.")
    put_report("drift", state="fail", origin="backfill", score=0.4, p_value=0.01, sentence="Old.")
    page = open_page("drift", ana, model="sms_spam")
    assert "It is as it was" in page.markdown[0].value
    assert "one opens by itself" not in text_of(page)


def test_an_unknown_window_is_a_friendly_page(open_page, drifted, ana):
    page = open_page("drift", ana, model="sms_spam", report="nope")
    assert "Not found" in [one.value for one in page.title]


WATCH = {
    "alarm": False,
    "used": 0.4,
    "families": {"location": 0.4, "covariance": 0.05},
    "checks": 7,
    "leading": "location ('age', upwards)",
    "sentence": "No lasting change.",
    "delay": "A small shift takes about 9 checks.",
}
COLUMN = {
    **{"drifted": False, "change": "none", "detail": "", "distance": 0.0, "psi": 0.01},
    **{"jensen_shannon": 0.1, "wasserstein": None, "p_value": 0.6},
}
AGE = COLUMN | {
    **{"name": "age", "drifted": True, "change": "location", "detail": "mean 54 to 61"},
    **{"distance": 0.34, "p_value": 0.00001},
}


def columns(*changed, **more):
    return {"columns": [*changed, COLUMN | {"name": "sex"}], "threshold": 0.15, **more}


def test_the_budget_says_what_is_allowed_and_how_much_evidence_is_used(open_page, put_report, ana):
    put_report("drift", figures=columns(watch=WATCH), score=0.0)
    shown = text_of(open_page("drift", ana, model="sms_spam"))
    assert "At most **0.1 false alarms a month**" in shown
    assert "Evidence used now: **40%** of what raises the alarm, most in location" in shown
    assert "gathered over 7 checks" in shown
    assert "A small shift takes about 9 checks." in shown


def test_an_open_incident_is_what_to_do_about_drift(open_page, drifted, incident, ana):
    shown = text_of(open_page("drift", ana, model="sms_spam"))
    assert "What to do: an incident is open." in shown


def test_a_column_is_chosen_by_its_address_and_told_with_its_effect_sizes(
    open_page, put_report, ana
):
    put_report("drift", state="fail", score=0.34, figures=columns(AGE))
    page = open_page("drift", ana, model="sms_spam", column="sex")
    assert page.selectbox(key="column").value == "sex"
    page.selectbox(key="column").select("age").run()
    assert "**age**: location: mean 54 to 61 (p value < 0.0001)" in text_of(page)
    assert [one.value for one in page.metric] == ["0.340", "0.010", "0.100", "-"]


def test_an_old_link_to_a_column_that_is_gone_opens_the_most_changed_one(
    open_page, put_report, ana
):
    put_report("drift", figures=columns(AGE), score=0.3)
    page = open_page("drift", ana, model="sms_spam", column="gone")
    assert page.selectbox(key="column").value == "age"


def test_campaigns_are_told_with_size_share_and_example(open_page, put_report, ana):
    told = {"size": 60, "share": 0.2, "example": "Claim your airdrop", "terms": ["airdrop"]}
    figures = {"new_terms": [], "vanished_terms": [], "campaigns": [told]}
    put_report("drift", state="fail", score=0.2, figures=figures)
    shown = text_of(open_page("drift", ana, model="sms_spam"))
    assert "Campaigns" in shown
    assert "Claim your airdrop" in shown
    assert "20.0%" in shown


def test_findings_on_the_inputs_stand_beside(open_page, drifted, put_report, ana):
    failed = {"kind": "unit_change", "column": "age", "severity": "soft", "n_failed": 300}
    failed["sentence"] = "age is ten times as large."
    put_report("quality", state="warn", figures={"failed": [failed]})
    shown = text_of(open_page("drift", ana, model="sms_spam"))
    assert "This is about quality." in shown
    assert "age is ten times as large." in shown
    assert "unit change" in shown


def test_a_window_judged_afterwards_says_so(open_page, drifted, put_report, ana):
    old = put_report("drift", ago=timedelta(days=2), origin="backfill", score=0.0, p_value=0.5)
    page = open_page("drift", ana, model="sms_spam", report=old.id)
    shown = text_of(page)
    assert "You look at an earlier window, judged afterwards from history." in shown
    assert "Hollow rings were judged afterwards" in shown


def test_reports_made_before_are_kept_with_size_and_date(
    open_page, panel, drifted, put_report, ana
):
    old = put_report("drift", ago=timedelta(days=1), score=0.0, p_value=0.5)
    (panel.settings.folder("reports") / f"drift-{old.id}.html").write_text("<html></html>")
    page = open_page("drift", ana, model="sms_spam")
    assert "Made before (1)" in [one.label for one in page.expander]
    assert any("0.0 MB" in one.value.replace("\\", "") for one in page.markdown)
    assert page.get("download_button")[0].label.startswith("Download the report until 2029-12-31")


def test_a_week_of_windows_is_thinned_to_the_gravest_of_each_stretch(
    open_page, panel, put_report, ana
):
    for hour in range(100):
        state = "fail" if hour == 60 else "pass"
        put_report("drift", ago=timedelta(hours=hour), state=state, score=0.4 if hour == 60 else 0)
    page = open_page("drift", ana, model="sms_spam", span="7 days")
    links = [str(one.proto) for one in page.get("page_link") if "report=" in str(one.proto)]
    assert 20 < len(links) <= 49
    assert sum(": fail" in one for one in links) == 1


def test_windows_that_end_in_one_second_have_columns_of_their_own(put_report):
    rows = [put_report("drift", figures=columns(AGE)) for _ in range(2)]
    figure = drift_charts.heat(rows, dark=False)
    assert len(set(figure.data[0].x)) == 2
    assert list(figure.layout.xaxis.ticktext) == ["01-01<br>12:00"] * 2


def test_one_window_alone_stands_amid_hours_not_milliseconds(put_report):
    layout = drift_charts.score([put_report("drift", score=0.3)], 0.15).layout
    low, high = layout.xaxis.range
    assert (high - low, layout.yaxis.rangemode) == (timedelta(hours=2), "tozero")


def test_the_past_is_judged_again_by_a_worker(open_page, panel, drifted, clock, ana):
    page = open_page("drift", ana, model="sms_spam")
    button(page, "Judge them again").click().run()
    job = newest(panel, "backfill:sms_spam:")
    assert job.payload["since"] == (clock.now - timedelta(days=7)).isoformat()
    assert not [one for one in page.button if one.label == "Judge them again"]
    assert page.get("progress")[0].proto.text == "waits for a worker"


def test_a_silenced_alert_is_nothing_to_do(open_page, panel, drifted, ana):
    about = {"model": drifted.model, "rule": "drift", "severity": "high", "report_id": drifted.id}
    with panel.db.command(system("worker"), "incident.open") as command:
        row = Alert(id="a", fingerprint="sms_spam:drift:drift", state="suppressed", **about)
        row.value, row.threshold, row.at = 1.0, 1.0, command.now
        command.session.add(row)
    shown = text_of(open_page("drift", ana, model="sms_spam"))
    assert "a silence holds the alert back" in shown
    assert "one opens by itself" not in shown
