"""How right the newest answers probably are, before any of them is labelled.

Figures of an estimate report: `accuracy`, `accuracy_interval`, `baseline_accuracy`, `drop`,
`level`; `metrics` {accuracy | precision | recall | f1 | roc_auc: {value, interval, registered}};
`confusion` {tp, fp, fn, tn}, expected counts; `mean_probability` (calibrated); `supported`, the
share of answers whose probability the held-out rows have too; `calibration` {n, source, points
[[probability, calibrated]], isotonic}; `left` (windows still to be judged); `signals`.
"""

import numpy as np

from core.db import Database
from core.errors import PilothouseError
from core.monitoring import estimate, signals
from core.monitoring.checks.calibrating import Calibrated, calibration
from core.monitoring.checks.subject import (
    CLOCKS_APART,
    Subject,
    not_due,
    plain,
    subject,
    unfinished,
)
from core.monitoring.performance import Standard
from core.monitoring.reports import store
from core.monitoring.windows import Window
from core.settings import Settings
from core.tables.telemetry import MonitorReport

KIND = "estimate"


def check_estimate(db: Database, settings: Settings, model: str) -> MonitorReport:
    """Estimate how right the champion's answers since the last window are, without labels.

    Inconclusive, with the reason, where the window is too small or nothing calibrates the version.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        of = subject(session, model, KIND)
        found = of.next_window(session, until=db.clock() + CLOCKS_APART)
    if found.window is None:
        return not_due(db, of, KIND, found)
    try:
        by = calibration(db, settings, of)
        standard = Standard.of(of.spec, of.version.metrics)
        report = _report(db, of, found.window, standard, by, found.left)
    except PilothouseError as problem:
        why = f"Performance cannot be estimated: {problem}."
        return unfinished(db, of, KIND, "inconclusive", found.waiting, why)
    return store(db, report)


def _report(
    db: Database,
    of: Subject,
    window: Window,
    standard: Standard,
    by: Calibrated,
    left: int,
) -> MonitorReport:
    rows = window.rows
    estimated = estimate.estimate(
        np.array([row.label == of.spec.positive for row in rows], dtype=bool),
        np.array([row.probability for row in rows], dtype=float),
        by.isotonic,
    )
    of_rule = {"registered": standard.accuracy, "warning": standard.warning}
    words = estimate.sentence(estimated, **of_rule)
    state, signal = estimate.signal(estimated, sentence=words, **of_rule)
    figures = {
        **estimate.figures(estimated, dict(standard.registered)),
        "calibration": by.figures(),
        "left": left,
        **signals.figures(signal),
    }
    return of.report(
        KIND,
        state,
        now=db.clock(),
        **of.place(window),
        n_reference=by.isotonic.rows,
        score=signal.value,
        method=estimate.METHOD,
        sentence=words,
        figures=plain(figures),
        assumptions=estimate.ASSUMPTIONS,
    )
