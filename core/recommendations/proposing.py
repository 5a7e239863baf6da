"""Putting a proposal into the inbox: checked, sealed, told to those who wait for it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import select, update

from core import incidents, outbox, releases
from core.access import Actor
from core.chain import canonical
from core.db import Command, Database
from core.errors import InvalidInputError
from core.ids import new_id
from core.recommendations.arguments import check_arguments
from core.recommendations.reading import check_author
from core.specs.alerts import SEVERITIES
from core.tables.base import Json
from core.tables.entities import Recommendation

LIFETIME = timedelta(hours=24)


@dataclass(frozen=True)
class Basis:
    """Why something is proposed and by what; the defaults are those of a person's own proposal.

    `evidence` holds ``{fact, label, value, interval, n, link}``, `expected`
    ``{metric, effect, low, high, n}``. `release_seq` is the release that the proposer looked at
    (None: the one that serves now), `id` one that the proposal was promised (else a new one).
    """

    decision: str = "request_approval"
    severity: str = "low"
    confidence: float = 1.0
    evidence: Sequence[Mapping[str, Any]] = ()
    expected: Mapping[str, Any] = field(default_factory=dict)
    reasoner: str = "person"
    fallback: str | None = None
    fact_book_id: str | None = None
    incident_id: str | None = None
    release_seq: int | None = None
    id: str = ""


OWN = Basis()


def propose(
    db: Database,
    actor: Actor,
    *,
    model: str,
    kind: str,
    arguments: Mapping[str, Any],
    title: str,
    reasoning: str,
    basis: Basis = OWN,
    channels: Sequence[str] = (),
) -> Recommendation:
    """Put a proposal into the inbox; an older waiting one of the same model and kind gives way.

    Raises: ForbiddenError (role; two people decide and nobody knows who the proposer is);
    InvalidInputError (kind, arguments, severity); NotFoundError (version);
    ConflictError (a shadow cannot be widened).
    """
    with db.command(actor, "recommendation.propose") as command:
        return propose_in(
            command,
            model=model,
            kind=kind,
            arguments=arguments,
            title=title,
            reasoning=reasoning,
            basis=basis,
            channels=channels,
        )


def propose_in(
    command: Command,
    *,
    model: str,
    kind: str,
    arguments: Mapping[str, Any],
    title: str,
    reasoning: str,
    basis: Basis = OWN,
    channels: Sequence[str] = (),
) -> Recommendation:
    """Do what `propose` does inside a command, and leave a message for each of `channels`."""
    command.note(model=model, kind=kind, arguments=dict(arguments))
    check_arguments(command.session, model, kind, arguments)
    check_author(command.session, kind, command.actor.name)
    _check_basis(basis)
    current = releases.find_current(command.session, model)
    seen = basis.release_seq if basis.release_seq is not None else (current.seq if current else 0)
    row = Recommendation(
        id=basis.id or new_id(command.now),
        model=model,
        state="proposed",
        kind=kind,
        arguments=_plain(arguments),
        decision=basis.decision,
        severity=basis.severity,
        confidence=basis.confidence,
        title=title,
        reasoning=reasoning,
        evidence=_plain(list(basis.evidence)),
        expected=_plain(basis.expected),
        reasoner=basis.reasoner,
        fallback=basis.fallback,
        fact_book_id=basis.fact_book_id,
        incident_id=basis.incident_id,
        release_seq=seen,
        proposed_by=command.actor.name,
        proposed_at=command.now,
        expires_at=command.now + LIFETIME,
    )
    _supersede(command, row)
    return put_in(command, row, told=f"proposed: {title}", channels=channels)


def put_in(
    command: Command, row: Recommendation, *, told: str, channels: Sequence[str]
) -> Recommendation:
    """Seal a proposal, add it, and tell its incident and `channels`, inside a command."""
    row.digest = seal(row)
    command.session.add(row)
    command.session.flush()
    command.note(recommendation=row.id, digest=row.digest, severity=row.severity)
    tell_incident(command, row.incident_id, told)
    announce(command, channels, row)
    return row


def seal(row: Recommendation) -> str:
    """Return the digest (SHA-256) of all that a decision looks at.

    That is what it would do, to what and until when, on what evidence, and in whose words.
    """
    shown = {
        "decision": row.decision,
        "severity": row.severity,
        "confidence": float(row.confidence),
        "title": row.title,
        "reasoning": row.reasoning,
        "expected": row.expected,
        "reasoner": row.reasoner,
        "fallback": row.fallback,
        "fact_book_id": row.fact_book_id,
        "incident_id": row.incident_id,
        "edit_of": row.edit_of,
        "proposed_by": row.proposed_by,
        "proposed_at": _moment(row.proposed_at),
        "expires_at": _moment(row.expires_at),
    }
    return _digest({**_core(row), **shown})


def is_sealed(row: Recommendation) -> bool:
    """Say whether a proposal is as it was made; one of an older version sealed its core only."""
    return row.digest in (seal(row), _digest(_core(row)))


def _core(row: Recommendation) -> Json:
    return {
        "model": row.model,
        "kind": row.kind,
        "arguments": row.arguments,
        "release_seq": row.release_seq,
        "evidence": row.evidence,
    }


def _digest(content: Json) -> str:
    return sha256(canonical(content)).hexdigest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def tell_incident(
    command: Command, incident_id: str | None, what: str, *, mitigating: bool = False
) -> None:
    """Add a line to an incident's timeline; without an incident nothing happens.

    Raises: NotFoundError (there is no such incident).
    """
    if incident_id:
        incidents.note_in(command, incident_id, what, mitigating=mitigating)


def announce(command: Command, channels: Sequence[str], row: Recommendation) -> None:
    """Leave a message about a proposal for each channel, with the way to its card."""
    outbox.post(
        command,
        list(channels),
        f"Decision needed: {row.title}",
        model=row.model,
        severity=row.severity,
        text=row.reasoning,
        path=f"/recommendation?id={row.id}",
    )


def _check_basis(basis: Basis) -> None:
    if basis.severity not in SEVERITIES:
        raise InvalidInputError(f"the severity is one of {', '.join(SEVERITIES)}")
    if not 0 <= basis.confidence <= 1:
        raise InvalidInputError("the confidence lies between 0 and 1")


def _plain(content: Any) -> Any:  # noqa: ANN401
    """Return `content` as the database will give it back, so that its digest stays the same."""
    try:
        return json.loads(json.dumps(content, default=str, allow_nan=False))
    except ValueError as error:
        raise InvalidInputError("evidence and arguments hold plain, finite values only") from error


def _supersede(command: Command, row: Recommendation) -> None:
    """Let older waiting proposals give way that are about the same."""
    older = select(Recommendation).filter_by(model=row.model, kind=row.kind, state="proposed")
    found = command.session.scalars(older.with_for_update())
    gone = [one for one in found if _subject(one) == _subject(row)]
    if not gone:
        return
    ids = [one.id for one in gone]
    waiting = Recommendation.id.in_(ids), Recommendation.state == "proposed"
    command.session.execute(update(Recommendation).where(*waiting).values(state="superseded"))
    command.note(supersedes=ids)


def _subject(row: Recommendation) -> object:
    """Return what else tells proposals of one kind apart: what is silenced, what is granted."""
    name = _SUBJECT.get(row.kind)
    return row.arguments.get(name) if name else None


_SUBJECT = {"silence": "cause", "grant_autonomy": "kind"}
