"""Whether the answers are still as right as when the version was registered.

Figures of a performance report: `n_labelled`, `n_correct`, `accuracy`, `accuracy_interval`,
`precision`, `recall`, `f1`, `f1_interval`, `level`, `baseline_accuracy`, `baseline_f1`, `drop`,
`floor`; `metrics` {name: {value, interval, n, source, registered}}; `confusion` {tp, fp, fn, tn};
`calibration` [{mean, share, n, interval}]; `evidence` {drop, floor}, shares of the way to an alarm;
`slices` [see `slices.Found`], `no_slices`, why there are none although the spec names some;
`labels` {n_predictions, n_labelled, coverage, lag_median_hours, lag_p90_hours, delay_hours,
settled, learned, waiting, selective, positive_labelled, positive_unlabelled, probability_labelled,
probability_unlabelled, sentence}; `cohort`, the digest of what was judged; `signals`. An
inconclusive report has `labels` only.
"""

import numpy as np
import pandas as pd

from core import predictions, registry
from core.datasets import versions
from core.db import Database
from core.errors import NotFoundError, PilothouseError
from core.ids import new_id
from core.monitoring import performance, signals, slices
from core.monitoring.checks.labels import Cohort, cohort
from core.monitoring.checks.subject import Subject, plain, subject, unfinished
from core.monitoring.performance import NEWEST, Standard, Verdict
from core.monitoring.reports import store
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.base import Json
from core.tables.entities import DatasetVersion
from core.tables.telemetry import MonitorReport

KIND = "performance"


def check_performance(db: Database, settings: Settings, model: str) -> MonitorReport:
    """Compare the champion's matured labelled answers with what it did when it was registered.

    While no label is new, the report before is returned again.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        of = subject(session, model, KIND)
        found = cohort(session, of, db.clock())
    known: Json = plain({"labels": found.figures()})
    try:
        standard = Standard.of(of.spec, of.version.metrics)
    except PilothouseError as problem:
        words = f"Not judged: {problem}."
        return unfinished(db, of, KIND, "inconclusive", len(found.rows), words, known)
    if why := found.lacking(standard.fewest):
        return unfinished(db, of, KIND, "inconclusive", len(found.rows), why, known)
    if of.before is not None and of.before.figures.get("cohort") == found.digest:
        return of.before
    verdict = performance.judge(found.answers(of.spec.positive), standard)
    sliced = _slices(db, settings, of, found) if of.spec.monitoring.slices else {"slices": []}
    return store(db, _report(db, of, found, standard, verdict, sliced))


def _report(
    db: Database,
    of: Subject,
    found: Cohort,
    standard: Standard,
    verdict: Verdict,
    sliced: Json,
) -> MonitorReport:
    newest = found.rows[-verdict.n :]
    figures = {
        **verdict.figures,
        **sliced,
        "labels": found.figures(),
        "cohort": found.digest,
        **signals.figures(*verdict.signals),
    }
    worse = [part["sentence"] for part in sliced["slices"] if part["state"] == "worse"]
    lacking = [sliced["no_slices"]] if "no_slices" in sliced else []
    caution = [found.maturity.sentence] if found.maturity.selective else []
    return of.report(
        KIND,
        verdict.state,
        now=db.clock(),
        window_start=newest[0].at,
        window_end=newest[-1].at,
        window_last_id=new_id(db.clock()),  # windows of labels overlap; this orders their reports
        follows=of.before.window_last_id if of.before else of.first,
        n_current=verdict.n,
        n_reference=standard.n,
        score=verdict.drop,
        method=performance.METHOD,
        sentence=" ".join([verdict.sentence, *worse[:1], *lacking]),
        figures=plain(figures),
        assumptions=" ".join([performance.ASSUMPTIONS, *caution]),
    )


def _slices(db: Database, settings: Settings, of: Subject, found: Cohort) -> Json:
    """Judge the parts that the spec names, or say why there is nothing to cut or compare by."""
    rows = found.rows[-NEWEST:]
    with db.read() as session:
        reference = session.get(DatasetVersion, of.version.reference_dataset_id)
        held_out = session.get(DatasetVersion, of.version.test_dataset_id)
        given = predictions.inputs(session, [row.id for row in rows])
    try:
        before = versions.frame(settings, _there(reference))
        judged = _registered(settings, of, held_out)
    except PilothouseError as problem:
        why = f"The parts that the spec names could not be judged: {str(problem).rstrip('.')}."
        return {"slices": [], "no_slices": why}
    spec = of.spec
    asked = [(given.get(row.id) or {}).get("features") or {} for row in rows]
    now = pd.DataFrame(asked, columns=spec.columns), np.array([row.correct for row in rows])
    made = slices.judge(
        slices.cut(before, spec.monitoring.slices, _kinds(spec)),
        now,
        judged,
        overall=float(of.version.metrics["accuracy"]),
        level=performance.LEVEL,
    )
    return {"slices": [plain(vars(one)) for one in made]}


def _there(row: DatasetVersion | None) -> DatasetVersion:
    if row is None:
        raise NotFoundError("this version has no reference sample")
    return row


def _kinds(spec: ModelSpec) -> dict[str, str]:
    return {feature.name: feature.type for feature in spec.input.features}


def _registered(
    settings: Settings, of: Subject, held_out: DatasetVersion | None
) -> tuple[pd.DataFrame, "np.ndarray[tuple[int], np.dtype[np.bool_]]"] | None:
    """Return the held-out rows and on which of them the version was right, where both are kept."""
    kept = of.version.metrics.get("evaluations") or {}
    if held_out is None or held_out.id not in kept:
        return None
    frame, right = versions.frame(settings, held_out), registry.unpack(kept[held_out.id])
    return (frame, right) if len(frame) == len(right) else None
