"""Who did what, when and why; whether the trail is whole; all of it as a file."""

import json
import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import calls, session, ui
from core import audit
from core.access import ACTIONS, may

panel, actor = session.panel(), session.actor()
now = panel.clock()
ALL = "all"
MOST = 300
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}")
WIDTHS = {
    **{"when": 85, "who": 100, "what": 165},  # together as wide as a phone
    **{"model": 110, "why": 240, "details": 420, "at (UTC)": 160, "#": 60},
}
OWN = ("model", "reason", "refused_because")


def _details(detail: Mapping[str, Any]) -> str:
    """Say what else was noted, in words; what has a column of its own is left out."""
    told = [(n, _plain(v)) for n, v in detail.items() if n not in OWN and v not in (None, "", {})]
    told.sort(key=lambda pair: bool(ID.fullmatch(pair[1])))  # a name says more than an id
    return "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in told)[:300]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# load
chain = audit.verify(panel.db)

# render
ui.head("Audit", chain.sentence, "green" if chain.whole else "red")
if not chain.whole:
    st.error("Somebody changed the trail outside of Pilothouse. Keep a copy and find out who.")
columns = st.columns(4)
who = columns[0].text_input("Who", key="who", bind="query-params")
what = columns[1].selectbox("What", [ALL, *ACTIONS], key="what", bind="query-params")
which = columns[2].text_input("Model", key="which", bind="query-params")
how = columns[3].selectbox("Outcome", [ALL, "done", "refused"], key="how", bind="query-params")
with panel.db.read() as db:
    rows = audit.tail(
        db,
        actor=(who or "").strip() or None,
        action=None if what == ALL else what,
        model=(which or "").strip() or None,
        outcome=None if how == ALL else how,
        limit=MOST,
    )
if rows:
    ui.table(
        widths=WIDTHS,
        rows=(
            {
                "when": ui.ago(row.at, now),
                "who": f"{row.actor} ({row.role})" if row.actor_kind == "person" else row.actor,
                "what": row.action,
                "model": row.model or "",
                "outcome": row.outcome,
                "why": row.reason or str(row.detail.get("refused_because", "")),
                "at (UTC)": ui.utc(row.at).removesuffix(" UTC"),
                "#": row.seq,
                "details": _details(row.detail),
            }
            for row in rows
        ),
    )
    if len(rows) == MOST:
        st.caption(f"The newest {MOST} that match; the export has them all.")
else:
    ui.empty("No entry matches.", "Clear a filter above.")

calls.show(panel)

ui.section("Export")
if not may(actor, "audit.export"):
    st.caption("Exporting needs the role operator or higher.")
elif st.button("Prepare the export", key="export"):
    with ui.reporting():
        content = audit.export_csv(panel.db, actor)
        name = f"audit-{now:%Y%m%d-%H%M%S}.csv"
        st.download_button("Download the whole trail as CSV", content, name, "text/csv")
