"""Taking back what has the effect of a risky kind: as a proposal, which another person decides."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import recommendations
from core.actions.cases import Back, Found
from core.errors import ConflictError
from core.recommendations import Basis
from core.tables.entities import ActionRow, Recommendation

DONE = "succeeded"
_OPEN = ("proposed", "approved")


def propose_back(back: Back, kind: str, title: str) -> str:
    """Propose the inverse of an action with the arguments that its effect left.

    Raises: ConflictError (it is proposed already); and as `recommendations.propose_in`.
    """
    check_once(back)
    row = recommendations.propose_in(
        back.command,
        model=back.action.model,
        kind=kind,
        arguments=back.arguments,
        title=title,
        reasoning=f"Undo of {back.action.kind.replace('_', ' ')}: {back.reason}",
        basis=Basis(severity="medium"),
        channels=back.channels,
    )
    back.action.inverse = {**back.action.inverse, "proposal": row.id}
    return f"it is proposed; another person decides: {title}"


def check_once(done: Back | Found) -> None:
    """Raise `ConflictError` while taking an action back is proposed already."""
    earlier = done.action.inverse.get("proposal")
    row = done.session.get(Recommendation, earlier) if earlier else None
    if row is not None and row.state in _OPEN:
        raise ConflictError("taking this back is proposed already; it waits in the inbox")


def note_undone(session: Session, done: ActionRow) -> None:
    """Say of the action that an executed proposal took back that it is reverted, and by what."""
    took_back = ActionRow.inverse["proposal"].as_string() == done.recommendation_id
    for action in session.scalars(select(ActionRow).where(took_back, ActionRow.state == DONE)):
        action.state = "reverted"
        action.inverse = {**action.inverse, "release": done.after.get("release")}
