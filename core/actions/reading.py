"""Looking at actions: what was carried out, and what undoing would do."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import NotFoundError
from core.recommendations import EVERYWHERE
from core.tables.entities import ActionRow


def recent(session: Session, *, model: str | None = None, limit: int = 50) -> list[ActionRow]:
    """Return the newest actions (about a model, or about all models), newest first."""
    query = select(ActionRow).order_by(ActionRow.id.desc()).limit(limit)
    about = ActionRow.model.in_((model, EVERYWHERE))
    return list(session.scalars(query.where(about) if model else query))


def get(session: Session, action_id: str) -> ActionRow:
    """Return an action. Raises: NotFoundError."""
    if action := session.get(ActionRow, action_id):
        return action
    raise NotFoundError(f"there is no action {action_id}")


def locked(session: Session, action_id: str) -> ActionRow:
    """Return an action and hold its row. Raises: NotFoundError."""
    query = select(ActionRow).filter_by(id=action_id).with_for_update()
    return session.scalars(query).first() or get(session, action_id)


def inverse_of(action: ActionRow) -> dict[str, Any] | None:
    """Return what undoing would do, or None; the panel shows it before it is done."""
    return dict(action.inverse) if action.inverse and action.state == "succeeded" else None
