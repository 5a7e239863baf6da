"""Errors and slow answers before and after, from the hourly counters."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select

from core.clock import hour_of
from core.monitoring import service
from core.outcomes.cases import Case
from core.outcomes.grading import Counted
from core.tables.telemetry import HourlyCount

Pair = tuple[str, Counted, Counted]

HOURS = 6
"""Whole hours before and after that are compared."""

_LOOK_BACK = timedelta(days=7)


def shares_by_version(case: Case, before: str, after: str, at: datetime) -> list[Pair] | None:
    """Return errors and slow answers of one version before `at` and of another since.

    They are counted by version, so that the hour of the change belongs to both. None where either
    has too few requests (`min_requests` of the policy).
    """
    first, middle = hour_of(at - _LOOK_BACK), hour_of(at)
    old = _counted(case, (first, middle), before)
    new = _counted(case, (middle, hour_of(case.now)), after)
    return pairs(case, old, new)


def shares_by_time(case: Case, at: datetime) -> list[Pair] | None:
    """Return errors and slow answers in the six whole hours before the one of `at`, and after."""
    middle = hour_of(at)
    old = _counted(case, (middle - HOURS, middle - 1))
    new = _counted(case, (middle + 1, middle + HOURS))
    return pairs(case, old, new)


def pairs(case: Case, old: list[HourlyCount], new: list[HourlyCount]) -> list[Pair] | None:
    """Return the shares of two sets of counters side by side."""
    limit = case.policy.latency_warning_ms
    sides = [(_errors(rows), _slow(rows, limit)) for rows in (old, new)]
    least = max(1, case.policy.min_requests)
    if min(errors.n for errors, _ in sides) < least:
        return None
    found = [("errors", sides[0][0], sides[1][0])]
    if min(slow.n for _, slow in sides) >= least:
        found.append((f"answers over {limit:g} ms", sides[0][1], sides[1][1]))
    return found


def _counted(case: Case, hours: tuple[int, int], version: str | None = None) -> list[HourlyCount]:
    query = select(HourlyCount).where(HourlyCount.hour.between(*hours))
    query = query.where(HourlyCount.variant != "shadow")
    if case.action.model != "*":
        query = query.where(HourlyCount.model == case.action.model)
    if version is not None:
        query = query.where(HourlyCount.version == version)
    return list(case.session.scalars(query))


def _errors(rows: Iterable[HourlyCount]) -> Counted:
    found = list(rows)
    return Counted(sum(row.errors for row in found), sum(row.requests for row in found))


def _slow(rows: Iterable[HourlyCount], limit: float) -> Counted:
    buckets = service.merged(row.latency_buckets for row in rows)
    slow = sum(n for bound, n in buckets.items() if float(bound) > limit)
    return Counted(slow, sum(buckets.values()))


def arms(case: Case, start: datetime, end: datetime) -> tuple[Counted, Counted] | None:
    """Return the failed requests of control and treatment while an experiment ran.

    None where an arm has too few requests.
    """
    query = select(HourlyCount).where(HourlyCount.hour.between(hour_of(start), hour_of(end)))
    rows = list(case.session.scalars(query.where(HourlyCount.model == case.action.model)))
    split = ([row for row in rows if row.variant == name] for name in ("control", "treatment"))
    control, treatment = (_errors(part) for part in split)
    least = max(1, case.policy.min_requests)
    return (control, treatment) if min(control.n, treatment.n) >= least else None
