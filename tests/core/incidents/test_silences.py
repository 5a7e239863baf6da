from datetime import timedelta

import pytest

from core import audit, incidents
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.incidents import outside, silences


def quiet(told, who, hours=2, **matchers):
    return silences.create(
        told.db,
        who,
        matchers=matchers or {"model": "spam"},
        hours=hours,
        comment="maintenance",
    )


def preview(told, **matchers):
    with told.db.read() as session:
        return silences.preview(session, matchers, told.clock())


def test_a_silenced_alert_is_noted_opens_nothing_and_sends_nothing(told, ana):
    quiet(told, ana)
    told.say("drift", times=3)
    assert (told.states(), told.incidents(), told.messages()) == (["suppressed"], [], [])


def test_it_fires_at_the_next_report_after_the_silence(told, ana):
    quiet(told, ana, hours=1)
    told.say("drift", times=3)
    assert told.say("drift", minutes=30).opened
    assert told.states() == ["firing"]


def test_it_fires_by_the_clock_too_when_the_silence_ends_early(told, ana):
    row = quiet(told, ana)
    told.say("drift")
    assert incidents.look(told.db, told.settings) == 0

    silences.end(told.db, ana, row.id, "done early")

    assert incidents.look(told.db, told.settings) == 1
    assert (told.states(), len(told.messages())) == (["firing"], 1)


def test_what_was_quiet_when_the_silence_ended_is_never_told(told, ana):
    quiet(told, ana, hours=1)
    told.say("estimated_accuracy", times=3)
    told.say("estimated_accuracy", "ok")
    told.clock.forward(hours=2)
    assert incidents.look(told.db, told.settings) == 0
    told.say("estimated_accuracy", "ok", times=2)
    assert (told.states(), told.incidents()) == (["resolved"], [])


def test_a_critical_alert_passes_unless_the_silence_names_it(told, ana):
    quiet(told, ana)
    assert told.say("accuracy_floor", severity="critical").opened

    quiet(told, ana, model="spam", severity="critical")
    assert told.say("concept_drift", severity="critical").opened == ()


def test_critical_alerts_that_name_no_model_can_be_silenced_and_those_of_models_still_fire(
    told, ana
):
    quiet(told, ana, model="*", severity="critical")
    alert = outside.read({"alertname": "Disk", "severity": "page"}, {}, mark="m", firing=True)
    assert outside.receive(told.db, told.settings, ana, [alert]).unchanged == 1
    assert (told.states(), told.messages()) == (["suppressed"], [])
    assert told.say("accuracy_floor", severity="critical").opened


def test_an_incident_that_is_open_already_goes_on_without_messages_and_says_so(told, ana):
    told.say("drift", severity="medium")
    quiet(told, ana)
    told.say("drift", severity="high", times=3)
    said = [line for line in told.lines() if "ana silenced this until" in line]
    assert (len(said), len(told.messages())) == (1, 1)
    told.say("drift", "ok")
    assert (told.incidents()[0].state, len(told.messages())) == ("resolved", 1)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"matchers": {}}, "must say what it covers"),
        ({"matchers": {"model": ""}}, "must say what it covers"),
        ({"matchers": {"colour": "red"}}, "cannot match by colour"),
        ({"matchers": {"rule": "nonsense"}}, "there is no rule nonsense"),
        ({"matchers": {"severity": "critical"}}, "name the model too"),
        ({"hours": 0}, "at most 30 days"),
        ({"hours": 721}, "at most 30 days"),
        ({"hours": float("nan")}, "at most 30 days"),
        ({"comment": " "}, "why this may be silent"),
    ],
)
def test_a_silence_that_says_too_little_or_too_much_is_refused(told, ana, wrong, word):
    given = {"matchers": {"model": "spam"}, "hours": 1, "comment": "x"} | wrong
    with pytest.raises(InvalidInputError, match=word):
        silences.create(told.db, ana, **given)


def test_a_silence_of_an_unknown_model_is_refused(told, ana):
    with pytest.raises(NotFoundError):
        quiet(told, ana, model="nobody")


def test_a_silence_can_begin_later_but_not_in_the_past(told, ana):
    later = told.clock() + timedelta(hours=3)
    given = {"matchers": {"model": "spam"}, "hours": 1, "comment": "x"}
    row = silences.create(told.db, ana, **given, starts_at=later)
    states = [silences.state(row, later + timedelta(hours=h)) for h in (-1, 0, 1)]
    assert states == ["pending", "active", "expired"]
    with pytest.raises(InvalidInputError, match="starts now"):
        silences.create(told.db, ana, **given, starts_at=told.clock() - timedelta(hours=1))


def test_ending_a_silence_needs_a_reason_and_happens_once(told, ana):
    row = quiet(told, ana)
    with pytest.raises(InvalidInputError, match="why"):
        silences.end(told.db, ana, row.id, " ")
    silences.end(told.db, ana, row.id, "done")
    with pytest.raises(ConflictError, match="over already"):
        silences.end(told.db, ana, row.id, "done")
    with told.db.read() as session:
        assert audit.tail(session, action="silence.end")[0].actor == "ana"


def test_a_viewer_silences_nothing(told, vic):
    with pytest.raises(ForbiddenError):
        quiet(told, vic)


def test_a_preview_names_what_lives_and_what_was_in_the_last_seven_days(told):
    told.say("latency")
    told.say("latency", "ok")
    told.say("drift")
    shown = preview(told, model="spam", severity="high")
    assert ([a.rule for a in shown.now], len(shown.before)) == (["drift"], 2)
    assert [one.cause for one in shown.incidents] == ["drift"]
    assert "covers 1 alert now, and would have covered 2 alerts" in shown.sentence

    told.clock.forward(days=8)
    assert len(preview(told, model="spam").before) == 0
    assert preview(told, rule="volume").now == ()


def test_a_preview_creates_nothing(told):
    preview(told, model="spam")
    with told.db.read() as session:
        assert silences.all(session) == []
