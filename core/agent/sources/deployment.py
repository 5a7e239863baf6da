"""Facts about what serves, what a rollback would serve, and which of the two is better."""

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import func, select

from core import predictions, releases
from core.agent.sources.accuracy import fresh_report, interval, labels_since
from core.agent.sources.scope import Item, Scope, dicts
from core.errors import ConflictError
from core.monitoring import reports
from core.statistics.intervals import newcombe
from core.tables.entities import Release

FEWEST_COMPARED = 50
MOST_SLICES = 10
LONG_AGO = timedelta(days=60)


class _Right(NamedTuple):
    """How many labelled answers there were, and how many were right."""

    n: int
    correct: int


def deployment(of: Scope) -> Iterator[Item]:
    """What serves, what a rollback would serve, and how the two compare."""
    if of.release is None or of.version is None:
        return
    source = f"/releases?model={of.model}"
    yield Item("deployment.current", releases.label(of.release), source, of.release.at)
    since = of.since or of.release.at  # other weights or a threshold make no version young
    yield Item("deployment.hours_since_deploy", of.hours_ago(since), source, since)
    yield Item("deployment.rollbacks_last_6h", _rollbacks(of), source)
    yield from _slices(of)
    try:
        good = releases.last_good_before(of.session, of.release)
    except ConflictError:
        yield Item("deployment.previous_available", False, source)
        return
    previous = releases.champion(good)
    yield Item("deployment.previous_available", True, source)
    yield Item("deployment.previous", previous, source, good.at)
    yield from _compared(of, of.version.version, previous, source)


def _rollbacks(of: Scope) -> int:
    query = select(func.count()).select_from(Release).where(Release.model == of.model)
    recent = (Release.undoes.is_not(None), Release.at > of.now - timedelta(hours=6))
    return of.session.scalar(query.where(*recent)) or 0


def _slices(of: Scope) -> Iterator[Item]:
    """Yield the parts of the traffic in which the version is surely worse than at registration."""
    if (report := fresh_report(of)) is None:
        return
    worse = [one for one in dicts(report.figures.get("slices")) if one.get("state") == "worse"]
    names = [str(one.get("name"))[:100] for one in worse][:MOST_SLICES]
    source = f"/performance?model={of.model}"
    yield Item("deployment.slice_regressions", names or None, source, report.at, n=len(names))


def _compared(of: Scope, current: str, previous: str, source: str) -> Iterator[Item]:
    """Compare the versions on one period where the earlier one ran along (in shadow or an arm).

    Otherwise each in its own time, which `deployment.same_period` tells.
    """
    now, beside = _now(of, current), _beside(of, previous)
    same = beside.n >= FEWEST_COMPARED
    then = beside if same else _then(of, previous)
    if min(now.n, then.n) < FEWEST_COMPARED:
        return
    gap = newcombe(then.correct, then.n, now.correct, now.n)
    yield Item("deployment.current_accuracy", now.correct / now.n, source, n=now.n)
    yield Item("deployment.previous_accuracy", then.correct / then.n, source, n=then.n)
    yield Item("deployment.n_compared", min(now.n, then.n), source)
    yield Item("deployment.same_period", same, source)
    spread = interval((gap.low, gap.high))
    yield Item("deployment.difference", gap.value, source, n=gap.n, interval=spread)
    yield Item("deployment.p_worse", p_worse(then, now), source, n=gap.n)


def p_worse(before: tuple[int, int], now: tuple[int, int]) -> float:
    """Return how likely so low a share is if it is no lower than before: one-sided, pooled z.

    Each is (n, right ones); half an outcome of each kind is added (Agresti, Caffo 2000).

    >>> round(p_worse((400, 380), (400, 340)), 7) < 0.001 < p_worse((50, 48), (50, 47))
    True
    """
    (n, right), (m, still) = before, now
    pooled = (right + still + 1) / (n + m + 2)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return 0.5 * math.erfc((right / n - still / m) / error / math.sqrt(2))


def _now(of: Scope, current: str) -> _Right:
    """Return how right what serves is: as its newest report says, else counted."""
    report = fresh_report(of)
    if report is not None and (n := report.figures.get("n_labelled")):
        return _Right(int(n), int(report.figures.get("n_correct") or 0))
    return _Right(*of.labelled(current, labels_since(of), of.now))


def _beside(of: Scope, previous: str) -> _Right:
    """Return how right the earlier version was since then, in shadow or in an arm of its own."""
    variants = {
        arm.variant
        for release in releases.history(of.session, of.model)
        if of.since is None or release.at >= of.since
        for arm in releases.arms(release)
        if arm.version == previous
    }
    if not variants:
        return _Right(0, 0)
    found = predictions.accuracy(
        of.session,
        of.model,
        version=previous,
        since=labels_since(of),
        shadow="shadow" in variants,
    )
    return _Right(found.n, found.correct)


def _then(of: Scope, previous: str) -> _Right:
    """Return what the last report on the earlier version said of it, in its own time."""
    for report in reports.judged(of.session, of.model, previous, "performance", limit=1):
        if n := report.figures.get("n_labelled"):
            return _Right(int(n), int(report.figures.get("n_correct") or 0))
    until = of.since or of.now
    return _Right(*of.labelled(previous, until - LONG_AGO, until))
