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
