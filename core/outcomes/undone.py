"""What people, or a later decision, took back: by whom, when and why."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import releases
from core.outcomes import grading
from core.outcomes.cases import PATIENCE, SERVING, Case
from core.outcomes.grading import Graded
from core.tables.access import AuditEvent
from core.tables.entities import ActionRow, Release


@dataclass(frozen=True)
class Undone:
    """Who took something back, when and why."""

    who: str
    at: datetime
    why: str


def grade(case: Case) -> Graded | None:
    """Return the grade of what was taken back (of what serves: within three days), else None."""
    found = _asked_back(case) or _served_again(case.session, case.action)
    if found is None or (case.row.kind in SERVING and found.at > case.at + PATIENCE):
        return None
    return grading.undone(found.who, (found.at - case.at) / timedelta(hours=1), found.why)


def _asked_back(case: Case) -> Undone | None:
    """Return the undo that took the action back, as the audit trail tells it."""
    action = case.action
    if action.state != "reverted":
        return None
    query = select(AuditEvent).filter_by(action="action.undo", outcome="done", model=action.model)
    for event in case.session.scalars(query.where(AuditEvent.at >= case.at)):
        if event.detail.get("action_id") == action.id:
            return Undone(event.actor, event.at, event.reason)
    return Undone("somebody", case.now, "")


def _served_again(session: Session, action: ActionRow) -> Undone | None:
    """Return the release that took the action's release back, or let serve again what it ended."""
    seq = action.after.get("release")
    if action.kind not in SERVING or not seq:
        return None
    ended = session.get(Release, (action.model, action.before.get("release") or 0))
    query = select(Release).filter_by(model=action.model).where(Release.seq > seq)
    back = releases.champion(ended) if ended and action.kind == "rollback" else None
    for later in session.scalars(query.order_by(Release.seq)):
        if later.undoes == seq or releases.champion(later) == back:
            who = "an approved action" if later.actor == "executor" else later.actor
            return Undone(who, later.at, later.reason)
    return None
