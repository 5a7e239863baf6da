"""The leave to act alone: proposed, given by two people, withdrawn by one."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import outbox, recommendations, specs
from core.access import Actor
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError
from core.recommendations import Basis
from core.recommendations.kinds import KINDS
from core.recommendations.reading import ALONE
from core.recommendations.wording import verb
from core.tables.decisions import Autonomy
from core.tables.entities import ActionRow, Recommendation

GRANTED, WITHDRAWN = "granted", "withdrawn"
PAGE = "/automation?part=Autonomy"


def propose(
    db: Database,
    actor: Actor,
    *,
    model: str,
    kind: str,
    reason: str,
    channels: Sequence[str] = (),
) -> Recommendation:
    """Propose that a kind of action on a model may be left to the product; another person decides.

    Raises: InvalidInputError (no reason, a kind that is never left to it); NotFoundError;
    ForbiddenError; ConflictError (it has this leave).
    """
    with db.command(actor, "recommendation.propose") as command:
        name = specs.active(command.session, model).name
        command.note(model=name, leave=kind, reason=reason)
        if not reason.strip():
            raise InvalidInputError("say why this may be left to the product")
        row = command.session.get(Autonomy, (name, kind))
        if row is not None and row.state == GRANTED:
            raise ConflictError(f"the product has leave to {verb(kind)} {name} already")
        return recommendations.propose_in(
            command,
            model=name,
            kind="grant_autonomy",
            arguments={"kind": kind},
            title=f"Leave to {verb(kind)} {name} without asking",
            reasoning=reason.strip(),
            basis=Basis(severity="medium"),
            channels=channels,
        )


def grant_in(command: Command, *, model: str, kind: str, reason: str, by: str = "") -> Autonomy:
    """Give the leave inside the executor's command; `by` is who approved it.

    Raises: InvalidInputError (a kind that is never left to the product); ConflictError (given).
    """
    if kind not in KINDS or not KINDS[kind].alone:
        raise InvalidInputError(f"to {words(kind)} is never left to the product")
    row = command.session.get(Autonomy, (model, kind), with_for_update=True)
    if row is not None and row.state == GRANTED:
        raise ConflictError(f"the product has leave to {verb(kind)} {model} already")
    return _set(command, row, model, kind, GRANTED, reason, by)


def granted(session: Session, model: str, kind: str, *, lock: bool = False) -> Autonomy:
    """Return the leave that is given. Raises: ConflictError (there is none)."""
    row = session.get(Autonomy, (model, kind), with_for_update=lock)
    if row is None or row.state != GRANTED:
        raise ConflictError(f"the product has no leave to {verb(kind)} {model}")
    return row


def withdraw_in(command: Command, *, model: str, kind: str, reason: str, by: str = "") -> Autonomy:
    """Take the leave away inside a command; what waits to be carried out by it is cancelled.

    Raises: ConflictError (there is none).
    """
    row = granted(command.session, model, kind, lock=True)
    _cancel(command, model, kind)
    return _set(command, row, model, kind, WITHDRAWN, reason, by)


def withdraw(
    db: Database,
    actor: Actor,
    *,
    model: str,
    kind: str,
    reason: str,
    channels: Sequence[str] = (),
) -> Autonomy:
    """Take the leave away at once; an operator alone may.

    Raises: ForbiddenError; InvalidInputError (no reason); ConflictError (there is none).
    """
    with db.command(actor, "autonomy.withdraw") as command:
        name = specs.canonical(model)
        command.note(model=name, kind=kind, reason=reason)
        if not reason.strip():
            raise InvalidInputError("say why: the reason is kept on record")
        row = withdraw_in(command, model=name, kind=kind, reason=reason.strip())
        told = f"{command.actor.name}: {reason.strip()}"
        subject = f"The leave to {verb(kind)} {name} without asking is withdrawn"
        outbox.post(command, list(channels), subject, model=name, text=told, path=PAGE)
        return row


def words(kind: str) -> str:
    """Name a kind of action.

    >>> words("collect_labels"), words("rollback")
    ('collect labels', 'roll back')
    """
    return "roll back" if kind == "rollback" else kind[:40].replace("_", " ")


def _set(
    command: Command,
    row: Autonomy | None,
    model: str,
    kind: str,
    state: str,
    reason: str,
    by: str,
) -> Autonomy:
    if row is None:
        row = Autonomy(model=model, kind=kind)
        command.session.add(row)
    row.state, row.reason, row.at = state, reason, command.now
    row.changed_by = by or command.actor.name
    command.note(model=model, autonomy=f"{kind} {state}")
    return row


def _cancel(command: Command, model: str, kind: str) -> None:
    """Cancel what was decided by this leave and did not begin yet."""
    waiting = select(ActionRow).filter_by(model=model, kind=kind, origin=ALONE, state="queued")
    for action in command.session.scalars(waiting.with_for_update()):
        action.state, action.finished_at = "cancelled", command.now
        action.error = "the leave to act alone was withdrawn"
        if action.recommendation_id:
            recommendations.move(command.session, action.recommendation_id, ("approved",), "failed")
        command.note(cancelled=action.id)
