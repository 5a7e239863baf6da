"""Taking an action back: at once where that is safe, else as a proposal."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from core.access import Actor
from core.actions.cases import Back, Found
from core.actions.effects import INVERSES, STILL, final
from core.actions.proposing import check_once
from core.actions.reading import locked
from core.db import Database
from core.errors import ConflictError, PilothouseError
from core.tables.entities import ActionRow


def undo(
    db: Database,
    actor: Actor,
    action_id: str,
    *,
    reason: str = "",
    channels: Sequence[str] = (),
) -> str:
    """Take an action back where it has an inverse, and say in a sentence what that did.

    What serves less, or again what served before, is done at once, and so is what only ends a
    hold. Serving more of something and another policy are decided by two people: they become a
    proposal. `channels` are told of what serves again and of a proposal.

    Raises: ForbiddenError; NotFoundError; ConflictError (no inverse, or overtaken by events).
    """
    with db.command(actor, "action.undo") as command:
        action = locked(command.session, action_id)
        command.note(model=action.model, action_id=action.id, kind=action.kind, reason=reason)
        if action.state != "succeeded":
            raise ConflictError(f"this action has {action.state}; there is nothing to undo")
        if why := final(action):
            raise ConflictError(why)
        take_back = INVERSES[action.inverse["kind"]]
        sentence = take_back(Back(command, action, reason or "undone", channels))
        command.note(did=sentence)
        return sentence


def why_no_undo(session: Session, action: ActionRow, now: datetime) -> str:
    """Say why taking an action back would be refused now; empty where it would not.

    Asked before anybody tries: nothing is changed by it. Who may undo is not asked.
    """
    if action.state != "succeeded":
        return f"this action has {action.state}; there is nothing to undo"
    if why := final(action):
        return why
    found = Found(session, action, now)
    try:
        STILL[action.inverse["kind"]](found)
        check_once(found)
    except PilothouseError as problem:
        return str(problem)
    return ""
