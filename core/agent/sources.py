"""Where facts come from: one reader per group of facts, each yielding only what exists."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import predictions, releases
from core.errors import ConflictError
from core.experiments import lifecycle
from core.monitoring import reports
from core.statistics.intervals import newcombe, wilson
from core.tables.entities import ModelVersion, Recommendation, Release, Run
from core.tables.telemetry import HourlyCount, MonitorReport

ALARM = ("warn", "fail")
RECENT_LABELS = timedelta(days=7)
FEWEST_COMPARED = 50
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
SERVICE_HOURS = 2
MOSTLY = 0.5


@dataclass(frozen=True)
class Item:
    """One reading on its way to becoming a fact; `foreign` values hold a stranger's words."""

    id: str
    value: Any
    source: str
    at: datetime | None = None
    n: int | None = None
    interval: tuple[float, float] | None = None
    foreign: bool = False


@dataclass(frozen=True)
class Scope:
    """What all readers need: the model, what serves, since when, and its conclusive drift reports.

    What was found before a rollback to the version that serves is over.
    """

    session: Session
    model: str
    now: datetime
    release: Release | None
    version: ModelVersion | None
    since: datetime | None = None
    reports: list[MonitorReport] = field(default_factory=list)

    @property
    def drift_report(self) -> MonitorReport | None:
        """The newest drift report that came to a conclusion about what serves."""
        return next(iter(self.reports), None)

    @property
    def alarm(self) -> bool:
        """Whether that report is an alarm, by itself or as the last of many."""
        if self.drift_report is None:
            return False
        watch = self.drift_report.figures.get("watch") or {}
        return self.drift_report.state in ALARM or bool(watch.get("alarm"))


def scope(session: Session, model: str, now: datetime) -> Scope:
    """Return what the readers start from."""
    release = releases.find_current(session, model)
    champion = releases.champion(release) if release else None
    version = session.get(ModelVersion, (model, champion)) if champion else None
    since = releases.serving_since(session, model) if release else None
    of = Scope(session, model, now, release, version, since)
    return replace(of, reports=_judged(of, "drift", limit=50))


def _judged(of: Scope, kind: str, *, limit: int = 1) -> list[MonitorReport]:
    """Return the newest conclusive reports on what serves, made since it serves."""
    if of.version is None:
        return []
    name = of.version.version
    return reports.judged(of.session, of.model, name, kind, limit=limit, since=of.since)


def drift(of: Scope) -> Iterator[Item]:
    """The newest conclusive drift report, and how many alarms in a row it ends."""
    report = of.drift_report
    if report is None:
        return
    source = f"/drift?model={of.model}&report={report.id}"
    yield Item("drift.alarm", of.alarm, source, report.at)
    yield Item("drift.score", report.score, source, report.at, n=report.n_current)
    yield Item("drift.p_value", report.p_value, source, report.at)
    yield Item("drift.n_current", report.n_current, source, report.at)
    yield Item("drift.n_reference", report.n_reference, source, report.at)
    yield Item("drift.windows_in_a_row", _in_a_row(of.reports), source, report.at)
    yield Item("drift.columns", _drifted_columns(report) or None, source, report.at)
    yield Item("drift.seasonal_match", report.figures.get("seasonal_match"), source, report.at)


def _in_a_row(reports: list[MonitorReport]) -> int:
    return sum(1 for _ in takewhile(lambda report: report.state in ALARM, reports))


def _drifted_columns(report: MonitorReport) -> list[str]:
    return [str(one["name"])[:100] for one in _columns(report) if one.get("drifted")]


def texts(of: Scope) -> Iterator[Item]:
    """The size of a text drift, the words and campaigns behind it (a stranger's: not citable)."""
    report = of.drift_report
    if report is None or "vocabulary_drift" not in report.figures:
        return
    source = f"/drift?model={of.model}&report={report.id}"
    for name in ("vocabulary_drift", "tfidf_drift"):
        yield Item(f"text.{name}", report.figures.get(name), source, report.at)
    terms = [
        {"term": term.get("term"), "share": term.get("share_current")}
        for term in report.figures.get("new_terms") or []
    ]
    yield Item("text.new_terms", terms or None, source, report.at, foreign=True)
    campaigns = [
        {name: one.get(name) for name in ("share", "size", "example")}
        for one in report.figures.get("campaigns") or []
    ]
    yield Item("text.campaigns", campaigns or None, source, report.at, foreign=True)


def accuracy(of: Scope) -> Iterator[Item]:
    """Accuracy on labelled traffic of the newest judged window, beside that at registration."""
    if of.version is None:
        return
    source = f"/performance?model={of.model}"
    baseline = of.version.metrics.get("accuracy")
    models = f"/models?model={of.model}&version={of.version.version}"
    yield Item("accuracy.baseline", baseline, models, of.version.at, n=_n_test(of.version))
    counted = predictions.accuracy(
        of.session, of.model, version=of.version.version, since=_labels_since(of)
    )
    yield Item("accuracy.n_labelled", counted.n, source)
    if not counted.n:
        return
    seen = wilson(counted.correct, counted.n)
    interval = (round(seen.low, 6), round(seen.high, 6))
    yield Item("accuracy.current", seen.value, source, n=counted.n, interval=interval)
    if baseline is not None:
        yield Item("accuracy.drop", baseline - seen.value, source, n=counted.n)


def _n_test(version: ModelVersion) -> int | None:
    n = version.metrics.get("n_test")
    return int(n) if n is not None else None


def _labels_since(of: Scope) -> datetime:
    """Start with the newest judged performance window, so that old good days hide nothing."""
    week_ago = of.now - RECENT_LABELS
    found = _judged(of, "performance")
    return max(found[0].window_start, week_ago) if found else week_ago


def quality(of: Scope) -> Iterator[Item]:
    """What the newest report on data quality said."""
    for report in _judged(of, "quality"):
        source = f"/drift?model={of.model}&report={report.id}"
        yield Item("data_quality.status", report.state, source, report.at)
        for name in QUALITY:
            value, words = report.figures.get(name), name == "unit_change"
            told = _unit(value) if words else value
            yield Item(f"data_quality.{name}", told, source, report.at, foreign=words)
        lost = [str(one["name"])[:100] for one in _columns(report) if _mostly_missing(one)]
        yield Item("data_quality.mostly_missing", lost or None, source, report.at)


def _columns(report: MonitorReport) -> list[dict[str, Any]]:
    return [one for one in report.figures.get("columns") or [] if isinstance(one, dict)]


def _mostly_missing(column: dict[str, Any]) -> bool:
    """Whether a column has lost its values: most are missing, and twice as many as before."""
    share, before = column.get("missing") or 0.0, column.get("missing_reference") or 0.0
    return bool(share >= MOSTLY and share >= 2 * before)


def _unit(change: Any) -> str | None:  # noqa: ANN401 (JSON)
    if not isinstance(change, dict):
        return None
    return f"{change['column']}: {change['words']}, by {change['factor']:.4g}"[:100]


def service(of: Scope) -> Iterator[Item]:
    """Errors and latency of the newest judged window, or of the last two hours without one."""
    if of.version is None:
        return
    if fresh := list(_just_judged(of, of.version.version)):
        yield from fresh
        return
    hours = predictions.volume(of.session, of.model, SERVICE_HOURS, now=of.now)
    rows = [row for row in hours if row.version == of.version.version]
    yield from _service("service", rows, f"/performance?model={of.model}")


def _just_judged(of: Scope, version: str) -> Iterator[Item]:
    """What the newest report on the service said of a version, where it is young enough.

    Its window is short, so that a change is not diluted by the good hours before.
    """
    since = of.now - timedelta(hours=SERVICE_HOURS)
    for report in _judged(of, "service"):
        if report.at <= since or (of.release and report.at < of.release.at):
            return
        source = f"/performance?model={of.model}"
        for one in report.figures.get("versions") or []:
            if one.get("version") != version or not one.get("judged"):
                continue
            n, (low, high) = one["requests"], one["error_interval"]
            seen = round(low, 6), round(high, 6)
            p95 = (one.get("latency_p95") or {}).get("value")
            yield Item("service.n_requests", n, source, report.at)
            yield Item("service.error_rate", one["error_rate"], source, report.at, n, seen)
            yield Item("service.latency_p95_ms", p95, source, report.at, n)


def _service(prefix: str, rows: list[HourlyCount], source: str) -> Iterator[Item]:
    n = sum(row.requests for row in rows)
    if not n:
        return
    yield Item(f"{prefix}.n_requests", n, source)
    errors = sum(row.errors for row in rows)
    yield Item(f"{prefix}.error_rate", errors / n, source, n=n)
    yield Item(f"{prefix}.latency_p95_ms", _p95(rows), source, n=n)


def _p95(rows: list[HourlyCount]) -> float | None:
    """Return the upper bound of the bucket that holds the 95th percentile."""
    total: dict[float, int] = {}
    for row in rows:
        for bound, n in row.latency_buckets.items():
            total[float(bound)] = total.get(float(bound), 0) + int(n)
    wanted, seen = 0.95 * sum(total.values()), 0
    for edge in sorted(total):
        seen += total[edge]
        if seen >= wanted:
            return edge
    return None


def deployment(of: Scope) -> Iterator[Item]:
    """What serves, what a rollback would serve, and which of the two is right more often."""
    if of.release is None or of.version is None:
        return
    source = f"/releases?model={of.model}"
    hours = (of.now - of.release.at).total_seconds() / 3600
    yield Item("deployment.current", releases.label(of.release), source, of.release.at)
    yield Item("deployment.hours_since_deploy", round(hours, 2), source)
    yield Item("deployment.rollbacks_last_6h", _rollbacks(of), source)
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


def _compared(of: Scope, current: str, previous: str, source: str) -> Iterator[Item]:
    """Compare the versions on one period where the earlier one ran along (in shadow or an arm).

    Otherwise each in its own time, which `deployment.same_period` tells.
    """
    since = _labels_since(of)
    ask = predictions.accuracy
    now = ask(of.session, of.model, version=current, since=since)
    beside = ask(of.session, of.model, version=previous, since=since, shadow=True)
    if beside.n < FEWEST_COMPARED:
        beside = ask(of.session, of.model, version=previous, since=since)
    same = beside.n >= FEWEST_COMPARED
    then = beside if same else ask(of.session, of.model, version=previous)
    if min(now.n, then.n) < FEWEST_COMPARED:
        return
    gap = newcombe(then.correct, then.n, now.correct, now.n)
    interval = (round(gap.low, 6), round(gap.high, 6))
    yield Item("deployment.current_accuracy", now.accuracy, source, n=now.n)
    yield Item("deployment.previous_accuracy", then.accuracy, source, n=then.n)
    yield Item("deployment.n_compared", min(now.n, then.n), source)
    yield Item("deployment.same_period", same, source)
    yield Item("deployment.difference", gap.value, source, n=gap.n, interval=interval)


def retraining(of: Scope) -> Iterator[Item]:
    """When the model was trained last, and what became of it."""
    source = f"/training?model={of.model}"
    query = select(Run).filter_by(model=of.model).order_by(Run.at.desc()).limit(50)
    runs = list(of.session.scalars(query))
    yield Item("retrain.in_progress", any(r.state in ("queued", "running") for r in runs), source)
    ended = [run.finished_at for run in runs if run.state == "finished" and run.finished_at]
    if ended:
        hours = (of.now - max(ended)).total_seconds() / 3600
        yield Item("retrain.hours_since_last", round(hours, 2), source, max(ended))
    day_ago = of.now - timedelta(days=1)
    recent = sum(run.kind == "retrain" and run.at > day_ago for run in runs)
    yield Item("retrain.retrains_last_24h", recent, source)
    yield Item("retrain.rejected_by_gate_in_a_row", _refused_in_a_row(of), source)


def _newest_versions(of: Scope) -> list[ModelVersion]:
    query = select(ModelVersion).filter_by(model=of.model).order_by(ModelVersion.number.desc())
    return list(of.session.scalars(query.limit(20)))


def _refused_in_a_row(of: Scope) -> int:
    count = 0
    for version in _newest_versions(of):
        if version.gate.get("answer") != "refuse":
            return count
        count += 1
    return count


def candidate(of: Scope) -> Iterator[Item]:
    """The newest candidate that is younger than what serves."""
    newest = next(iter(_newest_versions(of)), None)
    if of.version is None or newest is None or newest.number <= of.version.number:
        return
    if newest.state != "candidate":
        return
    source = f"/models?model={of.model}&version={newest.version}"
    change = newest.gate.get("difference") or {}
    yield Item("candidate.version", newest.version, source, newest.at)
    yield Item("candidate.gate", newest.gate.get("answer"), source, newest.at)
    yield Item("candidate.accuracy", newest.metrics.get("accuracy"), source, n=_n_test(newest))
    yield Item("candidate.improvement", change.get("value"), source, n=newest.gate.get("n"))
    yield Item("candidate.proposed_before", _was_proposed(of, newest.version), source)


def _was_proposed(of: Scope, version: str) -> bool:
    query = select(Recommendation.arguments).filter_by(model=of.model, kind="promote")
    return any(arguments.get("version") == version for arguments in of.session.scalars(query))


def experiment(of: Scope) -> Iterator[Item]:
    """The experiment that what serves carries, arm by arm."""
    row = lifecycle.running(of.session, of.model)
    if row is None:
        return
    source = f"/experiments?id={row.id}"
    state = lifecycle.status(of.session, row.id)
    yield Item("experiment.running", row.name, source)
    yield Item("experiment.id", row.id, source)
    for letter, arm in (("a", "control"), ("b", "treatment")):
        n = state["labelled"][arm]
        yield Item(f"experiment.arm_{letter}", state["versions"][arm], source)
        yield Item(f"experiment.n_{letter}", n, source)
        if n:
            yield Item(f"experiment.acc_{letter}", state["correct"][arm] / n, source, n=n)
    if state["verdict"]:
        yield Item("experiment.srm_p", state["verdict"]["srm_p"], source)
        yield Item("experiment.result", state["verdict"]["result"], source)
    hours = predictions.volume(of.session, of.model, SERVICE_HOURS, now=of.now)
    rows = [hour for hour in hours if hour.variant == "treatment"]
    for item in _service("experiment", rows, source):
        if item.id != "experiment.latency_p95_ms":
            yield Item(f"{item.id}_b", item.value, source, n=item.n)


def pending(of: Scope) -> Iterator[Item]:
    """The proposals that wait and are about what serves now."""
    query = select(Recommendation).filter_by(model=of.model, state="proposed")
    seq = of.release.seq if of.release else 0
    rows = [
        {"id": row.id, "kind": row.kind, "severity": row.severity, "decision": row.decision}
        for row in of.session.scalars(query.order_by(Recommendation.id))
        if row.release_seq == seq and row.expires_at > of.now
    ]
    yield Item("pending_approval", rows or None, "/inbox")
