"""What reasoners were asked and said, what that used, and what is left of today's budget."""

import json
from collections.abc import Iterator
from datetime import datetime

import streamlit as st

from app import ui
from core.agent import budget, records
from core.agent.records import Call
from core.panel import Panel
from core.settings import Settings

MOST, LISTED = 50, 10
NONE = ""
ROLES = {"human": "Asked", "ai": "Answered", "tool": "The facts that it read"}


def show(panel: Panel) -> None:
    """Show the newest calls; one can be opened, and lives in the address as `?call=`."""
    ui.section("Calls of the agent")
    with panel.db.read() as db:
        found = records.calls(db, limit=MOST)
        today = budget.used(db, panel.clock())
    _budget(panel.settings, today)
    if not found:
        _asked(panel, {})
        ui.empty(
            "The agent has not looked into anything yet.",
            "It does so when a monitor raises an alarm.",
        )
        return
    now = panel.clock()
    # a second data frame on a page would repeat the ids of the first one's cells
    ui.small_table(_row(one, now) for one in found[:LISTED])
    if len(found) > LISTED:
        st.caption(f"The newest {LISTED}; below, the newest {len(found)} can be opened.")
    _open(panel, found)


def _row(one: Call, now: datetime) -> dict[str, str]:
    """Say a call in few columns: that is what a phone has room for."""
    row = one.row
    used = f"{ui.count(row.tokens, 'token')}, {row.cost:.4f} of money, {row.seconds:.2f} s"
    came = f"{used}; the rules answered because {row.error}" if row.error else used
    return {
        "when": ui.ago(row.at, now),
        "asked": f"{row.reasoner} about {one.model}",
        "used": ui.sentence(came),
    }


def _budget(settings: Settings, today: budget.Used) -> None:
    asks = settings.openai_api_key is not None and settings.openai_api_key.get_secret_value()
    if not asks:
        st.caption("No key is set: the rules word every proposal, and nothing is used.")
        return
    left, middle, right = st.columns(3)
    left.metric("Questions to the model today (UTC)", ui.figure(today.calls))
    middle.metric("Tokens today", f"{today.tokens:,} of {settings.openai_tokens_a_day:,}")
    if budget.priced(settings):
        right.metric("Cost today", f"{today.cost:.2f} of {settings.openai_cost_a_day:.2f}")
    if why := budget.spent(settings, today):
        st.warning(ui.plain(ui.sentence(f"{why}; the rules answer until midnight (UTC)")))


def _open(panel: Panel, found: list[Call]) -> None:
    """Let a person open one call: of the list, or the one that the address names."""
    by_id = {one.row.id: one for one in found}
    asked = _asked(panel, by_id)
    names = [NONE, *by_id]
    chosen = st.selectbox(
        "Open a call",
        names,
        index=names.index(asked),
        format_func=lambda key: _name(by_id[key]) if key else "Choose one",
        key="chosen-call",
    )
    if chosen:
        st.query_params["call"] = chosen
        with panel.db.read() as db:
            whole = records.call(db, chosen)
        _show(whole)


def _asked(panel: Panel, by_id: dict[str, Call]) -> str:
    """Return which call the address names, and put it among the others; says so if there is none.

    It may be an older one, or be named by its facts.
    """
    asked = st.query_params.get("call", NONE)
    if not asked or asked in by_id:
        return asked
    with ui.reporting(), panel.db.read() as db:
        old = records.call(db, asked)
        by_id[old.row.id] = old
        st.query_params["call"] = old.row.id
        return old.row.id
    return NONE


def _name(one: Call) -> str:
    failed = ", not used" if one.row.error else ""
    return f"{ui.utc(one.row.at)}: {one.model}, {one.row.reasoner}{failed}"


def _show(one: Call) -> None:
    """Show what was asked and said, as text that can only be read."""
    if one.row.error:
        st.warning(ui.plain(ui.sentence(f"The rules answered instead: {one.row.error}")))
    st.subheader("What was asked", anchor=False)
    _text(one.row.prompt or "Nothing: it was not asked.")
    st.subheader("What came back", anchor=False)
    for label, words in _turns(one.row.answer):
        st.caption(label)
        _text(words)
    if not one.row.answer:
        st.caption("Nothing came back.")


def _text(words: str) -> None:
    st.code(words, language=None, wrap_lines=True)


def _turns(answer: str) -> Iterator[tuple[str, str]]:
    """Yield (who, what) of a stored answer, one turn a line; older ones are one text.

    >>> list(_turns('{"role": "ai", "content": "hello"}'))
    [('Answered', 'hello')]
    >>> list(_turns("plain"))
    [('Answered', 'plain')]
    """
    for line in answer.splitlines():
        try:
            turn = json.loads(line)
        except ValueError:
            yield ROLES["ai"], line  # a record that was cut, or a rule's own words
            continue
        role = turn.pop("role", None) if isinstance(turn, dict) else None
        if role is None:
            yield ROLES["ai"], _pretty(turn)
            continue
        content = turn.pop("content", "")
        said = content if isinstance(content, str) else _pretty(content)
        asked = "\n".join(_called(one) for one in turn.pop("tool_calls", None) or ())
        more = "\n".join(part for part in (asked, _pretty(turn) if turn else "") if part)
        yield ROLES.get(str(role), str(role)), "\n".join(part for part in (said, more) if part)


def _called(call: object) -> str:
    """Say in a line which tool was called, and with what.

    >>> _called({"name": "read_facts", "args": {"names": ["drift.score"]}})
    'read_facts {"names": ["drift.score"]}'
    """
    if isinstance(call, dict) and isinstance(call.get("name"), str):
        return f"{call['name']} {json.dumps(call.get('args'))}"
    return _pretty(call)


def _pretty(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)
