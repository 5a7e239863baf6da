from datetime import timedelta

from core import jobs
from core.jobs import Claim
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
    assert "SMS spam was not checked yet." in text_of(page)

    button(page, "Check now").click().run()

    assert newest(panel, "monitor-now:").payload == {"model": served}


def test_an_earlier_window_has_an_address(open_page, drifted, ana):
    page = open_page("drift", ana, model="sms_spam", report=drifted.id)
    assert "You look at an earlier window." in text_of(page)


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


def test_a_watch_without_a_word_on_its_delay_gets_an_honest_one(open_page, put_report, ana):
    watch = WATCH | {"delay": ""}
    put_report("drift", figures=columns(watch=watch), score=0.0, n_reference=240, n_current=200)
    shown = text_of(open_page("drift", ana, model="sms_spam"))
    assert "is never announced with 240 reference rows and 200 in a window" in shown


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
