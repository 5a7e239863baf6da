"""Answers with probabilities of their own, and labels that come when they come."""

from datetime import timedelta

import numpy as np

from core.access import system
from core.statistics import isotonic
from core.tables.entities import ModelVersion
from core.tables.telemetry import Label
from tests.fakes.counted import count
from tests.fakes.watched import TEXT, Watched


def watched(db, settings, clock, spec=TEXT):
    """A released version; nothing of its calibration is kept."""
    model = Watched(db, settings, clock, spec)
    model.release("1.0.0")
    return model


def keep_isotonic(model, probability, truth, **metrics):
    """Register the version with a calibration on these held-out rows, and other metrics."""
    with model.db.command(system("worker"), "version.register") as command:
        row = command.session.get_one(ModelVersion, (model.spec.name, "1.0.0"))
        learnt = isotonic.fit(np.asarray(probability), np.asarray(truth)).to_dict()
        row.metrics = {**row.metrics, "n_test": len(truth), **metrics, "isotonic": learnt}


def answer(model, probability, truth=None, *, apart=0.01, lag=0.0, inputs=None):
    """Log answers `apart` seconds from each other, and labels `lag` seconds after each.

    `truth`: whether each is positive; None, or None in it, where no label comes (yet). Labels
    of the future are there already: move the clock first to have them come later.
    """
    target, rows, labels = model.spec.target, [], []
    truth = [None] * len(probability) if truth is None else truth
    for place, (chance, true) in enumerate(zip(probability, truth, strict=True)):
        model.clock.now += timedelta(seconds=apart)
        said = target.positive if chance > 0.5 else target.negative
        given = inputs[place] if inputs else {"message": "hello"}
        row = model._row(given, model.version, said)
        row.probability = float(chance)
        rows.append(row)
        if true is not None:
            labels.append(told(model, row, bool(true), lag))
    with model.db.append() as session:
        session.add_all([*rows, *labels])
        count(session, rows)
    return rows


def told(model, row, true, lag=0.0, source="client"):
    """A label of a row, `lag` seconds after it."""
    target = model.spec.target
    value = target.positive if true else target.negative
    at = row.at + timedelta(seconds=lag)
    return Label(prediction_id=row.id, source=source, value=value, state="confirmed", at=at)
