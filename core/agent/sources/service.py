"""Facts about serving: errors, latency, and how many replicas there are."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select

from core import predictions
from core.agent.sources.scope import SERVICE_HOURS, Item, Scope, alarms_in_a_row
from core.monitoring.service import merged, percentile
from core.tables.entities import ActionRow
from core.tables.telemetry import HourlyCount


def service(of: Scope) -> Iterator[Item]:
    """Errors and latency of the newest judged window, or of the last two hours without one."""
    if of.version is None:
        return
    if fresh := list(_just_judged(of, of.version.version)):
        yield from fresh
        return
    hours = predictions.volume(of.session, of.model, SERVICE_HOURS, now=of.now)
    rows = [row for row in hours if row.version == of.version.version]
    yield from counted("service", rows, f"/performance?model={of.model}")


def _just_judged(of: Scope, version: str) -> Iterator[Item]:
    """What the newest report on the service said of a version, where it is young enough.

    Its window is short, so that a change is not diluted by the good hours before.
    """
    report = of.newest("service")
    if report is None or report.at <= of.now - timedelta(hours=SERVICE_HOURS):
        return
    if of.release and report.at < of.release.at:
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
        windows = alarms_in_a_row(of.past("service"))
        yield Item("service.windows_in_a_row", windows, source, report.at)


def counted(prefix: str, rows: list[HourlyCount], source: str) -> Iterator[Item]:
    """Yield errors and latency of hourly counters."""
    n = sum(row.requests for row in rows)
    if not n:
        return
    yield Item(f"{prefix}.n_requests", n, source)
    errors = sum(row.errors for row in rows)
    yield Item(f"{prefix}.error_rate", errors / n, source, n=n)
    yield Item(f"{prefix}.latency_p95_ms", _p95(rows), source, n=n)


def _p95(rows: list[HourlyCount]) -> float | None:
    """Return the 95th percentile, within its bucket; slower than the last bound is that bound."""
    found = percentile(merged(row.latency_buckets for row in rows))
    return found.value if found else None


def scale(of: Scope) -> Iterator[Item]:
    """How many replicas the newest `scale` asked for, and whether one more can be asked for."""
    query = select(ActionRow).filter_by(kind="scale", state="succeeded")
    done = of.session.scalars(query.order_by(ActionRow.id.desc()).limit(1)).first()
    asked = str(done.arguments.get("replicas") or "") if done else ""
    now = int(asked) if asked.isdigit() else of.settings.scale_replicas
    able = bool(of.settings.scale_command or of.settings.scale_webhook_url)
    if not able and done is None:
        return
    at = done.finished_at if done else None
    yield Item("scale.replicas", now, "/automation", at)
    yield Item("scale.possible", able and now < of.settings.scale_most, "/automation")
