"""The calibration of a version: kept at its registration, or learnt from its held-out rows."""

from dataclasses import dataclass

import numpy as np

from core.datasets import schema, versions
from core.db import Database
from core.errors import InvalidInputError
from core.monitoring.checks.subject import Subject
from core.serving import scorer
from core.settings import Settings
from core.statistics import isotonic
from core.statistics.isotonic import Isotonic
from core.tables.base import Json

FEWEST = 40
"""Held-out rows, under which a calibration says nothing."""

MOST = 20_000


@dataclass(frozen=True)
class Calibrated:
    """A calibration and where it comes from, "registration" or "held-out rows"."""

    isotonic: Isotonic
    source: str

    def figures(self) -> Json:
        """Return what a report keeps of it, as plain values."""
        found = self.isotonic
        return {
            "n": found.rows,
            "source": self.source,
            "points": [list(point) for point in found.points],
            "isotonic": found.to_dict(),
        }


def calibration(db: Database, settings: Settings, of: Subject) -> Calibrated:
    """Return the calibration of a version.

    One that was registered before calibrations were kept is asked about its held-out rows once;
    later reports go on from the one before.
    Raises: InvalidInputError (too few held-out rows, or one class of them only), NotFoundError,
    ConflictError (the rows or the model file are not stored, or damaged).
    """
    found = _kept(of) or Calibrated(_learnt(db, settings, of), "held-out rows")
    shares = found.isotonic.share
    if found.isotonic.rows < FEWEST:
        raise InvalidInputError(
            f"only {found.isotonic.rows} held-out rows could calibrate this version, of {FEWEST}"
        )
    if shares[0] == shares[-1] and shares[0] in (0.0, 1.0):
        raise InvalidInputError("the held-out rows of this version are all of one class")
    return found


def _kept(of: Subject) -> Calibrated | None:
    if kept := of.version.metrics.get("isotonic"):
        return Calibrated(Isotonic.from_dict(kept), "registration")
    before = of.before.figures.get("calibration") if of.before else None
    if before:
        return Calibrated(Isotonic.from_dict(before["isotonic"]), before["source"])
    return None


def _learnt(db: Database, settings: Settings, of: Subject) -> Isotonic:
    """Ask the version about its held-out rows, 20,000 at most."""
    spec = of.spec
    with db.read() as session:
        stored = versions.get(session, of.version.test_dataset_id)
    rows = schema.conform(versions.frame(settings, stored), spec).head(MOST)
    asked = scorer.load(settings, of.version)
    answers = asked.score([asked.check(one) for one in schema.sent(rows, spec)])
    truth = np.asarray(rows[spec.target.column] == spec.positive, dtype=bool)
    return isotonic.fit(np.array([one.probability for one in answers]), truth)
