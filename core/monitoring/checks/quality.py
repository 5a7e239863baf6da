"""Whether live inputs are what the data is expected to be.

Figures: `failed` (findings: kind, column, severity, n_failed, sentence), `worst`, `broken_columns`,
`columns` (shares of each against the reference), `left` (windows still to be judged), and the facts
of data quality by the agent's names (see `core/monitoring/quality.py`).
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.datasets import suites, versions
from core.datasets.expectations import Expectation
from core.db import Database
from core.errors import InvalidInputError, NotFoundError, PilothouseError
from core.monitoring import quality, signals, windows
from core.monitoring.checks.subject import (
    CLOCKS_APART,
    Subject,
    not_due,
    plain,
    subject,
    undecided,
    unfinished,
)
from core.monitoring.reports import LIVE, store
from core.monitoring.signals import Signal
from core.monitoring.windows import Window
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion
from core.tables.telemetry import MonitorReport, Prediction


@dataclass(frozen=True)
class _Material:
    expected: tuple[Expectation, ...]
    reference: pd.DataFrame | None
    sent: quality.Sent


def check_quality(db: Database, settings: Settings, model: str) -> MonitorReport | None:
    """Judge the champion's next window of inputs by the suite of its data and its reference.

    None where the model has no suite; inconclusive with fewer than `min_samples` predictions.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        of = subject(session, model, "quality")
        if suites.current(session, of.spec.name) is None:
            return None
        found = of.next_window(session, until=db.clock() + CLOCKS_APART)
    if found.window is None:
        return not_due(db, of, "quality", found)
    try:
        report = judge(db, settings, of, found.window, left=found.left)
    except InvalidInputError as problem:
        return undecided(db, of, "quality", found.window, str(problem), left=found.left)
    except PilothouseError as problem:
        return unfinished(db, of, "quality", "error", found.waiting, str(problem))
    return store(db, report)


def judge(
    db: Database, settings: Settings, of: Subject, window: Window, *, left: int = 0
) -> MonitorReport:
    """Return the report on one window, not yet stored.

    Raises: InvalidInputError (too few inputs were stored), ConflictError (the reference's file was
    changed).
    """
    spec, frame = of.spec, windows.frame(of.spec, window.rows)
    if len(frame) < spec.monitoring.min_samples:
        words = f"only {len(frame)} of {window.n} predictions were stored with their input"
        raise InvalidInputError(words)
    with db.read() as session:
        material = _material(session, settings, of, window, db.clock())
    judged = quality.judge(
        frame,
        material.expected,
        reference=material.reference,
        kinds=_kinds(spec),
        sent=material.sent,
        alpha=spec.monitoring.alpha,
    )
    report = of.report(
        "quality",
        judged.state,
        now=db.clock(),
        **of.place(window),
        n_reference=0 if material.reference is None else len(material.reference),
        score=judged.score,
        method=quality.METHOD,
        sentence=judged.sentence,
        figures={},
        assumptions=quality.ASSUMPTIONS,
    )
    told = signals.figures(_signal(report)) if of.origin == LIVE else {}
    report.figures = plain(judged.figures | {"left": left} | told)
    return report


def _material(
    session: Session, settings: Settings, of: Subject, window: Window, now: datetime
) -> _Material:
    suite = suites.current(session, of.spec.name)
    expected = suites.expectations(suite, of.spec) if suite else ()
    row = session.get(DatasetVersion, of.version.reference_dataset_id)
    try:
        reference = versions.frame(settings, row) if row else None
    except NotFoundError:  # its rows were deleted: the expectations still hold
        reference = None
    sent = _sent(session, of, window, now)
    return _Material(suites.for_traffic(of.spec, expected), reference, sent)


def _kinds(spec: ModelSpec) -> dict[str, str]:
    if spec.input.text is not None:
        return {spec.input.text: "text"}
    return {feature.name: str(feature.type) for feature in spec.input.features}


def _sent(session: Session, of: Subject, window: Window, now: datetime) -> quality.Sent:
    """Return what the rows themselves tell: which features were sent, and when."""
    live = of.origin == LIVE
    newest = max(row.at for row in window.rows)
    lacking, unknown = _features(of.spec, window)
    return quality.Sent(
        lacking=lacking,
        unknown=unknown,
        future=_from_the_future(session, of, now) if live else 0,
        freshness_min=max(0.0, (now - newest) / timedelta(minutes=1)) if live else None,
        n_stored=sum(bool(row.input) for row in window.rows),
        n=len(window.rows),
    )


def _features(spec: ModelSpec, window: Window) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the features that no input has, and those that the spec does not know."""
    if spec.input.text is not None:
        return (), {}
    given = [row.input.get("features") for row in window.rows]
    counts = Counter(name for one in given if isinstance(one, dict) for name in one)
    optional = suites.looked_up(spec)
    lacking = (name for name in spec.columns if name not in counts and name not in optional)
    known = {*spec.columns, spec.input.entity, spec.input.at}
    return tuple(lacking), {name: n for name, n in counts.items() if name not in known}


def _from_the_future(session: Session, of: Subject, now: datetime) -> int:
    query = (
        select(func.count())
        .select_from(Prediction)
        .where(
            Prediction.at > now + CLOCKS_APART,
            Prediction.model == of.spec.name,
            Prediction.version == of.version.version,
        )
    )
    return session.scalar(query) or 0


def _signal(report: MonitorReport) -> Signal:
    return Signal(
        rule="data_quality",
        state="ok" if report.state == "pass" else "firing",
        severity="medium",
        value=report.score or 0.0,
        threshold=0.0,
        sentence=report.sentence,
        n=report.n_current,
    )
