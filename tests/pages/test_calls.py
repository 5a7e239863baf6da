import json

import pytest
from pydantic import SecretStr
from sqlalchemy.event import listen

from app import session
from core.access import system
from core.agent import records
from core.agent.facts import FactBook
from core.agent.reasoners import Answer
from core.panel import Panel
from tests.pages.looking import text_of

TURNS = [
    {"role": "ai", "content": "", "tool_calls": [{"name": "read_facts", "args": {"names": ["a"]}}]},
    {"role": "tool", "content": '[{"name": "drift.score", "value": 0.3}]'},
    {"role": "ai", "content": "![x](http://evil.example/x.png) <script>1</script>"},
]


@pytest.fixture
def kept(panel):
    """One call of a model that was refused, and one of the rules."""
    answer = "\n".join(json.dumps(turn) for turn in TURNS)
    with panel.db.command(system("agent"), "agent.decide") as command:
        book = records.keep_facts(command, FactBook("sms_spam", []), None, None)
        model = Answer("gpt-x", None, "What now?", answer, tokens=1234, cost=0.5, seconds=2.0)
        records.keep_call(command, book.id, model, "its confidence is 0.1")
        other = records.keep_facts(command, FactBook("heart", []), None, None)
        records.keep_call(command, other.id, Answer("rules", None, "{}", "{}"), None)
    return book


def code_of(page):
    return "\n".join(block.value for block in page.code)


def test_calls_are_listed_with_what_they_used_and_why_the_rules_answered(open_page, kept, vic):
    frame = open_page("audit", vic).table[0].value
    told = {
        asked.replace("\\", ""): used.replace("\\", "") for asked, used in frame.values.tolist()
    }
    assert told == {
        "rules about heart": "0 tokens, 0.0000 of money, 0.00 s.",
        "gpt-x about sms_spam": "1,234 tokens, 0.5000 of money, 2.00 s; the rules answered because"
        " its confidence is 0.1.",
    }


def test_a_call_opens_to_what_was_asked_and_said_as_plain_text(open_page, kept, vic):
    page = open_page("audit", vic, call=kept.id)
    shown = code_of(page)
    assert "What now?" in shown
    assert "read_facts" in shown
    assert "![x](http://evil.example/x.png) <script>1</script>" in shown
    assert "evil.example" not in text_of(page)
    assert "The rules answered instead: its confidence is 0.1." in text_of(page)


def test_an_unknown_call_is_said_in_words_and_the_page_stays(open_page, kept, vic):
    page = open_page("audit", vic, call="nothing")
    assert "There is no call nothing." in text_of(page)
    assert "Export" in text_of(page)
    assert len(page.selectbox(key="chosen-call").options) == 3


def test_an_unknown_call_is_said_where_there_is_none_at_all(open_page, model, vic):
    assert "There is no call nothing." in text_of(open_page("audit", vic, call="nothing"))


def test_the_list_reads_no_transcript_and_an_opened_call_reads_its_own(open_page, kept, vic, db):
    asked = []
    listen(db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    open_page("audit", vic)
    assert [sql for sql in asked if "reasoner_call.answer" in sql] == []
    open_page("audit", vic, call=kept.id)
    assert [sql for sql in asked if "reasoner_call.answer" in sql]


def test_without_a_key_it_says_that_nothing_is_used(open_page, model, vic):
    shown = text_of(open_page("audit", vic))
    assert "No key is set" in shown
    assert "The agent has not looked into anything yet." in shown


def test_the_budget_of_today_is_shown_and_said_when_it_is_used_up(
    open_page, kept, vic, panel, monkeypatch
):
    change = {
        "openai_api_key": SecretStr("k"),
        "openai_tokens_a_day": 1000,
        "openai_input_price": 1,
    }
    built = Panel(panel.settings.model_copy(update=change), panel.db, panel.clock)
    monkeypatch.setattr(session, "panel", lambda: built)
    shown = text_of(open_page("audit", vic))
    assert "1,234 of 1,000" in shown
    assert "0.50 of 5.00" in shown
    assert "today's 1,000 tokens are used up (1,234); the rules answer until midnight" in shown
