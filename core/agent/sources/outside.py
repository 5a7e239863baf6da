"""Facts about alarms of other systems: how many, how grave; their words are a stranger's."""

from collections.abc import Iterator

from sqlalchemy import select

from core.agent.sources.scope import Item, Scope
from core.incidents import SEVERITIES, outside
from core.tables.entities import Alert


def alarms(of: Scope) -> Iterator[Item]:
    """The alerts about this model that another system raised and has not taken back."""
    ours = (Alert.model == of.model, Alert.state == "firing")
    query = select(Alert).where(*ours, Alert.fingerprint.like(f"%:{outside.PREFIX}%"))
    rows = list(of.session.scalars(query.order_by(Alert.at.desc()).limit(50)))
    if not rows:
        return
    source = f"/incidents?model={of.model}"
    first = min(row.at for row in rows)
    yield Item("outside.alarms", len(rows), source, first)
    yield Item(
        "outside.severity", min((row.severity for row in rows), key=SEVERITIES.index), source
    )
    words = [{"name": row.rule, "severity": row.severity, "example": row.sentence} for row in rows]
    yield Item("outside.words", words, source, first, foreign=True)
