"""Reading the audit trail back: the newest rows, its proof, its export."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import chain
from core.access import Actor
from core.db import Database, content
from core.tables.access import AuditEvent


@dataclass(frozen=True, slots=True)
class ChainState:
    """Whether the trail is whole, in one sentence."""

    whole: bool
    n: int
    sentence: str


def tail(
    session: Session,
    *,
    model: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    outcome: str | None = None,
    limit: int = 200,
) -> list[AuditEvent]:
    """Return the newest rows that match, newest first."""
    query = select(AuditEvent).order_by(AuditEvent.seq.desc())
    wanted = {"model": model, "actor": actor, "action": action, "outcome": outcome}
    query = query.filter_by(**{name: value for name, value in wanted.items() if value})
    return list(session.scalars(query.limit(limit)))


def verify(db: Database) -> ChainState:
    """Check every row's MAC, the order, and that the newest row noted outside is still there."""
    head = json.loads(db.head_path.read_text() or "{}") if db.head_path.exists() else {}
    with db.read() as session:
        rows = session.scalars(select(AuditEvent).order_by(AuditEvent.seq)).all()
        broken = chain.first_break(db.audit_key, ((r.seq, content(r), r.mac) for r in rows))
        macs = {row.seq: row.mac for row in rows}
    n = len(rows)
    if broken is not None:
        return ChainState(False, n, f"Row {broken} was changed, removed or moved.")
    if (lost := head.get("lost_after")) is not None:
        return ChainState(False, n, f"Rows behind row {lost} were removed; others came later.")
    if head and macs.get(head["seq"]) != head["mac"]:
        return ChainState(False, n, f"Rows up to {head['seq']} existed; the newest are gone.")
    return ChainState(True, n, f"All {n} rows are unchanged and in order.")


def export_csv(db: Database, actor: Actor) -> str:
    """Return the whole trail as CSV; the export itself is audited.

    Raises: ForbiddenError.
    """
    with db.command(actor, "audit.export") as command:
        rows = command.session.scalars(select(AuditEvent).order_by(AuditEvent.seq)).all()
        command.note(rows=len(rows))
        return _csv(rows)


def _csv(rows: Sequence[AuditEvent]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["seq", "at", "actor", "role", "action", "model", "outcome", "reason", "detail", "mac"]
    )
    for line in _lines(rows):
        writer.writerow([safe_cell(str(cell)) for cell in line])
    return out.getvalue()


def _lines(rows: Sequence[AuditEvent]) -> Iterator[tuple[object, ...]]:
    for r in rows:
        who, what = (r.actor, r.role), (r.action, r.model or "", r.outcome, r.reason)
        yield r.seq, r.at.isoformat(), *who, *what, json.dumps(r.detail), r.mac


def safe_cell(text: str) -> str:
    """Keep a spreadsheet from running `text` as a formula.

    >>> safe_cell("=1+1"), safe_cell("ham")
    ("'=1+1", 'ham')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
