"""Every kind of action: what it does, what takes it back, and why some have no way back.

A new kind goes into the file that it is nearest to, and with its file into this table.
"""

from collections.abc import Mapping

from core.actions import experimenting, external, releasing, telling
from core.actions.cases import Effect, Inverse
from core.errors import ConflictError

EFFECTS: Mapping[str, Effect] = {
    **telling.EFFECTS,
    **releasing.EFFECTS,
    **experimenting.EFFECTS,
}
"""Kind of action → what it does."""

INVERSES: Mapping[str, Inverse] = {
    **releasing.INVERSES,
    **experimenting.INVERSES,
    **external.INVERSES,
}
"""Kind of inverse → how it takes an action back."""

FINAL: Mapping[str, str] = {
    **telling.FINAL,
    **releasing.FINAL,
    **experimenting.FINAL,
}
"""Kind of action → why it has no inverse."""


def of(kind: str) -> Effect:
    """Return what a kind does. Raises: ConflictError (nothing here carries it out)."""
    if kind in EFFECTS:
        return EFFECTS[kind]
    raise ConflictError(f"this release of the product cannot carry out {kind}")
