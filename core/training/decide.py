"""What the gate says about a trained model: against the floor, or against what serves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.datasets import schema
from core.errors import ConflictError, PilothouseError
from core.serving import artifacts
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.entities import ModelVersion
from core.training import evaluation, gate
from core.training.gate import GateResult, Rule

Mask = NDArray[np.bool_]
_TWICE = "superiority on recent rows, non-inferiority on old rows"
_NO_OLD = (
    "what serves has learnt every old test row: whether it is as good as before cannot be asked; "
    "train on data with rows that are new to both"
)


@dataclass(frozen=True)
class Decision:
    """The gate's result as it is stored, and the state that the version starts in.

    A refused version is `rejected` where it is worse than what serves, or its test rows cannot
    judge it. One that is refused for bringing too little, or for trading one class for another,
    stays a `candidate`: the gate keeps it from release, but an experiment may still compare it.
    """

    result: dict[str, Any]
    state: str


def against_floor(right: Mask, spec: ModelSpec, *, overlap: int, why: str = "") -> Decision:
    """Judge a model where nothing comparable serves: accuracy above the spec's floor."""
    result = gate.first(
        candidate_right=right.tolist(),
        floor=spec.gate.floor,
        alpha=spec.gate.alpha,
        train_test_overlap=overlap,
        absolute_floor=spec.gate.auto_deploy_threshold,
    ).to_dict()
    if why:
        result["reasons"] = (*result["reasons"], why)
    return Decision(result, "rejected" if result["answer"] == "refuse" else "candidate")


def unproven(right: Mask, spec: ModelSpec, *, overlap: int, why: str) -> Decision:
    """Judge a model that must beat what serves where that could not be asked: never promote."""
    floor = against_floor(right, spec, overlap=overlap)
    if floor.result["answer"] == "refuse":
        return floor
    result = {**floor.result, "answer": "not_enough_evidence", "reasons": (why,)}
    return Decision({**result, "more_rows_needed": None}, "candidate")


def champion_right(
    settings: Settings, champion: ModelVersion, test: pd.DataFrame, spec: ModelSpec
) -> Mask:
    """Return on which test rows the champion, with its own threshold, is right.

    Raises: ConflictError (its file is missing or was changed, or it cannot read these rows).
    """
    return _right(settings, champion, test, spec, name=f"{champion.version}, which serves,")


def candidate_right(
    settings: Settings, candidate: ModelVersion, test: pd.DataFrame, spec: ModelSpec
) -> Mask:
    """Return on which test rows a registered version, with its own threshold, is right.

    Raises: ConflictError (its file is missing or was changed, or it cannot read these rows).
    """
    return _right(settings, candidate, test, spec, name=candidate.version)


def _right(
    settings: Settings, version: ModelVersion, test: pd.DataFrame, spec: ModelSpec, *, name: str
) -> Mask:
    try:
        pipeline = artifacts.load(settings, version.artifact)
        column = evaluation.positive_column(pipeline.classes_, spec)
        probability = pipeline.predict_proba(schema.inputs(test, spec))[:, column]
    except (PilothouseError, ValueError, KeyError) as problem:
        raise ConflictError(f"{name} cannot be judged on these rows: {problem}") from problem
    said = evaluation.predicted(probability, spec, version.threshold)
    truth = np.asarray(test[spec.target.column] == spec.positive, dtype=bool)
    return np.asarray(said == truth, dtype=bool)


@dataclass(frozen=True)
class Comparison:
    """Candidate and champion on the same rows; the last `n_recent` are from production."""

    test: pd.DataFrame
    candidate: Mask
    champion: Mask
    n_recent: int
    overlap: int
    age_days: float | None = None
    candidates_tried: int = 1  # against this champion on these rows, with this one
    look: int = 1  # at these two: 1 after the training, more where rows arrived since


def against_champion(compared: Comparison, spec: ModelSpec) -> Decision:
    """Judge a model against what serves, by the spec's rule; a retrain is judged twice.

    With recent rows from production: superiority on them and non-inferiority on the old rows.
    Look k spends alpha / 2^k, so that a version may be judged again whenever rows arrive and all
    its looks together promote one that is no better with a probability of at most alpha (union
    bound over 1/2 + 1/4 + 1/8 …). The old rows never grow: asking them again spends nothing.
    Where none of them is left, the recent ones may refuse, but not promote.
    """
    everything = np.ones(len(compared.test), dtype=bool)
    harm = _judge(compared, spec, everything, "non_inferiority", only_harm=True)
    if compared.n_recent:
        recent = np.arange(len(compared.test)) >= len(compared.test) - compared.n_recent
        newest = _judge(compared, spec, recent, "superiority", look=compared.look)
        if recent.all():
            result = _recent_alone(newest)
        else:
            result = _both(newest, _judge(compared, spec, ~recent, "non_inferiority"))
    else:
        rule, look = spec.gate.rule, compared.look
        result = _judge(compared, spec, everything, rule, look=look).to_dict()
    rejected = result["answer"] == "refuse" and harm.answer == "refuse"
    return Decision(result, "rejected" if rejected else "candidate")


def _judge(
    compared: Comparison,
    spec: ModelSpec,
    rows: Mask,
    rule: Rule,
    *,
    look: int = 0,
    only_harm: bool = False,
) -> GateResult:
    part = compared.test[rows].reset_index(drop=True)
    slices = evaluation.slices(part, spec, classes=not only_harm)
    return gate.judge(
        champion_right=compared.champion[rows].tolist(),
        candidate_right=compared.candidate[rows].tolist(),
        rule=rule,
        required_improvement=spec.gate.required_improvement,
        margin=spec.gate.margin,
        alpha=spec.gate.alpha,
        slices={name: places.tolist() for name, places in slices.items()},
        min_slice=spec.gate.min_slice,
        candidates_tried=compared.candidates_tried,
        absolute_floor=None if only_harm else spec.gate.auto_deploy_threshold,
        train_test_overlap=compared.overlap,
        test_age_days=compared.age_days,
        look=look,
    )


def _recent_alone(recent: GateResult) -> dict[str, Any]:
    """Return the answer where no old row can be asked: at best, not enough evidence."""
    answer = "refuse" if recent.answer == "refuse" else "not_enough_evidence"
    return {
        **recent.to_dict(),
        "answer": answer,
        "rule": _TWICE,
        "reasons": [*(f"on recent labelled rows: {reason}" for reason in recent.reasons), _NO_OLD],
        "recent": recent.to_dict(),
        "old": None,
    }


def _both(recent: GateResult, old: GateResult) -> dict[str, Any]:
    """Join the two answers: refused by one is refused, promoted by both is promoted."""
    answers = {recent.answer, old.answer}
    answer = "not_enough_evidence"
    if "refuse" in answers:
        answer = "refuse"
    elif answers == {"promote"}:
        answer = "promote"
    needed = [more for more in (recent.more_rows_needed, old.more_rows_needed) if more]
    return {
        **recent.to_dict(),
        "answer": answer,
        "rule": _TWICE,
        "reasons": [
            *(f"on recent labelled rows: {reason}" for reason in recent.reasons),
            *(f"on the old test rows: {reason}" for reason in old.reasons),
        ],
        "more_rows_needed": max(needed) if needed and answer == "not_enough_evidence" else None,
        "recent": recent.to_dict(),
        "old": old.to_dict(),
    }
