"""Facts about how right the answers are: matured labels, how late they come, and the estimate."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from core.agent.sources.scope import LONGEST_HISTORY, Item, Scope
from core.monitoring import reports
from core.statistics.intervals import wilson
from core.tables.entities import ModelVersion
from core.tables.telemetry import MonitorReport

RECENT_LABELS = timedelta(days=7)

Interval = tuple[float, float]


def accuracy(of: Scope) -> Iterator[Item]:
    """Accuracy of the newest labelled answers that are old enough, beside that at registration."""
    if of.version is None:
        return
    baseline = of.version.metrics.get("accuracy")
    models = f"/models?model={of.model}&version={of.version.version}"
    yield Item("accuracy.baseline", baseline, models, of.version.at, n=n_test(of.version))
    judged = fresh_report(of)
    told = judged.figures.get("accuracy") if judged else None
    known = _reported(of, judged) if judged and told is not None else _counted(of)
    for item in known:
        yield item
        if item.id == "accuracy.current" and baseline is not None:
            yield Item("accuracy.drop", baseline - item.value, item.source, item.at, n=item.n)
    yield from _labels(of, judged=told is not None)
    yield from _estimated(of)
    yield from _history(of, baseline)


def n_test(version: ModelVersion) -> int | None:
    """Return on how many held-out rows a version was judged."""
    n = version.metrics.get("n_test")
    return int(n) if n is not None else None


def fresh_report(of: Scope) -> MonitorReport | None:
    """Return the newest report on labelled answers, where labels came in this week."""
    found = of.performance_report
    return found if found is not None and found.at > of.now - RECENT_LABELS else None


def labels_since(of: Scope) -> datetime:
    """Start with the newest judged window of what serves, so that old good days hide nothing."""
    week_ago, found = of.now - RECENT_LABELS, of.performance_report
    return max(week_ago, of.since or week_ago, found.window_start if found else week_ago)


def interval(pair: Any) -> Interval | None:  # noqa: ANN401 (JSON)
    """Return a report's interval, rounded."""
    if not isinstance(pair, list | tuple) or len(pair) != 2 or None in pair:
        return None
    return round(float(pair[0]), 6), round(float(pair[1]), 6)


def _link(of: Scope) -> str:
    return f"/performance?model={of.model}"


def _reported(of: Scope, report: MonitorReport) -> Iterator[Item]:
    """Yield what the newest report judged: only answers that are old enough are in it."""
    found, n = report.figures, int(report.figures.get("n_labelled") or report.n_current)
    yield Item("accuracy.n_labelled", n, _link(of), report.at)
    spread = interval(found.get("accuracy_interval"))
    yield Item("accuracy.current", found["accuracy"], _link(of), report.at, n, spread)


def _counted(of: Scope) -> Iterator[Item]:
    """Yield the accuracy of the newest labelled answers where no report has judged them."""
    if of.version is None:
        return
    n, right = of.labelled(of.version.version, labels_since(of), of.now)
    yield Item("accuracy.n_labelled", n, _link(of))
    if not n:
        return
    seen = wilson(right, n)
    spread = interval((seen.low, seen.high))
    yield Item("accuracy.current", seen.value, _link(of), n=seen.n, interval=spread)


def labels_figures(of: Scope) -> tuple[MonitorReport | None, Mapping[str, Any]]:
    """Return the newest report that says how late labels come, and what it says."""
    if of.version is None:
        return None, {}
    found = reports.reports(
        of.session,
        of.model,
        "performance",
        limit=1,
        version=of.version.version,
        origin=reports.LIVE,
        since=of.since,
    )
    return (found[0], found[0].figures.get("labels") or {}) if found else (None, {})


def _labels(of: Scope, *, judged: bool) -> Iterator[Item]:
    """Yield how late labels come, of how many answers, and whether the figures have matured."""
    report, known = labels_figures(of)
    if report is None or not known:
        return
    link, n = _link(of), known.get("n_predictions")
    yield Item("accuracy.label_lag_hours", known.get("lag_p90_hours"), link, report.at, n)
    yield Item("accuracy.label_coverage", known.get("coverage"), link, report.at, n)
    at_once = bool(known.get("settled")) and not known.get("delay_hours")
    yield Item("accuracy.mature", judged or at_once, link, report.at)


def _estimated(of: Scope) -> Iterator[Item]:
    """Yield how right the newest answers probably are, before any label."""
    if (report := of.newest("estimate")) is None:
        return
    spread = interval(report.figures.get("accuracy_interval"))
    value = report.figures.get("accuracy")
    yield Item("accuracy.estimated", value, _link(of), report.at, report.n_current, spread)


def _history(of: Scope, baseline: float | None) -> Iterator[Item]:
    past = of.past("performance")[:LONGEST_HISTORY] if baseline is not None else []
    values = [round(baseline - one.score, 4) for one in past if one.score is not None and baseline]
    if values:
        yield Item("accuracy.history", values[::-1], _link(of), past[0].at, n=len(values))


def concept(of: Scope) -> Iterator[Item]:
    """What labels say against what the probabilities promised on the same answers."""
    if (report := of.newest("concept")) is None:
        return
    found, link = report.figures, _link(of)
    yield Item("concept.alarm", report.state == "fail", link, report.at, n=report.n_current)
    spread = interval(found.get("gap_interval"))
    yield Item("concept.gap", found.get("gap"), link, report.at, report.n_current, spread)
