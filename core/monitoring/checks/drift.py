"""Whether the newest window has drifted from the reference of what serves.

Figures of a drift report: those of `TabularDrift` (the effect sizes of its columns are against the
statistics that are kept beside the reference) or `TextDrift`, and
`reference` {kind stored | week, key, from, to}, with `season` (a sentence) and `seasonal_match`
where the season is set; `watch` (see `watching.follow`: alarm, used, families, checks, leading,
sentence, delay); `lost` (columns without a value in the window, though the reference has some: at
least a warning); `not_compared` (columns that the reference lacks); `broken_inputs` {report,
columns, sentence} where the quality of the same inputs failed; `left` (windows still to be judged).
"""

from dataclasses import asdict, dataclass

import pandas as pd
from sqlalchemy.orm import Session

from core.db import Database
from core.errors import InvalidInputError, PilothouseError
from core.monitoring import columns, signals, tabular, text, windows
from core.monitoring.checks import reference, watching
from core.monitoring.checks.reference import Reference
from core.monitoring.checks.subject import (
    CLOCKS_APART,
    Subject,
    not_due,
    plain,
    subject,
    undecided,
    unfinished,
)
from core.monitoring.labels import short
from core.monitoring.reference import Statistics
from core.monitoring.reports import LIVE, overlapping, store
from core.monitoring.windows import Window
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.base import Json
from core.tables.telemetry import MonitorReport

Drift = text.TextDrift | tabular.TabularDrift

SMALLEST_ALPHA = 0.0002
"""A spec's smaller alpha counts as this: rarer chances are beyond what shuffling can tell."""


@dataclass(frozen=True)
class _Material:
    """A window's inputs, and what they are compared with."""

    window: Window
    current: pd.DataFrame
    stored: Reference
    week: Reference | None
    left: int = 0

    @property
    def reference(self) -> Reference:
        """What the verdict rests on."""
        return self.week or self.stored


def check_drift(db: Database, settings: Settings, model: str) -> MonitorReport:
    """Compare the champion's next window of predictions with its reference sample.

    With too few predictions the report is inconclusive and they stay for the next window. So it is
    where the inputs allow no comparison; a window of a fixed size is then used up. What cannot be
    compared for another reason is a report in state error, which says why. `figures["left"]`
    windows are due behind this one.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        of = subject(session, model, "drift")
        found = of.next_window(session, until=db.clock() + CLOCKS_APART)
    if found.window is None:
        return not_due(db, of, "drift", found)
    try:
        report = judge(db, settings, of, found.window, left=found.left)
    except InvalidInputError as problem:
        return undecided(db, of, "drift", found.window, str(problem), left=found.left)
    except PilothouseError as problem:
        return unfinished(db, of, "drift", "error", found.waiting, str(problem))
    return store(db, report)


def judge(
    db: Database, settings: Settings, of: Subject, window: Window, *, left: int = 0
) -> MonitorReport:
    """Return the report on one window, not yet stored.

    Raises: NotFoundError (no reference), InvalidInputError (too few inputs were stored, no column
    in common).
    """
    with db.read() as session:
        material = _material(session, settings, of, window, left)
    return _report(db, settings, of, material, *_compared(of, material))


def _material(
    session: Session, settings: Settings, of: Subject, window: Window, left: int
) -> _Material:
    stored, now = reference.stored(session, settings, of), windows.frame(of.spec, window.rows)
    if len(now) < of.spec.monitoring.min_samples:
        raise InvalidInputError(
            f"only {len(now)} of {len(window.rows)} predictions were stored with their input"
        )
    return _Material(window, now, stored, reference.last_week(session, of, window), left)


def _compared(of: Subject, material: _Material) -> tuple[dict[str, Drift], Json]:
    """Return the comparison with each reference, the one that counts first, and what to say."""
    compared = _against(of, material.reference, material.current)
    if compared.inconclusive:
        raise InvalidInputError(compared.inconclusive)
    found = {material.reference.key: compared}
    if material.week is not None:
        found[material.stored.key] = _against(of, material.stored, material.current)
    about: Json = {"reference": material.reference.told}
    if of.spec.monitoring.season == "week":
        about |= _seasonal(*found.values())
    lacking = [name for name in of.spec.columns if name not in material.reference.frame]
    about |= {"not_compared": lacking} if lacking else {}
    if isinstance(compared, tabular.TabularDrift):
        about["lost"] = _lost(compared, material.current)
    return found, about


def _lost(compared: tabular.TabularDrift, current: pd.DataFrame) -> list[str]:
    """Name the columns that have no value in the window beyond chance, and those it lacks."""
    gone = [one.name for one in compared.columns if one.drifted and current[one.name].isna().all()]
    return [*compared.lost, *gone]


def _seasonal(compared: Drift, always: Drift | None = None) -> Json:
    if always is None:
        words = "Too little is known of the same hours one week ago: compared with the reference."
        return {"season": words, "seasonal_match": False}
    match = always.p_value <= always.alpha and compared.p_value > compared.alpha
    words = "Compared with the same hours one week ago"
    words += ", which it is like, other than the reference." if match else "."
    return {"season": words, "seasonal_match": match}


def _against(of: Subject, held: Reference, current: pd.DataFrame) -> Drift:
    return compare(of.spec, held.frame, current, held.statistics)


def compare(
    spec: ModelSpec,
    reference: pd.DataFrame,
    current: pd.DataFrame,
    statistics: Statistics | None = None,
) -> Drift:
    """Compare two frames in the columns of the spec, by the method for its task.

    A column that only one of them has is told as lost or new. Effect sizes are against the
    `statistics` kept of the reference, if there are any; those of texts, which count as their
    number of words, against the rows. An alpha that no shuffling reaches counts as the smallest
    that it does: stored specs may have any.
    Raises: InvalidInputError (an empty frame, no column in common).
    """
    alpha = max(spec.monitoring.alpha, SMALLEST_ALPHA)
    known = [name for name in spec.columns if name in reference or name in current]
    if not any(name in reference and name in current for name in known):
        raise InvalidInputError(f"there is no column {spec.columns[0]} to compare")
    if spec.input.text is None:
        texts = [feature.name for feature in spec.input.features if feature.type == "text"]
        before, now = (columns.with_lengths(frame, texts) for frame in (reference, current))
        held = statistics.without(texts) if statistics else None
        return tabular.compare(before, now, alpha=alpha, columns=known, statistics=held)
    column = spec.input.text
    return text.compare(list(reference[column]), list(current[column]), alpha=alpha)


def _report(
    db: Database,
    settings: Settings,
    of: Subject,
    material: _Material,
    found: dict[str, Drift],
    about: Json,
) -> MonitorReport:
    compared = found[material.reference.key]
    watch = watching.follow(of, material.window, found, settings=settings)
    broken = _broken_inputs(db, of, material.window)
    state = _state(compared, about)
    sentences = [
        _no_value(compared, about),
        watching.told(compared, watch),
        str(about.get("season", "")),
        str(broken.get("sentence", "")) if state != "pass" or watch["alarm"] else "",
    ]
    shown = figures(compared) | about | {"watch": watch, "left": material.left}
    report = of.report(
        "drift",
        state,
        now=db.clock(),
        **of.place(material.window),
        n_reference=compared.n_reference,
        p_value=compared.p_value,
        score=compared.score,
        method=compared.method,
        sentence=" ".join(words for words in sentences if words),
        figures={},
        assumptions=" ".join(compared.assumptions),
    )
    shown |= {"broken_inputs": broken} if broken else {}
    if of.origin == LIVE:  # of the past no alert is raised
        shown |= signals.figures(watching.signal(report, watch))
    report.figures = plain(shown)
    return report


def _state(compared: Drift, about: Json) -> str:
    if compared.p_value <= compared.alpha:
        return "fail" if compared.score >= text.THRESHOLD else "warn"
    return "warn" if about.get("lost") else "pass"


def _no_value(compared: Drift, about: Json) -> str:
    """Name the columns that are there but hold nothing; those that are not, the finding names."""
    named = getattr(compared, "lost", ())
    gone = [f"'{short(name)}'" for name in about.get("lost", []) if name not in named]
    if not gone:
        return ""
    rest = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
    plural, were = ("s", "were") if len(gone) > 1 else ("", "was")
    listed = ", ".join(gone[:3])
    return f"Column{plural} {listed}{rest} {were} lost: no input of this window has a value."


def _broken_inputs(db: Database, of: Subject, window: Window) -> Json:
    """Return what the newest report on the quality of the same inputs found broken, if it did."""
    key = (of.spec.name, of.version.version, "quality")
    with db.read() as session:
        found = overlapping(session, key, start=window.start, end=window.end[0], origin=of.origin)
    if found is None or found.state != "fail":
        return {}
    return {
        "report": found.id,
        "columns": found.figures.get("broken_columns", []),
        "sentence": f"The inputs are broken, which may be all: {found.figures.get('worst', '')}",
    }


def figures(compared: Drift) -> Json:
    """Return what the pages and the agent show of a comparison, as plain values."""
    shown = asdict(compared) | {"n_compared": compared.n_current, "threshold": text.THRESHOLD}
    for told in ("p_value", "score", "method", "sentence", "assumptions", "n_reference"):
        del shown[told]
    shown.pop("evidence", None)  # `families` holds the same, the watch what became of it
    return shown | {"drift_detected": compared.p_value <= compared.alpha}
