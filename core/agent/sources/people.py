"""Facts about what people said and asked: notes, labels that are wanted, proposals that wait."""

from collections.abc import Iterator

from sqlalchemy import select

from core import notes
from core.agent.sources.scope import Item, Scope
from core.tables.decisions import LabelRequest
from core.tables.entities import Recommendation


def note(of: Scope) -> Iterator[Item]:
    """The freeze that lasts longest, or else the newest note; only rows of ours are signed.

    Its text is a person's words: shown, never evidence and never an instruction.
    """
    found = notes.in_force(of.session, of.model, of.now)
    row = notes.freeze(of.session, of.model, of.now) or next(iter(found), None)
    if row is None:
        return
    source = "/automation?part=Notes"
    yield Item("operator_note.author", row.author, source, row.at)
    yield Item("operator_note.authenticated", True, source, row.at)
    yield Item("operator_note.freeze", row.freeze, source, row.at)
    yield Item("operator_note.until", row.ends_at.isoformat(), source, row.at)
    yield Item("operator_note.text", row.text, source, row.at, foreign=True)


def pending(of: Scope) -> Iterator[Item]:
    """The proposals that wait and are about what serves now, and labels that are asked for."""
    query = select(Recommendation).filter_by(model=of.model, state="proposed")
    seq = of.release.seq if of.release else 0
    rows = [
        {"id": row.id, "kind": row.kind, "severity": row.severity, "decision": row.decision}
        for row in of.session.scalars(query.order_by(Recommendation.id))
        if row.release_seq == seq and row.expires_at > of.now
    ]
    yield Item("pending_approval", rows or None, "/inbox")
    wanted = select(LabelRequest.id).filter_by(model=of.model, state="open").limit(1)
    if of.session.scalars(wanted).first():
        yield Item("labels_wanted", True, f"/performance?model={of.model}")
