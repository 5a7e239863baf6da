"""Acting alone: a fresh proposal of the product's own is approved by a leave, or left to a person.

There is one way to an action: the checks are those of a person's approval, and the executor makes
them again before anything happens.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import notes, outbox, outcomes, policies, recommendations
from core.access import may
from core.autonomy.ladder import ACTS, may_act, rung
from core.db import Command
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.outcomes.record import is_own
from core.policies import InForce
from core.recommendations.deciding import approve_in, check_open
from core.recommendations.reading import ALONE, BY_POLICY
from core.settings import Settings
from core.tables.base import Json
from core.tables.decisions import Autonomy
from core.tables.entities import ActionRow, FactBook, Recommendation
from core.tables.operational import Delivery

ASKS = ("request_approval", "escalate")
"""Decisions by which the policy asks for a person."""

_LADDER = "drift ladder"
_HELD = "held"


@dataclass(frozen=True)
class Leave:
    """By what something is done without asking: its origin, whose name, and why, in a sentence."""

    origin: str
    by: str
    sentence: str


def consider(command: Command, row: Recommendation, *, settings: Settings) -> bool:
    """Approve and enqueue a proposal that was just made, where it may be done without asking.

    Call it in the command that proposed it. Returns whether it acts; the audit row says why or why
    not, and the channels are told what is done instead of being asked.
    """
    if not may(command.actor, "autonomy.act") or not is_own(row) or row.state != "proposed":
        return False
    found = _leave(command, row)
    if isinstance(found, str):
        command.note(asks_because=found)
        return False
    try:
        check_open(command, row, row.digest)
        recommendations.check_arguments(command.session, row.model, row.kind, row.arguments)
    except (ConflictError, InvalidInputError, NotFoundError) as problem:
        command.note(asks_because=str(problem))
        return False
    action = approve_in(command, row, reason=found.sentence, origin=found.origin, by=found.by)
    command.note(acts_alone=found.by, because=found.sentence, undo=action.id)
    recommendations.tell_incident(
        command, row.incident_id, f"done without asking ({found.by}): {row.title}"
    )
    _tell(command, row, found, outbox.channels(settings))
    return True


def check_leave(session: Session, action: ActionRow, row: Recommendation) -> None:
    """Raise `ConflictError` where what was done without asking may not be done so any more."""
    try:
        rules = policies.in_force(session, row.model)
    except NotFoundError:
        raise ConflictError("the model was archived since this was left to the product") from None
    if action.origin == BY_POLICY:
        if not rules.approved or row.decided_by != _by(rules):
            raise ConflictError("the policy that allowed this by itself is not in force any more")
        return
    leave = session.get(Autonomy, (row.model, row.kind), with_for_update=True)
    record = outcomes.record(session, row.model, row.kind, own=True)
    stands = rung(leave, row.model, row.kind, record, rules.policy)
    if stands.state != ACTS:
        raise ConflictError(f"this is not left to the product any more. {stands.sentence}")


def _by(rules: InForce) -> str:
    return f"policy {rules.name}"


def _leave(command: Command, row: Recommendation) -> Leave | str:
    """Return by what the product may do this itself, or why a person decides."""
    session = command.session
    book = session.get(FactBook, row.fact_book_id) if row.fact_book_id else None
    rules = _in_force(command, row.model)
    if book is None or rules is None:
        return "A person decides: no facts or no policy stand behind this."
    if why := _held_back(row, book, rules):
        return why
    if sentence := _by_policy(row, book, rules):
        if note := notes.freeze(session, row.model, command.now):
            return f"A person decides: changes are frozen by {note.author} ({note.text})."
        return Leave(BY_POLICY, _by(rules), sentence)
    allowed, sentence = may_act(session, row.model, row.kind, rules.policy, now=command.now)
    return Leave(ALONE, ALONE, sentence) if allowed else sentence


def _in_force(command: Command, model: str) -> InForce | None:
    try:
        return policies.in_force(command.session, model)
    except NotFoundError:
        return None  # archived meanwhile


def _held_back(row: Recommendation, book: FactBook, rules: InForce) -> str:
    """Say why the verdict wants a person, whatever leave there is; empty where it does not."""
    verdict = book.verdict
    if book.policy_name != rules.name:
        return "A person decides: the policy changed while this was looked into."
    if {row.decision, verdict.get("decision")} & {*ASKS}:
        return "A person decides: the policy asks for one."
    if _HELD in _states(verdict):
        return "A person decides: the verdict was held back."
    named = [act.get("kind") for act in verdict.get("actions") or []]
    if row.kind not in named:
        return "A person decides: this is not what the policy named."
    return ""


def _states(verdict: Json) -> set[str]:
    """Return what is on record of the rule that decided: fired, or held."""
    told = [tuple(one) for one in verdict.get("considered") or []]
    return {state for rule, state, *_ in told if rule == verdict.get("rule")}


def _by_policy(row: Recommendation, book: FactBook, rules: InForce) -> str:
    """Say that an approved policy version allows this retraining by itself, else nothing."""
    verdict, policy = book.verdict, rules.policy
    asked = (row.kind, row.decision, verdict.get("decision"), verdict.get("rule"))
    if not rules.approved or asked != ("retrain", "retrain", "retrain", _LADDER):
        return ""
    score = _score(book.facts)
    if score is None or not policy.drift_retrain <= score < policy.drift_approval:
        return ""
    return f"Policy {rules.name} allows this by itself: drift score {score:.2f}."


def _score(facts: list[Json]) -> float | None:
    values = [fact.get("value") for fact in facts if fact.get("id") == "drift.score"]
    return float(values[0]) if values and isinstance(values[0], int | float) else None


def _tell(command: Command, row: Recommendation, leave: Leave, channels: list[str]) -> None:
    """Tell what is done without asking, in the place of the message that asks for a decision."""
    path, session = f"/recommendation?id={row.id}", command.session
    fresh = select(Delivery).filter_by(state="pending", created_at=command.now)
    for asking in session.scalars(fresh):
        if asking.payload.get("path") == path:
            session.delete(asking)
    outbox.post(
        command,
        channels,
        f"Done without asking: {row.title}",
        model=row.model,
        severity=row.severity,
        text=f"{leave.sentence} {row.reasoning} It can be undone on its page.",
        path=path,
    )
