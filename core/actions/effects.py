"""Every kind of action: what it does, what takes it back, and why some have no way back.

A new kind goes into the file that it is nearest to, and with its file into this table.
"""

from collections.abc import Mapping

from core.actions import experimenting, external, holding, releasing, ruling, telling
from core.actions.cases import Effect, Inverse, Still
from core.errors import ConflictError
from core.tables.entities import ActionRow

EFFECTS: Mapping[str, Effect] = {
    **telling.EFFECTS,
    **releasing.EFFECTS,
    **experimenting.EFFECTS,
    **holding.EFFECTS,
    **ruling.EFFECTS,
}
"""Kind of action → what it does; what happens outside the database is in `external`."""

INVERSES: Mapping[str, Inverse] = {
    **telling.INVERSES,
    **releasing.INVERSES,
    **experimenting.INVERSES,
    **holding.INVERSES,
    **ruling.INVERSES,
    **external.INVERSES,
}
"""Kind of inverse → how it takes an action back."""

STILL: Mapping[str, Still] = {
    **telling.STILL,
    **releasing.STILL,
    **experimenting.STILL,
    **holding.STILL,
    **ruling.STILL,
    **external.STILL,
}
"""Kind of inverse → whether events have overtaken it."""

FINAL: Mapping[str, str] = {
    **telling.FINAL,
    **releasing.FINAL,
    **experimenting.FINAL,
}
"""Kind of action → why it has no inverse."""


def final(action: ActionRow) -> str:
    """Say why an action cannot be taken back; empty where it can.

    >>> final(ActionRow(kind="notify", after={}, inverse={}))
    'a message that was sent cannot be taken back; send another one'
    """
    if action.inverse:
        return ""
    own: str | None = action.after.get("final")
    return own or FINAL.get(action.kind, "this action has no inverse")


def of(kind: str) -> Effect:
    """Return what a kind does. Raises: ConflictError (nothing here carries it out)."""
    if kind in EFFECTS:
        return EFFECTS[kind]
    raise ConflictError(f"this release of the product cannot carry out {kind}")
