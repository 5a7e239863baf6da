import json
from dataclasses import replace

import pytest
from pydantic import SecretStr

from core import audit
from core.agent import evaluation, scenarios
from tests.fakes.openai_server import OpenAIServer, honest

OPEN = scenarios.load("open")

CALM = """
- id: calm-day
  tags: [quiet]
  words: Nothing happens.
  facts: {drift.alarm: false, drift.score: 0, drift.p_value: .5, drift.n_current: 500}
  expect: {decision: no_action}
  acceptable: [log_only]
  forbidden: [rollback]
"""


@pytest.fixture
def shipped(monkeypatch):
    """Replace what ships by one calm situation, labelled as given."""

    def label(**labels):
        [calm] = scenarios.parse(CALM, half="open")
        monkeypatch.setattr(scenarios, "load", lambda half: (replace(calm, **labels),))

    label()
    return label


def test_the_table_has_a_row_per_tag_and_one_for_all(say, shipped):
    code, out, _ = say("agent", "evaluate")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["tag", "cases", "exact", "acceptable", "forbidden"]
    assert rows[1] == ["quiet", "1", "1", "(100", "%)", "1", "(100", "%)", "0"]
    assert rows[2][0] == "all"
    assert "rules: median" in out


def test_an_answer_that_does_harm_ends_with_exit_code_one(say, shipped):
    shipped(forbidden=frozenset({"no_action"}))
    code, out, _ = say("agent", "evaluate", "--missed")
    assert code == 1
    assert "forbidden: calm-day: no_action" in out


def test_a_script_reads_json_and_nothing_is_kept_unasked(say, shipped, db):
    code, out, _ = say("agent", "evaluate", "--half", "open", "--json")
    assert (code, json.loads(out)["total"]["exact"]) == (0, 1)
    with db.read() as session:
        assert evaluation.newest(session) == []


def test_what_is_saved_is_kept_and_audited(say, shipped, db):
    assert say("agent", "evaluate", "--save")[0] == 0
    with db.read() as session:
        [row] = evaluation.newest(session)
        assert (row.reasoner, row.n, row.forbidden) == ("rules", 1, 0)
        assert audit.tail(session)[0].action == "agent.evaluate"


def test_a_model_that_is_not_set_up_is_one_clear_line(say, shipped):
    code, _, err = say("agent", "evaluate", "--reasoner", "model")
    assert (code, "give OPENAI_API_KEY" in err) == (1, True)


def test_the_language_model_of_the_settings_is_asked_and_named(say, shipped, settings, monkeypatch):
    import langchain.agents  # noqa: F401, paid for before the deadline of a conversation runs
    import langchain_openai  # noqa: F401

    [drifting] = [one for one in OPEN if one.id == "ladder-large-new-customers"]
    monkeypatch.setattr(scenarios, "load", lambda half: (drifting,))
    with OpenAIServer(honest) as openai:
        settings.openai_api_key = SecretStr("sk-test-0123456789")
        settings.openai_base_url, settings.openai_model = openai.base_url, "scripted"
        settings.openai_timeout_seconds = 20
        code, out, _ = say("agent", "evaluate", "--reasoner", "model", "--save")
    assert (code, "scripted: median" in out, "asked 1 times" in out) == (0, True, True)
    assert "The rules' draft was taken" not in out


def test_the_shipped_situations_are_all_asked(say):
    told = json.loads(say("agent", "evaluate", "--json")[1])
    assert told["total"]["n"] == len(scenarios.load("all")) >= 132
    assert set(told["halves"]) == {"open", "held-out"}
