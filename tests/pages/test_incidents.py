from datetime import timedelta

import pytest

from app.incidents import REPORTS
from core import incidents, outbox, specs
from core.ids import new_id
from core.incidents import outside, silences
from core.monitoring import signals
from core.specs.alerts import RULES
from core.tables.telemetry import MonitorReport
from tests.pages.looking import button, field, text_of


def test_an_open_incident_shows_severity_owner_and_timeline(open_page, incident, ana):
    shown = text_of(open_page("incidents", ana))

    assert "1 open, 1 of them not taken by anybody." in shown
    assert "The data has drifted: SMS spam 2.0.0" in shown
    assert "**worker** opened: drift" in shown


def test_acknowledging_makes_the_person_the_owner(open_page, panel, incident, ana):
    page = open_page("incidents", ana)
    button(page, "Acknowledge").click().run()

    assert "taken by ana" in text_of(page)
    with panel.db.read() as db:
        assert incidents.get(db, incident.id).state == "acknowledged"


def test_resolving_needs_a_reason(open_page, panel, incident, ana):
    page = open_page("incidents", ana)
    button(page, "Resolve").click().run()
    assert "Say why" in page.error[0].value

    field(page, "Why is it over?").input("the campaign is over")
    button(page, "Resolve").click().run()

    assert "No incident is open." in text_of(page)


def test_a_viewer_has_no_buttons_to_act(open_page, incident, dead_message, vic):
    page = open_page("incidents", vic)
    assert not [b for b in page.button if b.label in ("Acknowledge", "Resolve", "Send again")]


def test_one_incident_has_an_address(open_page, incident, ana):
    page = open_page("incidents", ana, id=incident.id)
    assert "The data has drifted: SMS spam 2.0.0" in text_of(page)
    assert "Resolved" not in [one.value for one in page.subheader]


def test_an_unknown_incident_is_a_friendly_page(open_page, served, ana):
    page = open_page("incidents", ana, id="nope")
    assert page.title[0].value == "Not found"


def test_a_dead_message_can_be_sent_again(open_page, panel, served, dead_message, ana):
    page = open_page("incidents", ana)
    assert "1 message could not be sent." in text_of(page)
    assert "the address does not answer" in text_of(page)

    button(page, "Send again").click().run()

    with panel.db.read() as db:
        assert outbox.recent(db)[0].state == "pending"


def test_without_incidents_it_says_so(open_page, served, ana):
    shown = text_of(open_page("incidents", ana))
    assert "No incident is open." in shown
    assert "Nothing is wrong that we know of." in shown


def report(panel, served, rule, state="firing", *, severity="high", n=500, kind=None):
    """A report of the model that says something about a rule, stored and considered."""
    kind, now = kind or RULES[rule].kind, panel.clock()
    told = signals.Signal(rule, state, severity, 0.61, 0.5, f"{rule} is {state}", n)
    row = MonitorReport(
        id=new_id(now), model=served, version="2.0.0", kind=kind, state="fail", p_value=None,
        window_start=now, window_end=now, window_last_id=new_id(now), follows=new_id(now),
        n_current=n, n_reference=0, score=None, method="", sentence=f"{rule} {state}",
        figures=signals.figures(told), assumptions="", at=now, origin="live",
    )  # fmt: skip
    with panel.db.append() as db:
        db.add(row)
    with panel.db.read() as db:
        spec = specs.active(db, served)
    incidents.consider(panel.db, panel.settings, spec, row)
    return row


def test_an_alert_shows_its_value_against_its_threshold_and_leads_to_its_report(
    open_page, panel, served, ana
):
    row = report(panel, served, "error_rate")
    page = open_page("incidents", ana)
    assert "0.61 against 0.5, n = 500, since just now" in text_of(page)
    assert any(f"report={row.id}" in str(link.proto) for link in page.get("page_link"))


def test_an_alert_that_has_no_size_shows_none(open_page, panel, served, ana):
    report(panel, served, "drift")
    page = open_page("incidents", ana)
    assert "n = 500, since just now" in text_of(page)
    assert " against " not in text_of(page)
    drift = page.dataframe[0].value.set_index("rule").loc["The data has drifted"]
    assert (drift["value"], drift["threshold"]) == ("yes", "-")


def test_an_alert_that_is_not_confirmed_shows_as_what_may_come(open_page, panel, served, ana):
    report(panel, served, "estimated_accuracy")
    shown = text_of(open_page("incidents", ana))
    assert "No incident is open. 1 alert may become one." in shown
    assert "estimated_accuracy is firing" in shown


def test_a_silence_is_made_after_its_preview_and_ended_with_a_reason(open_page, panel, served, ana):
    report(panel, served, "drift")
    page = open_page("incidents", ana)
    button(page, "Silence …").click().run()
    assert "High alerts" not in text_of(page)
    assert "this covers 1 alert now" in text_of(page)
    with panel.db.read() as db:
        assert silences.all(db) == []

    field(page, "Why? (kept on record)").input("known campaign").run()
    button(page, "Silence now").click().run()
    assert "1 silence is active." in text_of(page)
    assert "ana: known campaign" in text_of(page)

    field(page, "Why?").input("done")
    button(page, "End the silence").click().run()
    with panel.db.read() as db:
        assert silences.state(silences.all(db)[0], panel.clock()) == "expired"


def test_a_silence_of_a_critical_incident_names_that_severity_by_itself(
    open_page, panel, served, ana
):
    report(panel, served, "accuracy_floor", severity="critical")
    page = open_page("incidents", ana)
    button(page, "Silence …").click().run()
    assert "Critical alerts of cause accuracy of sms_spam: this covers 1 alert" in text_of(page)


def test_a_critical_incident_of_no_model_can_be_silenced(open_page, panel, served, ana):
    alert = outside.read({"alertname": "Disk", "severity": "critical"}, {}, mark="m", firing=True)
    outside.receive(panel.db, panel.settings, ana, [alert])
    page = open_page("incidents", ana)
    button(page, "Silence …").click().run()
    words = "Critical alerts of cause outside_disk that name no model: this covers 1 alert now"
    assert words in text_of(page)


def test_the_rules_say_why_nothing_fired(open_page, panel, served, ana):
    report(panel, served, "drift", "ok")
    report(panel, served, "latency", n=20)
    shown = text_of(open_page("incidents", ana))
    assert "The data has drifted: drift is ok" in shown
    assert "Answers are slow: 20 are too few to judge by; 100 are asked for." in shown
    assert "Accuracy is under its floor: No check has told of this yet." in shown


def test_a_viewer_sees_silences_and_rules_but_makes_none(open_page, panel, served, vic):
    page = open_page("incidents", vic)
    assert "None: every alert is told." in text_of(page)
    assert not [one for one in page.button if one.label.startswith("Silence")]


def test_a_backfill_does_not_hide_what_was_found_live(open_page, panel, served, put_report, ana):
    report(panel, served, "drift", "ok")
    for minutes in range(25):
        put_report("drift", ago=timedelta(minutes=-minutes - 1), origin="backfill")
    assert "The data has drifted: drift is ok" in text_of(open_page("incidents", ana))


@pytest.mark.parametrize("rule", ["data_quality", "accuracy_drop", "error_rate"])
def test_each_alert_leads_to_the_page_where_its_report_is_read(open_page, panel, served, rule, ana):
    row = report(panel, served, rule, severity="critical")
    for _ in range(3):  # as many in a row as any rule asks for
        row = report(panel, served, rule, severity="critical")
    page = open_page("incidents", ana)
    link = next(one for one in page.get("page_link") if f"report={row.id}" in str(one.proto))
    there = open_page(link.proto.page, ana, model=served, report=row.id)
    assert row.sentence in there.markdown[0].value.replace("\\", "")


def test_the_reports_of_every_rule_have_a_page_to_be_read_on():
    assert {rule.kind for rule in RULES.values()} == set(REPORTS)


def test_an_alarm_of_all_models_leads_nowhere_wrong_and_is_told_in_the_inbox(
    open_page, panel, served, ana
):
    from core.access import Actor, Kind, Role

    labels = {"alertname": "![x](http://a.b)", "severity": "critical"}
    key = Actor("key:am", Role.OPERATOR, Kind.KEY)
    told = outside.read(labels, {"summary": "disk full"}, mark="m", firing=True)
    outside.receive(panel.db, panel.settings, key, [told])
    page = open_page("incidents", ana)
    assert not page.exception
    shown = text_of(page)
    assert "disk full" in shown
    assert "1 against 0" not in shown
    assert "1 incident of all models" in text_of(open_page("inbox", ana))
