"""Facts about the data: whether inputs are sound, and where labels come from."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select

from core.agent.sources.scope import Item, Scope, dicts
from core.tables.telemetry import Label, MonitorReport

QUALITY = (
    "missing_rate_max",
    "schema_ok",
    "freshness_min",
    "new_category_share",
    "duplicate_share",
    "unit_change",
    "feature_null_rate",
    "raw_feed_ok",
)
MOSTLY = 0.5
FEWEST_LABELS = 50
LABELS_OF = timedelta(days=1)


def quality(of: Scope) -> Iterator[Item]:
    """What the newest report on data quality said."""
    if (report := of.newest("quality")) is None:
        return
    source = f"/drift?model={of.model}&report={report.id}"
    yield Item("data_quality.status", report.state, source, report.at, n=report.n_current)
    for name in QUALITY:
        value, words = report.figures.get(name), name == "unit_change"
        told = _unit(value) if words else value
        yield Item(f"data_quality.{name}", told, source, report.at, foreign=words)
    yield from _missing(report, source)


def _missing(report: MonitorReport, source: str) -> Iterator[Item]:
    """Yield what is missing beyond the reference: some columns are never full."""
    columns = dicts(report.figures.get("columns"))
    lost = [str(one["name"])[:100] for one in columns if _mostly_missing(one)]
    yield Item("data_quality.mostly_missing", lost or None, source, report.at)
    more = [(one.get("missing") or 0.0) - (one.get("missing_reference") or 0.0) for one in columns]
    yield Item("data_quality.missing_more", max(more, default=None), source, report.at)


def _mostly_missing(column: dict[str, Any]) -> bool:
    """Whether a column has lost its values: most are missing, and twice as many as before."""
    share, before = column.get("missing") or 0.0, column.get("missing_reference") or 0.0
    return bool(share >= MOSTLY and share >= 2 * before)


def _unit(change: Any) -> str | None:  # noqa: ANN401 (JSON)
    if not isinstance(change, dict):
        return None
    return f"{change['column']}: {change['words']}, by {change['factor']:.4g}"[:100]


class _Told(NamedTuple):
    source: str
    value: str
    at: datetime


def label_sources(of: Scope) -> Iterator[Item]:
    """What the labels of the last day say and how many come from one source, and those before."""
    if of.version is None:
        return
    told = _newest_labels(of)
    recent = [one for one in told if one.at > of.now - LABELS_OF]
    earlier = [one for one in told if one.at <= of.now - LABELS_OF]
    positive = str(of.version.signature.get("positive") or "")
    for name, labels in (("", recent), ("_before", earlier)):
        n, source = len(labels), f"/performance?model={of.model}"
        if n < FEWEST_LABELS:
            continue
        share = sum(one.value == positive for one in labels) / n
        top = _top_share(labels)
        if positive:
            yield Item(f"data_quality.label_positive_rate{name}", share, source, n=n)
        if len(earlier) >= FEWEST_LABELS:  # of labels that always came from one, nothing is told
            yield Item(f"data_quality.label_concentration_top_source{name}", top, source, n=n)


def _newest_labels(of: Scope) -> list[_Told]:
    """Return what sources said of the answers whose truth is known by the newest labels."""
    ids = [one.id for one in of.outcomes]
    query = select(Label.source, Label.value, Label.at).where(Label.prediction_id.in_(ids))
    return [_Told(*row) for row in of.session.execute(query)] if ids else []


def _top_share(labels: Sequence[_Told]) -> float:
    return max(Counter(one.source for one in labels).values()) / len(labels)
