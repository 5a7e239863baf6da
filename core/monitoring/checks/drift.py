"""Whether the newest window has drifted from the reference of what serves."""

from dataclasses import asdict

import pandas as pd

from core.datasets import versions
from core.db import Database
from core.errors import InvalidInputError, NotFoundError, PilothouseError
from core.monitoring import columns, tabular, text, windows
from core.monitoring.checks.subject import Subject, subject, too_few, unfinished
from core.monitoring.reports import store
from core.monitoring.windows import Window
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.base import Json
from core.tables.entities import DatasetVersion
from core.tables.telemetry import MonitorReport


def check_drift(db: Database, settings: Settings, model: str, *, parts: int = 1) -> MonitorReport:
    """Compare the champion's predictions since the last window with its reference sample.

    The window is all of them, or the first of `parts` equal parts where each would still hold
    `min_samples`. With fewer than that the report is inconclusive and they stay for the next
    window; a comparison that cannot be made is a report in state error, which says why.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        of = subject(session, model, "drift")
        answers = (session, of.spec.name, of.version.version, of.after)
        n, need = windows.waiting(*answers), of.spec.monitoring.min_samples
        window = windows.behind(*answers, n=_size(n, need, parts), of=n) if n >= need else None
        reference = session.get(DatasetVersion, of.version.reference_dataset_id)
    if window is None:
        return too_few(db, of, "drift", n, need)
    try:
        compared = _compare(settings, of.spec, reference, window)
    except PilothouseError as problem:
        return unfinished(db, of, "drift", "error", n, str(problem))
    return store(db, _drift_report(db, of, window, compared))


def _size(n: int, need: int, parts: int) -> int:
    """Return the size of the first of at most `parts` equal parts of at least `need`.

    >>> _size(1000, 200, 3), _size(550, 200, 3), _size(250, 200, 3)
    (333, 275, 250)
    """
    return n // max(1, min(parts, n // need))


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
    of: Subject,
    window: Window,
    compared: text.TextDrift | tabular.TabularDrift,
) -> MonitorReport:
    drifted, large = compared.p_value <= compared.alpha, compared.score >= text.THRESHOLD
    return of.report(
        "drift",
        "pass" if not drifted else "fail" if large else "warn",
        now=db.clock(),
        **of.place(window),
        n_reference=compared.n_reference,
        p_value=compared.p_value,
        score=compared.score,
        method=compared.method,
        sentence=compared.sentence,
        figures=figures(compared),
        assumptions=" ".join(compared.assumptions),
    )


def figures(compared: text.TextDrift | tabular.TabularDrift) -> Json:
    """Return what the pages and the agent show of a comparison, as plain values."""
    shown = asdict(compared) | {"n_compared": compared.n_current, "threshold": text.THRESHOLD}
    for told in ("p_value", "score", "method", "sentence", "assumptions", "n_reference"):
        del shown[told]
    return shown | {"drift_detected": compared.p_value <= compared.alpha}
