"""What is watched of a model, rule by rule: how each stands, and why it did or did not fire."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.incidents import reading, rules
from core.incidents.lifecycle import fingerprint
from core.incidents.rules import Watch
from core.monitoring import reports, signals
from core.monitoring.signals import Signal
from core.specs import ModelSpec
from core.tables.entities import Alert
from core.tables.telemetry import MonitorReport


@dataclass(frozen=True)
class Standing:
    """One rule of a model: its state now, the last signal about it, and why it is so.

    `state`: off, unknown, ok, pending, firing or suppressed.
    """

    watch: Watch
    state: str
    signal: Signal | None
    alert: Alert | None
    report: MonitorReport | None
    why: str


def standings(session: Session, spec: ModelSpec) -> list[Standing]:
    """Return how every rule of a model stands."""
    newest: dict[str, list[MonitorReport]] = {}
    for watch in rules.all_of(spec):
        if watch.kind not in newest:
            newest[watch.kind] = _live(session, spec.name, watch.kind)
    return [_stands(session, spec, watch, newest[watch.kind]) for watch in rules.all_of(spec)]


def standing(session: Session, spec: ModelSpec, rule: str) -> Standing:
    """Return how one rule of a model stands; `rule` is one of RULES."""
    watch = rules.of(spec, rule)
    return _stands(session, spec, watch, _live(session, spec.name, watch.kind))


def _live(session: Session, model: str, kind: str) -> list[MonitorReport]:
    """Return the newest report of a kind, and the newest that came to a conclusion."""
    live = reports.reports(session, model, kind, limit=20, origin=reports.LIVE)
    return [*live[:1], *[row for row in live[1:] if signals.read(row)][:1]]


def _stands(
    session: Session, spec: ModelSpec, watch: Watch, found: Sequence[MonitorReport]
) -> Standing:
    alert = reading.find_live(session, fingerprint(spec.name, watch.cause, watch.name))
    told = ((row, one) for row in found for one in signals.read(row) if one.rule == watch.name)
    report, signal = next(told, (found[0] if found else None, None))
    judged = watch.judged(signal) if signal else "unknown"
    state = alert.state if alert else judged if watch.enabled else "off"
    return Standing(watch, state, signal, alert, report, _why(watch, alert, report, signal))


def _why(
    watch: Watch, alert: Alert | None, report: MonitorReport | None, signal: Signal | None
) -> str:
    if not watch.enabled:
        return "Switched off in the model's spec."
    if alert is not None:
        return f"{_count(watch, alert)} {alert.sentence}"
    if report is None:
        return "No check has told of this yet."
    if signal is None:
        return report.sentence
    if signal.n < watch.min_samples:
        return f"{signal.n:,} are too few to judge by; {watch.min_samples:,} are asked for."
    return signal.sentence


def _count(watch: Watch, alert: Alert) -> str:
    if alert.state == "pending":
        return f"{alert.fired} of {watch.needed(alert.severity)} reports in a row."
    if alert.quiet:
        return f"Good for {alert.quiet} of {watch.windows} reports in a row."
    return "Held back by a silence." if alert.state == "suppressed" else ""


def samples(session: Session, found: Sequence[Alert]) -> dict[str, int]:
    """Return on how many samples each alert rests, by its id, where its report is stored."""
    ids = {row.report_id for row in found}
    query = select(MonitorReport).where(MonitorReport.id.in_(ids))
    by_id = {row.id: row for row in session.scalars(query)}
    return {
        row.id: signal.n
        for row in found
        if row.report_id in by_id
        for signal in signals.read(by_id[row.report_id])
        if signal.rule == row.rule
    }
