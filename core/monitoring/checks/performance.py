"""Whether the answers are still as right as when the version was registered."""

from collections.abc import Sequence
from dataclasses import asdict

from core import predictions
from core.db import Database
from core.errors import PilothouseError
from core.ids import new_id
from core.monitoring.checks.subject import Subject, plain, subject, too_few, unfinished
from core.monitoring.performance import Standard, Verdict, judge
from core.monitoring.reports import store
from core.predictions import Labelled
from core.tables.base import Json
from core.tables.telemetry import MonitorReport

MOST_LABELLED = 1_000
"""Realised performance is that of the newest labelled answers, so that a fall shows soon."""


def check_performance(db: Database, model: str) -> MonitorReport:
    """Compare the champion's newest labelled answers with what it did when it was registered.

    While no label is new, the report before is returned again.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        of = subject(session, model, "performance")
        name, version = of.spec.name, of.version.version
        rows = predictions.labelled(
            session, name, version=version, since=of.since, limit=MOST_LABELLED
        )
        total = predictions.accuracy(
            session, name, version=version, since=of.since, positive=of.spec.positive
        )
    try:
        standard = Standard.of(of.spec, of.version.metrics)
    except PilothouseError as problem:
        return unfinished(db, of, "performance", "error", len(rows), str(problem))
    if len(rows) < standard.fewest:
        return too_few(db, of, "performance", len(rows), standard.fewest)
    verdict = judge(
        [(row.prediction.label, row.label.value) for row in rows],
        positive=of.spec.positive,
        standard=standard,
    )
    since_release = {"n": total.n, "accuracy": total.accuracy, "f1": total.f1}
    figures = plain(asdict(verdict.figures) | {"since_release": since_release})
    if of.before is not None and of.before.figures == figures:
        return of.before
    return store(db, _performance_report(db, of, rows, standard, verdict, figures))


def _performance_report(
    db: Database,
    of: Subject,
    rows: Sequence[Labelled],
    standard: Standard,
    verdict: Verdict,
    figures: Json,
) -> MonitorReport:
    return of.report(
        "performance",
        verdict.state,
        now=db.clock(),
        window_start=rows[-1].prediction.at,
        window_end=rows[0].prediction.at,
        window_last_id=new_id(db.clock()),  # windows of labels overlap; this orders their reports
        follows=of.before.window_last_id if of.before else "",
        n_current=len(rows),
        n_reference=standard.n,
        score=verdict.figures.drop,
        method=verdict.method,
        sentence=verdict.sentence,
        figures=figures,
        assumptions=verdict.assumptions,
    )
