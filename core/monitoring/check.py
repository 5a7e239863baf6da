"""The checks: whether the newest window has drifted, and whether the answers are still right.

Each stores one report. Windows are disjoint: a report names the window it follows, and no two may
follow the same, so that two workers cannot judge the same predictions twice.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy.orm import Session

from core import predictions, registry, releases, specs
from core.datasets import suites, versions
from core.db import Database
from core.errors import InvalidInputError, NotFoundError, PilothouseError
from core.ids import new_id
from core.monitoring import columns, quality, tabular, text, windows
from core.monitoring.performance import Standard, Verdict, judge
from core.monitoring.reports import JUDGED, PENDING, get, judged, reports, store, streak
from core.monitoring.windows import Position, Window
from core.predictions import Labelled
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.base import Json
from core.tables.entities import DatasetVersion, ModelVersion
from core.tables.telemetry import MonitorReport

__all__ = [
    "JUDGED",
    "check_drift",
    "check_performance",
    "check_quality",
    "compare",
    "get",
    "judged",
    "reports",
    "streak",
]

MOST_LABELLED = 1_000
"""Realised performance is that of the newest labelled answers, so that a fall shows soon."""


@dataclass(frozen=True)
class _Subject:
    """What is watched: the champion, since when it serves, and its judged window before."""

    spec: ModelSpec
    version: ModelVersion
    since: datetime
    before: MonitorReport | None

    @property
    def after(self) -> Position:
        """The end of the window before; a new term of service starts a new window."""
        if self.before is None or self.before.window_end < self.since:
            return self.since, ""
        return self.before.window_end, self.before.window_last_id

    def report(self, kind: str, state: str, *, now: datetime, **fields: Any) -> MonitorReport:  # noqa: ANN401 (columns)
        """Return a report about this subject, not yet stored."""
        model, version = self.spec.name, self.version.version
        return MonitorReport(
            id=new_id(now), model=model, version=version, kind=kind, state=state, at=now, **fields
        )


def check_drift(db: Database, settings: Settings, model: str, *, parts: int = 1) -> MonitorReport:
    """Compare the champion's predictions since the last window with its reference sample.

    The window is all of them, or the first of `parts` equal parts where each would still hold
    `min_samples`. With fewer than that the report is inconclusive and they stay for the next
    window; a comparison that cannot be made is a report in state error, which says why.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        subject = _subject(session, model, "drift")
        of = (session, subject.spec.name, subject.version.version, subject.after)
        n, need = windows.waiting(*of), subject.spec.monitoring.min_samples
        window = windows.behind(*of, n=_size(n, need, parts), of=n) if n >= need else None
        reference = session.get(DatasetVersion, subject.version.reference_dataset_id)
    if window is None:
        return store(db, _too_few(db, subject, "drift", n, need))
    try:
        compared = _compare(settings, subject.spec, reference, window)
    except PilothouseError as problem:
        return store(db, _unfinished(db, subject, "drift", "error", n, str(problem)))
    return store(db, _drift_report(db, subject, window, compared))


def _size(n: int, need: int, parts: int) -> int:
    """Return the size of the first of at most `parts` equal parts of at least `need`.

    >>> _size(1000, 200, 3), _size(550, 200, 3), _size(250, 200, 3)
    (333, 275, 250)
    """
    return n // max(1, min(parts, n // need))


def _subject(session: Session, model: str, kind: str) -> _Subject:
    spec = specs.active(session, model)
    champion = releases.champion(releases.current(session, spec.name))
    return _Subject(
        spec=spec,
        version=registry.get(session, spec.name, champion),
        since=windows.serving_since(session, spec.name),
        before=next(iter(judged(session, spec.name, champion, kind, limit=1)), None),
    )


def _compare(
    settings: Settings, spec: ModelSpec, reference: DatasetVersion | None, window: Window
) -> text.TextDrift | tabular.TabularDrift:
    if reference is None:
        raise NotFoundError("this version has no reference sample to compare with")
    before, now = versions.frame(settings, reference), windows.frame(spec, window.rows)
    if len(now) < spec.monitoring.min_samples:
        raise InvalidInputError(
            f"only {len(now)} of {len(window.rows)} predictions were stored with their input"
        )
    return compare(spec, before, now)


def compare(
    spec: ModelSpec, reference: pd.DataFrame, current: pd.DataFrame
) -> text.TextDrift | tabular.TabularDrift:
    """Compare two frames with the columns of the spec, by the method for its task.

    Raises: InvalidInputError (an empty frame, a missing column).
    """
    alpha = spec.monitoring.alpha
    if spec.input.text is None:
        texts = [feature.name for feature in spec.input.features if feature.type == "text"]
        before, now = (columns.with_lengths(frame, texts) for frame in (reference, current))
        return tabular.compare(before, now, alpha=alpha, columns=spec.columns)
    column = spec.input.text
    for frame in (reference, current):
        if column not in frame:
            raise InvalidInputError(f"there is no column {column} to compare")
    return text.compare(list(reference[column]), list(current[column]), alpha=alpha)


def _drift_report(
    db: Database,
    subject: _Subject,
    window: Window,
    compared: text.TextDrift | tabular.TabularDrift,
) -> MonitorReport:
    drifted, large = compared.p_value <= compared.alpha, compared.score >= text.THRESHOLD
    return subject.report(
        "drift",
        "pass" if not drifted else "fail" if large else "warn",
        now=db.clock(),
        **_window(subject, window),
        n_reference=compared.n_reference,
        p_value=compared.p_value,
        score=compared.score,
        method=compared.method,
        sentence=compared.sentence,
        figures=_figures(compared),
        assumptions=" ".join(compared.assumptions),
    )


def _figures(compared: text.TextDrift | tabular.TabularDrift) -> Json:
    """What the pages and the agent show of a comparison, as plain values."""
    figures = asdict(compared) | {"n_compared": compared.n_current, "threshold": text.THRESHOLD}
    for told in ("p_value", "score", "method", "sentence", "assumptions", "n_reference"):
        del figures[told]
    return figures | {"drift_detected": compared.p_value <= compared.alpha}


def check_performance(db: Database, model: str) -> MonitorReport:
    """Compare the champion's newest labelled answers with what it did when it was registered.

    While no label is new, the report before is returned again.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        subject = _subject(session, model, "performance")
        name, version = subject.spec.name, subject.version.version
        rows = predictions.labelled(
            session, name, version=version, since=subject.since, limit=MOST_LABELLED
        )
        total = predictions.accuracy(
            session, name, version=version, since=subject.since, positive=subject.spec.positive
        )
    try:
        standard = Standard.of(subject.spec, subject.version.metrics)
    except PilothouseError as problem:
        return store(db, _unfinished(db, subject, "performance", "error", len(rows), str(problem)))
    if len(rows) < standard.fewest:
        return store(db, _too_few(db, subject, "performance", len(rows), standard.fewest))
    verdict = judge(
        [(row.prediction.label, row.label.value) for row in rows],
        positive=subject.spec.positive,
        standard=standard,
    )
    since_release = {"n": total.n, "accuracy": total.accuracy, "f1": total.f1}
    figures = _plain(asdict(verdict.figures) | {"since_release": since_release})
    if subject.before is not None and subject.before.figures == figures:
        return subject.before
    return store(db, _performance_report(db, subject, rows, standard, verdict, figures))


def check_quality(db: Database, model: str) -> MonitorReport | None:
    """Judge the champion's inputs since the last window by the suite of its data.

    None where the model has no suite; inconclusive with fewer than `min_samples` predictions.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        subject = _subject(session, model, "quality")
        suite = suites.current(session, subject.spec.name)
        of = (session, subject.spec.name, subject.version.version, subject.after)
        n, need = windows.waiting(*of), subject.spec.monitoring.min_samples
        window = windows.behind(*of, n=n, of=n) if suite is not None and n >= need else None
    if suite is None:
        return None
    if window is None:
        return store(db, _too_few(db, subject, "quality", n, need))
    spec = subject.spec
    expected = suites.for_traffic(spec, suites.expectations(suite, spec))
    frame = windows.frame(spec, window.rows)
    if len(frame) < need:
        words = f"Only {len(frame)} of {window.n} predictions were stored with their input."
        return store(db, _unfinished(db, subject, "quality", "inconclusive", n, words))
    return store(db, _quality_report(db, subject, window, quality.judge(frame, expected)))


def _quality_report(
    db: Database, subject: _Subject, window: Window, judged: quality.Quality
) -> MonitorReport:
    return subject.report(
        "quality",
        judged.state,
        now=db.clock(),
        **_window(subject, window),
        n_reference=0,
        score=judged.score,
        method=quality.METHOD,
        sentence=judged.sentence,
        figures=judged.figures,
        assumptions=quality.ASSUMPTIONS,
    )


def _window(subject: _Subject, window: Window) -> dict[str, Any]:
    """The columns that say which window a report is about."""
    return {
        "window_start": window.start,
        "window_end": window.end[0],
        "window_last_id": window.end[1],
        "follows": subject.before.window_last_id if subject.before else "",
        "n_current": window.n,
    }


def _performance_report(
    db: Database,
    subject: _Subject,
    rows: Sequence[Labelled],
    standard: Standard,
    verdict: Verdict,
    figures: Json,
) -> MonitorReport:
    return subject.report(
        "performance",
        verdict.state,
        now=db.clock(),
        window_start=rows[-1].prediction.at,
        window_end=rows[0].prediction.at,
        window_last_id=new_id(db.clock()),  # windows of labels overlap; this orders their reports
        follows=subject.before.window_last_id if subject.before else "",
        n_current=len(rows),
        n_reference=standard.n,
        score=verdict.figures.drop,
        method=verdict.method,
        sentence=verdict.sentence,
        figures=figures,
        assumptions=verdict.assumptions,
    )


def _too_few(db: Database, subject: _Subject, kind: str, n: int, need: int) -> MonitorReport:
    what = "labelled predictions" if kind == "performance" else "predictions since the last window"
    sentence = f"Not judged yet: {n:,} {what}, {need - n:,} more are needed."
    return _unfinished(db, subject, kind, "inconclusive", n, sentence)


def _unfinished(
    db: Database, subject: _Subject, kind: str, state: str, n: int, sentence: str
) -> MonitorReport:
    """Report on a window that is not judged: its predictions are left to the next one."""
    return subject.report(
        kind,
        state,
        now=db.clock(),
        window_start=subject.after[0],
        window_end=subject.after[0],
        window_last_id=subject.after[1],
        follows=PENDING,
        n_current=n,
        n_reference=0,
        method="",
        sentence=sentence,
        figures={},
        assumptions="",
    )


def _plain(figures: Json) -> Json:
    """As the database will give it back: tuples are lists."""
    plain: Json = json.loads(json.dumps(figures))
    return plain
