import threading
from datetime import timedelta

import pytest

from core import incidents, specs
from core.access import system
from core.specs.alerts import RULES

OPENED = "The data has drifted: Messages 1.0.0"


def test_a_confirmed_finding_opens_one_incident_and_one_message(told):
    considered = told.say("drift")

    assert [one.cause for one in considered.opened] == ["drift"]
    assert (considered.incident.severity, considered.incident.title) == ("high", OPENED)
    assert told.states() == ["firing"]
    assert told.messages() == [OPENED]


def test_an_alert_is_pending_until_as_many_reports_say_so_as_its_rule_asks_for(told):
    told.say("estimated_accuracy", times=2)
    assert (told.states(), told.incidents(), told.messages()) == (["pending"], [], [])
    assert told.alerts()[0].incident_id is None

    assert told.say("estimated_accuracy").opened
    assert (told.states(), told.alerts()[0].fired) == (["firing"], 3)


def test_a_good_report_in_between_begins_the_count_again(told):
    told.say("estimated_accuracy", times=2)
    told.say("estimated_accuracy", "ok")
    told.say("estimated_accuracy", times=2)
    assert told.states() == ["resolved", "pending"]
    assert told.alerts(state="resolved")[0].ended_because.endswith("before it was confirmed")


def test_a_critical_finding_fires_at_once(told):
    assert told.say("accuracy_drop", severity="critical").opened
    assert told.say("latency", severity="high").opened == ()


def test_what_is_unknown_neither_raises_nor_ends_nor_interrupts(told):
    told.say("estimated_accuracy", times=2)
    told.say("estimated_accuracy", "unknown", times=3)
    told.say("estimated_accuracy")
    told.say("estimated_accuracy", "unknown", times=5)
    assert (told.states(), len(told.incidents(open_only=True))) == (["firing"], 1)


def test_too_small_a_sample_counts_as_unknown(told):
    told.say("drift", n=99)
    assert told.states() == []
    told.say("drift", n=100)
    told.say("drift", "ok", n=99)
    assert told.states() == ["firing"]


def test_a_spec_can_switch_off_regrade_and_slow_down_a_rule(told):
    told.change("{drift: {enabled: false}, latency: {severity: low, windows: 2, min_samples: 10}}")
    told.say("drift")
    assert told.states() == []

    told.say("latency", severity="critical", n=20)
    assert told.states() == ["pending"]
    told.say("latency", severity="critical", n=20)
    assert told.incidents()[0].severity == "low"


def test_an_alert_whose_rule_is_switched_off_ends_with_that_reason(told):
    told.say("drift")
    told.change("{drift: {enabled: false}}")
    told.say("drift")
    assert "the rule was switched off in the model's spec" in told.lines()[-1]
    assert told.incidents()[0].state == "resolved"


def test_the_same_report_twice_counts_once(told):
    report = told.report("estimated_accuracy")
    for _ in range(4):
        told.consider(report)
    assert (told.states(), told.alerts()[0].fired) == (["pending"], 1)


def test_a_report_that_was_answered_by_a_person_does_not_open_again(told, ana):
    report = told.report("accuracy_floor", severity="critical")
    incident = told.consider(report).incident
    incidents.resolve(told.db, ana, incident.id, "a labelling error")
    assert told.consider(report).opened == ()


def test_a_report_of_the_past_changes_nothing(told):
    report = told.report("drift")
    report.origin = "backfill"
    assert told.consider(report).opened == ()


def test_alerts_of_one_cause_share_an_incident(told):
    told.say("accuracy_floor", severity="critical")
    told.say("accuracy_drop", severity="critical")
    assert [one.cause for one in told.incidents()] == ["accuracy"]
    assert sorted(alert.rule for alert in told.alerts(state="firing")) == [
        "accuracy_drop",
        "accuracy_floor",
    ]
    assert len(told.messages()) == 1


def test_what_goes_on_is_one_alert_and_one_line_an_hour(told):
    told.say("drift", times=12)
    assert (told.states(), told.alerts()[0].fired) == (["firing"], 12)
    assert len(told.lines()) == 2 + 2
    assert told.messages() == [OPENED]


def test_a_graver_finding_raises_the_incident_and_is_told_a_lesser_one_does_not_lower_it(told):
    told.say("drift", severity="medium")
    told.say("drift", severity="critical")
    told.say("drift", severity="low")
    assert told.incidents()[0].severity == "critical"
    assert told.messages() == [OPENED, f"Now critical: {OPENED}"]


def test_as_many_good_reports_as_it_took_end_the_alert_and_the_incident(told):
    told.say("estimated_accuracy", times=3)
    told.say("estimated_accuracy", "ok", times=2)
    assert told.states() == ["firing"]

    considered = told.say("estimated_accuracy", "ok")

    assert ([one.state for one in considered.resolved], considered.incident) == (["resolved"], None)
    assert told.lines()[-1] == (
        "resolved by itself. The cause is gone: 3 good reports in a row. It lasted 45 min."
    )
    assert told.messages()[-1].startswith("Over: ")


def test_an_incident_lasts_until_its_last_alert_ends(told):
    told.say("accuracy_floor", severity="critical")
    told.say("accuracy_drop", severity="critical")
    assert told.say("accuracy_floor", "ok").resolved == ()
    assert told.say("accuracy_drop", "ok", times=3).resolved


def test_a_rollback_ends_what_the_bad_version_raised_once_the_other_is_judged_good(told):
    told.say("accuracy_floor", severity="critical", version="2.0.0")
    told.say("accuracy_floor", "unknown", version="1.0.0", times=5)
    assert told.incidents()[0].state == "open"

    told.say("accuracy_floor", "ok", version="1.0.0")
    assert "2.0.0 no longer serves, and a good report on 1.0.0" in told.lines()[-1]


def test_a_new_version_that_fires_too_goes_on_with_the_same_incident(told):
    told.say("drift")
    told.say("drift", version="2.0.0")
    assert [one.version for one in told.incidents()] == ["2.0.0"]
    assert "2.0.0 serves now, and it goes on" in told.lines()


def test_pending_reports_on_another_version_do_not_add_up(told):
    told.say("estimated_accuracy", times=2)
    told.say("estimated_accuracy", version="2.0.0")
    assert (told.states(), told.alerts()[0].fired) == (["pending"], 1)


def test_what_comes_back_within_an_hour_is_the_same_incident(told):
    first = told.say("drift").incident
    told.say("drift", "ok")
    again = told.say("drift")

    assert [one.id for one in again.opened] == [first.id]
    assert told.incidents()[0].state == "open"
    assert told.messages() == [OPENED, f"Over: {OPENED}", f"Again: {OPENED}"]


def test_what_swings_to_and_fro_is_held_open_and_sends_no_more(told):
    told.say("drift")
    for _ in range(10):
        told.say("drift", "ok")
        told.say("drift")
    assert (len(told.incidents()), len(told.messages())) == (1, 3)

    told.say("drift", "ok", times=4)
    assert told.incidents()[0].state == "open"
    told.say("drift", "ok")
    assert told.incidents()[0].state == "resolved"


def test_after_an_hour_it_is_a_new_incident(told):
    told.say("drift")
    told.say("drift", "ok")
    told.say("drift", minutes=75)
    assert [one.state for one in told.incidents()] == ["open", "resolved"]


def test_what_a_person_resolved_comes_back_as_a_new_incident(told, ana):
    incident = told.say("drift").incident
    incidents.resolve(told.db, ana, incident.id, "known campaign")
    assert told.say("drift").opened[0].id != incident.id


def test_what_came_back_and_a_person_resolved_stays_resolved(told, ana):
    told.say("drift")
    told.say("drift", "ok")
    again = told.say("drift").incident
    incidents.resolve(told.db, ana, again.id, "known campaign")
    assert told.say("drift").opened[0].id != again.id


def test_broken_inputs_at_the_same_time_are_said_in_both_timelines(told):
    told.say("drift")
    told.say("data_quality", times=2)
    told.say("accuracy_floor", severity="critical")
    said = "inputs are broken at the same time"
    by_cause = {one.cause: [x["what"] for x in one.timeline] for one in told.incidents()}
    assert any(said in line for line in by_cause["drift"])
    assert any(said in line for line in by_cause["accuracy"])


def test_two_workers_with_the_same_report_open_one_incident_and_send_one_message(told):
    report, both = told.report("drift"), threading.Barrier(2)
    results, faults = [], []

    def one():
        both.wait()
        try:
            results.append(len(told.consider(report).opened))
        except Exception as fault:  # noqa: BLE001 (shown by the assertion)
            faults.append(fault)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(results), faults) == ([0, 1], [])
    assert (told.states(), told.alerts()[0].fired, len(told.messages())) == (["firing"], 1, 1)


def test_the_alerts_of_an_archived_model_end(told):
    told.say("drift")
    told.say("estimated_accuracy")
    with told.db.command(system("bootstrap"), "spec.apply") as command:
        specs.find_row(command.session, "spam").state = "archived"
    assert incidents.look(told.db, told.settings) == 3  # two alerts and their incident
    assert told.incidents()[0].state == "resolved"
    assert {alert.ended_because for alert in told.alerts()} == {"the model was archived"}


def test_nothing_changes_where_nothing_is_due(told):
    told.say("drift")
    assert incidents.look(told.db, told.settings) == 0


@pytest.mark.parametrize("rule", ["concept_drift", "error_rate"])
def test_every_critical_rule_opens_an_incident_of_its_cause(told, rule):
    told.say(rule, severity="critical")
    assert told.incidents()[0].cause == RULES[rule].cause


def test_what_came_back_is_not_over_while_it_stirs_again(told):
    for _ in range(2):
        told.say("estimated_accuracy", times=3)
        told.say("estimated_accuracy", "ok", times=3)
    told.say("estimated_accuracy", minutes=55)
    told.say("estimated_accuracy", "unknown", times=3)
    assert told.incidents()[0].state == "open"
    told.say("estimated_accuracy", "ok")
    assert [one.state for one in told.incidents()] == ["resolved"]


def test_what_came_back_is_over_after_an_hour_though_no_report_says_so(told):
    for _ in range(2):
        told.say("drift")
        told.say("drift", "ok", times=3)
    assert (incidents.look(told.db, told.settings), told.incidents()[0].state) == (0, "open")
    told.clock.now += timedelta(hours=1)
    assert (incidents.look(told.db, told.settings), told.incidents()[0].state) == (1, "resolved")
