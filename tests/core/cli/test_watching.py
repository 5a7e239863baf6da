import json
import re
from datetime import timedelta

import pytest

from core.automation.drill import rows
from core.cli import bar, drill
from core.clock import utc_now
from core.datasets import generator
from core.panel import Panel
from core.tables.telemetry import MonitorReport
from tests.fakes.watched import Watched, be_quick


@pytest.fixture
def spam(db, settings, clock, monkeypatch):
    """A model with 300 answers of the last hours, the last 150 of them drifted."""
    be_quick(monkeypatch)
    clock.now = utc_now() - timedelta(hours=3)  # the command line reads the real clock
    watched = Watched(db, settings, clock)
    watched.release("1.0.0")
    for campaign in (None, "crypto"):
        watched.answer(150, campaign=campaign, share=0.6)
        clock.forward(hours=1)
    return watched


def test_checking_one_model_now_is_also_told_as_json(say, spam):
    code, out, _ = say("monitor", "spam", "--check-now", "--json")
    states = [one["state"] for one in json.loads(out) if one["kind"] == "drift"]
    assert code == 0
    assert set(states) & {"warn", "fail"}
    assert "spam: drift" in say("monitor", "--check-now", "--model", "spam")[1]


def test_what_is_proposed_and_what_follows_is_told_in_plain_words(say, spam):
    told = say("monitor", "spam", "--check-now")[1]
    assert re.search(r"^..:..:..  spam: decision: proposed, \w+ severity: [A-Z]", told, re.M), told
    assert "what follows: it waits for a person at http" in told
    assert "_" not in told.split("decision:")[1].splitlines()[0]


def test_the_campaigns_are_listed_by_help(say):
    told = " ".join(say("drift", "--help")[1].replace("│", " ").split())
    assert all(name in told for name in (*generator.CAMPAIGNS, "shift")), told


def test_the_past_is_judged_window_by_window_with_progress(say, spam):
    code, out, err = say("monitor", "spam", "--since", "1d", "--rows", "150")
    assert (code, "2 windows judged, 1 of them drifted" in out) == (0, True), out
    assert "100%" in err
    told = json.loads(say("monitor", "spam", "--since", "1d", "--rows", "150", "--json")[1])
    drifts = [one for one in told if one["kind"] == "drift"]
    assert [one["state"] == "pass" for one in drifts] == [True, False]


def test_a_past_that_cannot_be_judged_is_one_clear_line(say, spam):
    for words in (("--since", "soon"), ("--since", "2999-01-01"), ("--since", "1d", "--rows", "2")):
        code, out, err = say("monitor", "spam", *words)
        assert (code in (1, 2), out) == (True, ""), words
        assert err
    assert say("monitor", "ghost", "--since", "1d")[0] == 1
    assert say("monitor", "--since", "1d")[0] == 2
    assert say("monitor", "spam")[0] == 1


def test_ctrl_c_says_what_is_kept_and_leaves_with_130(say, spam, monkeypatch):
    def interrupted(*_of):
        raise KeyboardInterrupt

    monkeypatch.setattr(bar.Bar, "show", interrupted)
    code, out, _ = say("monitor", "spam", "--since", "1d", "--rows", "150")
    assert (code, "the windows that were judged are kept" in out) == (130, True)


def test_a_drill_of_a_model_without_its_data_fails_in_words_and_is_recorded(say, spam, db):
    code, _, err = say("drill", "spam", "--kind", "drift")
    assert (code, err.count("\n")) == (1, 1)
    assert say("drill", "spam", "--kind", "fire")[0] == 1
    assert say("drill", "ghost", "--kind", "drift")[0] == 1


def test_a_drill_that_breaks_is_recorded_as_failed_with_the_reason(spam, settings, db, monkeypatch):
    def broken(*_of, **_how):
        raise ZeroDivisionError("by a bug")

    monkeypatch.setattr(drill.run, "carry_out", broken)
    monkeypatch.setattr(drill, "panel", lambda: Panel(settings, db, spam.clock))
    with pytest.raises(ZeroDivisionError):
        drill.drill("spam", "drift")
    with db.read() as session:
        (found,) = rows.history(session)
    assert found.state == "failed"
    assert found.sentence == "It was not played to its end: ZeroDivisionError: by a bug."


def fails(say):
    return say("drift", "spam", "--fail-on-drift")[0]


def test_a_build_fails_by_the_alarm_of_what_serves_and_not_by_the_past(say, spam):
    say("monitor", "spam", "--since", "1d", "--rows", "150")
    assert fails(say) == 3  # nothing was watched live
    say("monitor", "spam", "--check-now")
    assert fails(say) == 1
    assert say("drift", "spam")[0] == 0
    spam.release("2.0.0")
    assert fails(say) == 3


def test_a_single_odd_window_without_an_alarm_fails_no_build(say, spam, db):
    with db.append() as session:
        session.add(report(spam, state="fail", watch={"alarm": False, "others": {}}))
    assert fails(say) == 0
    with db.append() as session:
        session.query(MonitorReport).delete()
        session.add(report(spam, state="warn", watch={"alarm": False}, lost=["age"]))
    assert fails(say) == 3


def report(spam, *, state, **figures):
    return MonitorReport(
        **dict.fromkeys(("method", "sentence", "assumptions"), ""),
        **{"id": "0001", "model": "spam", "version": "1.0.0", "kind": "drift", "origin": "live"},
        **{"state": state, "score": 0.3, "figures": figures, "at": spam.clock()},
        **{"window_start": spam.clock(), "window_end": spam.clock(), "window_last_id": "1"},
        **{"follows": "", "n_current": 300, "n_reference": 600},
    )
