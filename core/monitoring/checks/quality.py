"""Whether live inputs are what the data is expected to be."""

from core.datasets import suites
from core.db import Database
from core.monitoring import quality, windows
from core.monitoring.checks.subject import Subject, subject, too_few, unfinished
from core.monitoring.reports import store
from core.monitoring.windows import Window
from core.tables.telemetry import MonitorReport


def check_quality(db: Database, model: str) -> MonitorReport | None:
    """Judge the champion's inputs since the last window by the suite of its data.

    None where the model has no suite; inconclusive with fewer than `min_samples` predictions.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        of = subject(session, model, "quality")
        suite = suites.current(session, of.spec.name)
        answers = (session, of.spec.name, of.version.version, of.after)
        n, need = windows.waiting(*answers), of.spec.monitoring.min_samples
        window = windows.behind(*answers, n=n, of=n) if suite is not None and n >= need else None
    if suite is None:
        return None
    if window is None:
        return too_few(db, of, "quality", n, need)
    spec = of.spec
    expected = suites.for_traffic(spec, suites.expectations(suite, spec))
    frame = windows.frame(spec, window.rows)
    if len(frame) < need:
        words = f"Only {len(frame)} of {window.n} predictions were stored with their input."
        return unfinished(db, of, "quality", "inconclusive", n, words)
    return store(db, _quality_report(db, of, window, quality.judge(frame, expected)))


def _quality_report(
    db: Database, of: Subject, window: Window, judged: quality.Quality
) -> MonitorReport:
    return of.report(
        "quality",
        judged.state,
        now=db.clock(),
        **of.place(window),
        n_reference=0,
        score=judged.score,
        method=quality.METHOD,
        sentence=judged.sentence,
        figures=judged.figures,
        assumptions=quality.ASSUMPTIONS,
    )
