"""How far a kind of action has come on its way to be left to the product, and why not further."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import notes, outcomes, policies, specs
from core.autonomy.leaves import GRANTED, words
from core.outcomes import Record
from core.recommendations.kinds import KINDS
from core.recommendations.reading import ALONE
from core.specs.thresholds import Policy
from core.tables.decisions import Autonomy, Outcome
from core.tables.entities import ActionRow

DAY = timedelta(hours=24)
OFF, EARNING, ACTS, FALLEN = "off", "earning", "acts alone", "fallen back"
KINDS_ALONE = tuple(name for name, one in KINDS.items() if one.alone)


@dataclass(frozen=True)
class Rung:
    """Where a kind of action on a model stands: off, earning, acts alone or fallen back.

    `more` good outcomes in a row are needed (None: no number is enough, or none is graded good).
    `since`: when the leave was given or taken, or the bad outcome was graded; `bad` is its
    proposal. `leave` is the row behind it, where there ever was one.
    """

    model: str
    kind: str
    state: str
    record: Record
    more: int | None
    ceiling: str
    sentence: str
    since: datetime | None = None
    bad: str | None = None
    leave: Autonomy | None = None


def rung(leave: Autonomy | None, model: str, kind: str, record: Record, policy: Policy) -> Rung:
    """Return where a kind of action stands; pure.

    >>> nothing = Record(0, 0, 0, 0, 0, 0.0)
    >>> rung(None, "spam", "retrain", nothing, Policy()).state
    'off'
    >>> leave = Autonomy(model="spam", kind="retrain", state="granted")
    >>> rung(leave, "spam", "retrain", nothing, Policy()).sentence
    'A person decides: 11 more good outcomes in a row are needed.'
    """
    can_earn = kind in outcomes.MEASURED
    whole = outcomes.needed(policy.autonomy_bar, policy.autonomy_least) if can_earn else None
    more = None if whole is None else max(0, whole - record.streak)
    state, since, bad = _state(leave, record, policy)
    return Rung(
        model=model,
        kind=kind,
        state=state,
        record=record,
        more=more,
        ceiling=ceiling(policy),
        sentence=_sentence(kind, state, more, policy),
        since=since,
        bad=bad,
        leave=leave,
    )


def ceiling(policy: Policy) -> str:
    """Say how far the policy lets the product go by itself.

    >>> ceiling(Policy())
    'at most 2 a day, never where the policy asks for a person'
    """
    if policy.autonomy_a_day < 1:
        return "nothing: the policy lets none act alone"
    return f"at most {policy.autonomy_a_day:g} a day, never where the policy asks for a person"


def ladder(session: Session) -> list[Rung]:
    """Return how every kind that can be left to the product stands, for every model."""
    known = outcomes.records(session)
    leaves = {(row.model, row.kind): row for row in session.scalars(select(Autonomy))}
    empty = Record(0, 0, 0, 0, 0, 0.0)
    found = []
    for spec in specs.all_active(session):
        policy = policies.in_force(session, spec.name).policy
        for kind in KINDS_ALONE:
            about = spec.name, kind
            found.append(rung(leaves.get(about), *about, known.get(about, empty), policy))
    return found


def may_act(
    session: Session, model: str, kind: str, policy: Policy, *, now: datetime
) -> tuple[bool, str]:
    """Say whether a kind of action on a model is left to the product now, and why or why not.

    Inside a command the leave is locked first, so that it is not withdrawn at the same moment.
    """
    if kind not in KINDS_ALONE:
        return False, f"To {words(kind)} is never left to the product."
    leave = session.get(Autonomy, (model, kind), with_for_update=True)
    stands = rung(leave, model, kind, outcomes.record(session, model, kind, own=True), policy)
    if stands.state != ACTS:
        return False, stands.sentence
    if note := notes.freeze(session, model, now):
        return False, f"A person decides: changes are frozen by {note.author} ({note.text})."
    if (n := own_actions(session, model, kind, now - DAY)) >= policy.autonomy_a_day:
        return False, f"A person decides: the product did this {n} times in 24 hours already."
    return True, stands.sentence


def own_actions(session: Session, model: str, kind: str, since: datetime) -> int:
    """Count what the product did by its leave, whatever came of it."""
    query = select(func.count()).where(ActionRow.model == model, ActionRow.kind == kind)
    return session.scalar(query.where(ActionRow.origin == ALONE, ActionRow.at > since)) or 0


def bad_outcome(session: Session, stands: Rung) -> Outcome | None:
    """Return the outcome that a rung fell by, or None."""
    return session.get(Outcome, stands.bad) if stands.bad else None


def _state(
    leave: Autonomy | None, record: Record, policy: Policy
) -> tuple[str, datetime | None, str | None]:
    if leave is None or leave.state != GRANTED:
        return OFF, leave.at if leave else None, None
    if policy.autonomy_a_day >= 1 and record.enough(policy.autonomy_bar, policy.autonomy_least):
        return ACTS, leave.at, None
    if record.last_bad is not None and record.last_bad[0] >= leave.at:
        return FALLEN, *record.last_bad
    return EARNING, leave.at, None


def _sentence(kind: str, state: str, more: int | None, policy: Policy) -> str:
    if state == ACTS:
        return "It acts alone: its record is good enough."
    if state == OFF:
        return "A person decides: nobody gave it leave."
    if policy.autonomy_a_day < 1:
        return "A person decides: the policy lets none act alone."
    if kind not in outcomes.MEASURED:
        return "A person decides: it has no effect to measure, so it earns no record."
    if more is None:
        return "A person decides: no record reaches the bar that the policy sets."
    fell = "after a bad outcome, " if state == FALLEN else ""
    what = "good outcome is" if more == 1 else "good outcomes in a row are"
    return f"A person decides: {fell}{more} more {what} needed."
