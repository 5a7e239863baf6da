"""Whether the same inputs still mean the same: labels against what was to be expected.

Figures of a concept report: `realised`, `estimated`, `gap` (realised minus estimated),
`gap_interval`, `level`, `evidence` (0 to 1, the share of the way to an alarm), `alarm_at`;
`families` [{name, n, realised, expected, margin, evidence}] with the evidence as a logarithm;
`bins` [{estimated, realised, n, interval}]; `calibration` as of an estimate; `cohort`, the digest
of what was judged; `signals`.
"""

from core.db import Database
from core.errors import PilothouseError
from core.ids import new_id
from core.monitoring import concept, signals
from core.monitoring.checks.calibrating import Calibrated, calibration
from core.monitoring.checks.labels import Cohort, cohort
from core.monitoring.checks.subject import Subject, plain, subject, unfinished
from core.monitoring.performance import Standard
from core.monitoring.reports import store
from core.settings import Settings
from core.tables.telemetry import MonitorReport

KIND = "concept"


def check_concept(db: Database, settings: Settings, model: str) -> MonitorReport:
    """Compare the champion's matured labels with what its probabilities promised.

    While no label is new, the report before is returned again. Inconclusive, with the reason,
    where labels are too few or too young, or nothing calibrates the version.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        of = subject(session, model, KIND)
        found = cohort(session, of, db.clock())
    try:
        standard = Standard.of(of.spec, of.version.metrics)
        if why := found.lacking(standard.fewest):
            return unfinished(db, of, KIND, "inconclusive", len(found.rows), why)
        if of.before is not None and of.before.figures.get("cohort") == found.digest:
            return of.before
        by = calibration(db, settings, of)
        judged = concept.judge(
            found.answers(of.spec.positive), by.isotonic, alarm_at=standard.alarm_at
        )
    except PilothouseError as problem:
        why = f"The concept cannot be judged: {problem}."
        return unfinished(db, of, KIND, "inconclusive", len(found.rows), why)
    return store(db, _report(db, of, found, by, judged))


def _report(
    db: Database, of: Subject, found: Cohort, by: Calibrated, judged: concept.Found
) -> MonitorReport:
    figures = {
        **judged.figures(),
        "calibration": by.figures(),
        "cohort": found.digest,
        **signals.figures(judged.signal),
    }
    return of.report(
        KIND,
        judged.state,
        now=db.clock(),
        window_start=found.rows[0].at,
        window_end=found.rows[-1].at,
        window_last_id=new_id(db.clock()),  # windows of labels overlap; this orders their reports
        follows=of.before.window_last_id if of.before else of.first,
        n_current=judged.n,
        n_reference=by.isotonic.rows,
        score=judged.gap,
        method=concept.METHOD,
        sentence=judged.sentence,
        figures=plain(figures),
        assumptions=concept.ASSUMPTIONS,
    )
