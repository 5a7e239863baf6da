"""Two versions on the same held-out rows: which answers differ, and how each slice fares.

Both models are loaded and asked, so this belongs to the panel and the command line, not to REST.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core import registry, specs
from core.datasets import schema, versions
from core.db import Database
from core.errors import ConflictError
from core.serving import scorer
from core.serving.scorer import Input, Score
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion, ModelVersion, Run
from core.training import data as material
from core.training import evaluation, gate
from core.training.gate import SliceResult

MOST_ROWS, MOST_SHOWN = 20_000, 100


@dataclass(frozen=True)
class Versus:
    """What asking both found; `changed` of the `n` rows got another answer.

    `left_out` more rows judged one of the two, but the other has learnt them. `rows` holds up to
    100 changed ones: the input, what is true, and each version's answer and confidence. `slices`
    are judged as second minus first.
    """

    n: int
    changed: int
    rows: list[dict[str, Any]]
    slices: tuple[SliceResult, ...]
    left_out: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def look(db: Database, settings: Settings, model: str, first: str, second: str) -> Versus:
    """Ask both versions about the held-out rows on which both were judged, 20,000 at most.

    Where only one of them was, it is asked about those of its rows that the other has not learnt.
    Raises: NotFoundError (version, rows or model file); InvalidInputError; ConflictError (they
    share no held-out rows, or do not read the same inputs).
    """
    with db.read() as session:
        both = registry.compare(session, model, first, second)
        pair = [registry.get(session, model, name) for name in both["versions"]]
        paired = both["paired"]
        data = session.get(DatasetVersion, paired["dataset"]) if paired else None
        run = session.get(Run, pair[1].run_id)
        spec = specs.at_version(session, model, run.spec_version) if run else None
        spec = spec or specs.active(session, model)
    if data is None:
        raise ConflictError(f"{first} and {second} share no held-out rows that are kept here")
    if pair[0].signature != pair[1].signature:
        raise ConflictError(f"{first} and {second} do not read the same inputs")
    stored = schema.conform(versions.frame(settings, data), spec)
    fair = _fair(db, settings, pair, data.id, stored, spec)
    frame = stored[fair].reset_index(drop=True).head(MOST_ROWS)
    if frame.empty:
        raise ConflictError(f"every row that judged one of {first} and {second}, the other learnt")
    found = _compared(frame, spec, *(_answers(settings, one, frame, spec) for one in pair))
    return replace(found, left_out=int((~fair).sum()))


def _fair(
    db: Database,
    settings: Settings,
    pair: Sequence[ModelVersion],
    judged_on: str,
    rows: pd.DataFrame,
    spec: ModelSpec,
) -> NDArray[np.bool_]:
    """Return which rows no version has learnt that was not judged on them."""
    fair = np.ones(len(rows), dtype=bool)
    with db.read() as session:
        for one in pair:
            if judged_on not in one.metrics.get("evaluations", {}):
                fair &= ~material.seen_by(settings, session, one, rows, spec)
    return fair


def _answers(
    settings: Settings, version: ModelVersion, frame: pd.DataFrame, spec: ModelSpec
) -> list[Score]:
    loaded = scorer.load(settings, version)
    return loaded.score([loaded.check(one) for one in _inputs(frame, spec)])


def _inputs(frame: pd.DataFrame, spec: ModelSpec) -> list[Input]:
    if spec.input.text:
        return [str(text) for text in frame[spec.input.text]]
    features = frame[spec.columns].astype(object)
    rows = features.where(features.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _compared(
    frame: pd.DataFrame, spec: ModelSpec, first: Sequence[Score], second: Sequence[Score]
) -> Versus:
    truth = frame[spec.target.column].to_numpy(dtype=str)
    said = [np.array([one.label for one in answers]) for answers in (first, second)]
    changed = np.flatnonzero(said[0] != said[1])
    slices = evaluation.slices(frame, spec)
    judged = gate.judge(
        champion_right=(said[0] == truth).tolist(),
        candidate_right=(said[1] == truth).tolist(),
        slices={name: places.tolist() for name, places in slices.items()},
        min_slice=spec.gate.min_slice,
        alpha=spec.gate.alpha,
    )
    inputs = _inputs(frame.iloc[changed[:MOST_SHOWN]], spec)
    rows = [
        _row(given, str(truth[place]), first[place], second[place])
        for given, place in zip(inputs, changed[:MOST_SHOWN], strict=True)
    ]
    return Versus(len(frame), len(changed), rows, judged.slices)


def _row(given: Input, truth: str, first: Score, second: Score) -> dict[str, Any]:
    return {
        "input": given if isinstance(given, str) else dict(given),
        "true": truth,
        "first": first.label,
        "first_confidence": first.confidence,
        "second": second.label,
        "second_confidence": second.confidence,
        "better": "second" if second.label == truth else "first",
    }
