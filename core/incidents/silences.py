"""Silences: alerts that match are noted and tell nobody, until the silence ends.

What a silence covers is named by exact values; what is left out is any. Critical alerts pass
through it unless it names them: `severity: critical`, and then the model too, so that nobody
silences by accident what must wake them up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import specs
from core.access import Actor
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.ids import new_id
from core.specs.alerts import RULES, SEVERITIES
from core.tables.entities import Alert, Incident, Silence

LONGEST = timedelta(days=30)
LOOK_BACK = timedelta(days=7)
MATCHERS = ("model", "rule", "cause", "severity")
NO_MODEL = "*"
"""The model of alerts that are about none that is known here; as a matcher those, and no others."""
Matchers = Mapping[str, str]


@dataclass(frozen=True)
class Preview:
    """What a silence would cover now, and would have covered in the last 7 days."""

    now: tuple[Alert, ...]
    before: tuple[Alert, ...]
    incidents: tuple[Incident, ...]
    sentence: str


def create(
    db: Database,
    actor: Actor,
    *,
    matchers: Matchers,
    hours: float,
    comment: str,
    starts_at: datetime | None = None,
) -> Silence:
    """Silence what matches for some hours, from now or from `starts_at` on.

    Raises: InvalidInputError (nothing named, an unknown value, longer than 30 days, no comment,
    in the past, critical without a model); NotFoundError (no such model); ForbiddenError.
    """
    with db.command(actor, "silence.create") as command:
        return create_in(
            command, matchers=matchers, hours=hours, comment=comment, starts_at=starts_at
        )


def create_in(
    command: Command,
    *,
    matchers: Matchers,
    hours: float,
    comment: str,
    starts_at: datetime | None = None,
    author: str | None = None,
) -> Silence:
    """Do what `create` does inside a command; `author` is who approved it, where nobody asked."""
    given = checked(command.session, matchers)
    start = _start(starts_at, command.now)
    if not 0 < hours <= LONGEST / timedelta(hours=1):
        raise InvalidInputError("a silence lasts more than 0 hours and at most 30 days (720)")
    if not comment.strip():
        raise InvalidInputError("say in a few words why this may be silent")
    row = Silence(
        id=new_id(command.now),
        matchers=given,
        author=author or command.actor.name,
        comment=comment.strip(),
        starts_at=start,
        ends_at=start + timedelta(hours=hours),
        at=command.now,
    )
    command.session.add(row)
    command.note(model=given.get("model"), reason=row.comment, silence=row.id, covers=given)
    command.note(ends_at=row.ends_at.isoformat())
    return row


def _start(starts_at: datetime | None, now: datetime) -> datetime:
    if starts_at is None:
        return now
    if starts_at.tzinfo is None:
        raise InvalidInputError("say in which time zone a silence starts")
    if not now - timedelta(minutes=5) <= starts_at <= now + LONGEST:
        raise InvalidInputError("a silence starts now, or in the next 30 days")
    return starts_at


def checked(session: Session, matchers: Matchers) -> dict[str, str]:
    """Return matchers with what was left empty removed.

    Raises: InvalidInputError (none, unknown, or too wide); NotFoundError (no such model).
    """
    given = {name: str(value).strip() for name, value in matchers.items() if value}
    if unknown := sorted(set(given) - set(MATCHERS)):
        raise InvalidInputError(
            f"a silence cannot match by {unknown[0]}; it can by {', '.join(MATCHERS)}"
        )
    if not given:
        raise InvalidInputError("a silence must say what it covers: a model, rule or severity")
    if given.get("model", NO_MODEL) != NO_MODEL:
        given["model"] = specs.active(session, given["model"]).name
    causes = known_causes(session)
    for name, known in (("rule", [*RULES]), ("cause", causes), ("severity", [*SEVERITIES])):
        if name in given and given[name] not in known:
            raise InvalidInputError(f"there is no {name} {given[name]}; there is {_list(known)}")
    if given.get("severity") == "critical" and "model" not in given:
        raise InvalidInputError("to silence critical alerts, name the model too")
    return given


def known_causes(session: Session) -> list[str]:
    """Return the causes that can be silenced: those of the rules, and of all that is open."""
    living = session.scalars(select(Incident.cause).where(Incident.state != "resolved"))
    return sorted({rule.cause for rule in RULES.values()} | set(living))


def _list(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}"


def end(db: Database, actor: Actor, silence_id: str, reason: str) -> Silence:
    """End a silence early, or call off one to come; what still fires is told at the next check.

    Raises: NotFoundError; ConflictError (it is over); InvalidInputError (no reason);
    ForbiddenError.
    """
    with db.command(actor, "silence.end") as command:
        return end_in(command, silence_id, reason)


def end_in(command: Command, silence_id: str, reason: str) -> Silence:
    """Do what `end` does inside a command."""
    if not reason.strip():
        raise InvalidInputError("say in a few words why the silence ends")
    row = get(command.session, silence_id, lock=True)
    command.note(model=row.matchers.get("model"), reason=reason.strip(), silence=row.id)
    check_counts(row, command.now)
    row.ends_at, row.ended_by = command.now, command.actor.name
    return row


def get(session: Session, silence_id: str, *, lock: bool = False) -> Silence:
    """Return a silence. Raises: NotFoundError."""
    query = select(Silence).filter_by(id=silence_id)
    if row := session.scalars(query.with_for_update() if lock else query).first():
        return row
    raise NotFoundError(f"there is no silence {silence_id}")


def check_counts(silence: Silence, now: datetime) -> None:
    """Raise `ConflictError` once a silence is over."""
    if state(silence, now) == "expired":
        raise ConflictError("this silence is over already")


def state(silence: Silence, now: datetime) -> str:
    """Return what the clock says of a silence: pending, active or expired."""
    if silence.ended_by is not None or now >= silence.ends_at:
        return "expired"
    return "active" if now >= silence.starts_at else "pending"


def all(session: Session, *, limit: int = 200) -> list[Silence]:
    """Return silences, the one that ends last first."""
    query = select(Silence).order_by(Silence.ends_at.desc(), Silence.id.desc())
    return list(session.scalars(query.limit(limit)))


def covers(matchers: Matchers, *, model: str, rule: str, cause: str, severity: str) -> bool:
    """Say whether matchers cover an alert; a critical one only where they name that severity.

    >>> alert = {"model": "spam", "rule": "drift", "cause": "drift"}
    >>> covers({"model": "spam"}, **alert, severity="high")
    True
    >>> covers({"model": "spam"}, **alert, severity="critical")
    False
    >>> covers({"model": "spam", "severity": "critical"}, **alert, severity="critical")
    True
    """
    if severity == "critical" and matchers.get("severity") != "critical":
        return False
    about = {"model": model, "rule": rule, "cause": cause, "severity": severity}
    return {name: about[name] for name in matchers} == dict(matchers)


def covering(
    session: Session, now: datetime, *, model: str, rule: str, cause: str, severity: str
) -> Silence | None:
    """Return the active silence that covers an alert and ends last, or None."""
    query = select(Silence).where(Silence.starts_at <= now, Silence.ends_at > now)
    query = query.where(Silence.ended_by.is_(None)).order_by(Silence.ends_at.desc())
    about = {"model": model, "rule": rule, "cause": cause, "severity": severity}
    return next((row for row in session.scalars(query) if covers(row.matchers, **about)), None)


def cause_of(alert: Alert) -> str:
    """Return which incident an alert belongs to."""
    rule = RULES.get(alert.rule)  # type: ignore[call-overload]
    return rule.cause if rule else alert.fingerprint.split(":")[1]


def about(alert: Alert) -> dict[str, str]:
    """Return what matchers are compared with, of an alert."""
    own = {"model": alert.model, "rule": alert.rule, "severity": alert.severity}
    return {**own, "cause": cause_of(alert)}


def preview(session: Session, matchers: Matchers, now: datetime) -> Preview:
    """Say what a silence would cover now, and would have covered in the last 7 days.

    Raises: as `create` does of its matchers.
    """
    given = checked(session, matchers)
    query = select(Alert).where((Alert.state != "resolved") | (Alert.at > now - LOOK_BACK))
    matching = [
        row
        for row in session.scalars(query.order_by(Alert.at.desc()))
        if covers(given, **about(row))
    ]
    living = tuple(row for row in matching if row.state != "resolved")
    before = tuple(row for row in matching if row.at > now - LOOK_BACK)
    ids = {row.incident_id for row in living if row.incident_id}
    open_ones = tuple(session.scalars(select(Incident).where(Incident.id.in_(ids))))
    return Preview(living, before, open_ones, _sentence(given, living, before, open_ones))


def _sentence(
    matchers: Matchers,
    living: Sequence[Alert],
    before: Sequence[Alert],
    open_ones: Sequence[Incident],
) -> str:
    now = f"{_count(len(living))} now"
    told = f"{_count(len(before))} of the last 7 days"
    held = " What is open already stays open and sends no more messages." if open_ones else ""
    wake = "" if matchers.get("severity") == "critical" else " Critical alerts pass through it."
    return f"{describe(matchers)}: this covers {now}, and would have covered {told}.{held}{wake}"


def _count(n: int) -> str:
    return f"{n or 'no'} alert{'' if n == 1 else 's'}"


def describe(matchers: Matchers) -> str:
    """Say in words what matchers cover.

    >>> describe({"model": "spam", "severity": "low"}), describe({"rule": "latency"})
    ('Low alerts of spam', 'Alerts of rule latency')
    >>> describe({"model": "*", "severity": "critical"})
    'Critical alerts that name no model'
    """
    words = f"{matchers.get('severity', '')} alerts".strip().capitalize()
    if rule := matchers.get("rule"):
        words += f" of rule {rule}"
    if cause := matchers.get("cause"):
        words += f" of cause {cause}"
    if model := matchers.get("model"):
        words += " that name no model" if model == NO_MODEL else f" of {model}"
    return words
