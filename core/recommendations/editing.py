"""A person changes what a proposal would do: the change is a sealed proposal of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from core.access import Actor
from core.db import Command, Database
from core.errors import InvalidInputError
from core.ids import new_id
from core.recommendations.arguments import check_arguments
from core.recommendations.deciding import check_open, decide_in, waiting_row
from core.recommendations.proposing import put_in
from core.recommendations.reading import changed
from core.recommendations.wording import title
from core.tables.entities import Recommendation


def edit(
    db: Database,
    actor: Actor,
    recommendation_id: str,
    *,
    digest: str,
    arguments: Mapping[str, Any],
    reason: str,
    channels: Sequence[str] = (),
) -> Recommendation:
    """Put a proposal with other arguments in the place of the one that `digest` seals.

    Evidence and incident stay, and so does the time at which it lapses; what was expected of the
    other arguments does not. The one who changes it is its proposer from then on. The original
    stays readable as "edited".

    Raises: ForbiddenError; NotFoundError; InvalidInputError (no reason, nothing changed, arguments
    that the kind cannot have); ConflictError (decided already, lapsed, not what was shown, another
    release serves, or the gate refuses the version).
    """
    with db.command(actor, "recommendation.edit") as command:
        command.note(recommendation=recommendation_id, arguments=dict(arguments), reason=reason)
        original = waiting_row(command, recommendation_id)
        check_open(command, original, digest)
        given = {name: str(value).strip() for name, value in arguments.items()}
        _check(command.session, original, given, reason)
        decide_in(command, original, "edited", reason.strip())
        row = _changed(command, original, given, reason.strip())
        was = "; ".join(f"{name} {old} to {new}" for name, old, new in changed(original, row))
        command.note(edit_of=original.id, changed=was)
        return put_in(command, row, told=f"changed: {row.title} ({was})", channels=channels)


def _check(session: Session, original: Recommendation, given: dict[str, str], reason: str) -> None:
    if not original.arguments:
        raise InvalidInputError(f"a proposal to {original.kind} has nothing that can be changed")
    if not reason.strip():
        raise InvalidInputError("say why this is changed: the reason is kept with it")
    if given == original.arguments:
        raise InvalidInputError("nothing was changed; approve or reject the proposal as it is")
    check_arguments(session, original.model, original.kind, given)


def _changed(
    command: Command, original: Recommendation, given: dict[str, str], reason: str
) -> Recommendation:
    return Recommendation(
        id=new_id(command.now),
        model=original.model,
        state="proposed",
        kind=original.kind,
        arguments=given,
        decision=original.decision,
        severity=original.severity,
        confidence=1.0,
        title=title(original.model, original.kind, given),
        reasoning=reason,
        evidence=original.evidence,
        expected={},
        reasoner="person",
        fallback=None,
        fact_book_id=original.fact_book_id,
        incident_id=original.incident_id,
        release_seq=original.release_seq,
        proposed_by=command.actor.name,
        proposed_at=command.now,
        expires_at=original.expires_at,
        edit_of=original.id,
    )
