"""Facts about the data: whether inputs are sound, and where labels come from."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select

from core.agent.sources.scope import Item, Scope, dicts
from core.tables.telemetry import Label, MonitorReport, Prediction

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
LABELS_OF, LABELS_BEFORE = timedelta(days=1), timedelta(days=31)
MOST_BEFORE = 20_000
"""Of the labels before, so many are enough to compare with; those of the last day all count."""


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


Counts = Counter[tuple[str, str]]
"""How many labels there are by (source, value)."""


def label_sources(of: Scope) -> Iterator[Item]:
    """What the labels of the last day say and how many come from one source, and those before."""
    if of.version is None:
        return
    recent = _labels(of, of.now - LABELS_OF, of.now)
    earlier = _labels(of, of.now - LABELS_BEFORE, of.now - LABELS_OF, MOST_BEFORE)
    positive = str(of.version.signature.get("positive") or "")
    for name, labels in (("", recent), ("_before", earlier)):
        n, source = labels.total(), f"/performance?model={of.model}"
        if n < FEWEST_LABELS:
            continue
        share = sum(count for (_, value), count in labels.items() if value == positive) / n
        if positive:
            yield Item(f"data_quality.label_positive_rate{name}", share, source, n=n)
        if earlier.total() >= FEWEST_LABELS:  # of what always came from one, nothing is told
            top = _top_share(labels)
            yield Item(f"data_quality.label_concentration_top_source{name}", top, source, n=n)


def _labels(of: Scope, after: datetime, until: datetime, most: int | None = None) -> Counts:
    """Count the labels of the model's own answers in a stretch of time, the newest if `most`."""
    ours = (Prediction.id == Label.prediction_id, Prediction.model == of.model)
    said = (
        select(Label.source, Label.value)
        .join(Prediction, and_(*ours, ~Prediction.is_shadow))
        .where(Label.at > after, Label.at <= until)
        .order_by(Label.at.desc())
        .limit(most)
    ).subquery()
    by = (said.c.source, said.c.value)
    rows = of.session.execute(select(*by, func.count()).group_by(*by))
    return Counter({(source, value): n for source, value, n in rows})


def _top_share(labels: Counts) -> float:
    sources: Counter[str] = Counter()
    for (source, _), n in labels.items():
        sources[source] += n
    return max(sources.values()) / sources.total()
