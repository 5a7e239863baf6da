"""Registering a pipeline that was trained elsewhere: the same checks and gate, one command."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core import explain, registry, runs, specs
from core.access import Actor
from core.datasets import schema, validation, versions
from core.db import Command, Database
from core.errors import InvalidInputError
from core.ids import new_id
from core.serving import artifacts
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.entities import ModelVersion, Run
from core.training import data, evaluation, foreign, pipelines, run, tracking
from core.training.data import Material
from core.training.decide import Decision

EVEN = 0.5
UNKNOWN = (
    "what it was trained on is not known: rows that judge it may be among them, so these figures "
    "may be too good; register it with --trained-on FILE to leave those rows out"
)


def register(
    db: Database,
    settings: Settings,
    actor: Actor,
    model: str,
    content: bytes,
    *,
    name: str = "",
    dataset_id: str | None = None,
    trained_on: pd.DataFrame | None = None,
    reason: str = "",
) -> ModelVersion:
    """Check, judge and register the classifier in a skops file; everything or nothing is kept.

    It is judged on the held-out rows of the spec's data (or of `dataset_id`), without the rows
    of `trained_on`. Where that is not given, the gate never says promote.

    Raises: InvalidInputError (the file, or what it answers, does not fit), TooLargeError,
    NotFoundError, ConflictError, ForbiddenError.
    """
    with db.attempt(actor, "version.register") as attempt:
        attempt.note(model=model, reason=reason, what="trained elsewhere")
        with db.read() as session:
            row = specs.active_row(session, model)
        spec, pipeline = specs.parse(row.yaml), foreign.opened(content)
    made = _run(db, actor, spec, row.version, dataset_id=dataset_id, reason=reason)
    material = data.prepare(db, settings, made, spec)
    if trained_on is not None:
        material = _without(material, schema.conform(trained_on, spec), spec)
    foreign.check(pipeline, spec, material.test)
    metrics, right = _judged(pipeline, material, spec)
    gate = run.decided(db, settings, material, right, spec, overlap=0)
    signature = data.signature(spec)
    judged = _Judged(
        run=made,
        spec=spec,
        material=material,
        metrics=metrics,
        right=right,
        gate=gate if trained_on is not None else _doubted(gate),
        artifact=artifacts.save(settings, pipeline),
        plan=run.planned(settings, pipeline, material.test, spec),
        algorithm=name.strip()[:100] or algorithm(pipeline),
        parameters=_parameters(pipeline),
        explanation=explain.summary(pipeline, signature, schema.inputs(material.test, spec)),
        learnt=trained_on,
    )
    with db.command(actor, "version.register") as command:
        command.note(model=spec.name, reason=reason, what="trained elsewhere")
        return _keep(command, settings, judged)


@dataclass(frozen=True)
class _Judged:
    """Everything that is registered, computed before the one transaction that registers it."""

    run: Run
    spec: ModelSpec
    material: Material
    metrics: dict[str, Any]
    right: NDArray[np.bool_]
    gate: Decision
    artifact: str
    plan: tuple[str | None, str]
    algorithm: str
    parameters: dict[str, Any]
    explanation: dict[str, Any]
    learnt: pd.DataFrame | None


def _run(
    db: Database,
    actor: Actor,
    spec: ModelSpec,
    spec_version: int,
    *,
    dataset_id: str | None,
    reason: str,
) -> Run:
    now = db.clock()
    return Run(
        id=new_id(now),
        model=spec.name,
        kind="register",
        state="running",
        job_id="",
        spec_version=spec_version,
        dataset_id=dataset_id,
        candidates=[],
        parameters={},
        metrics={},
        leaderboard=[],
        trigger="command line",
        reason=reason,
        author=actor.name,
        at=now,
        started_at=now,
        options={},
        study={},
    )


def _without(material: Material, learnt: pd.DataFrame, spec: ModelSpec) -> Material:
    """Leave the rows that the model has learnt out of judging it."""
    seen = np.isin(schema.row_keys(material.test, spec), schema.row_keys(learnt, spec))
    left = material.test[~seen].reset_index(drop=True)
    if len(left) < spec.validation.min_test_rows:
        raise InvalidInputError(
            f"Of {len(material.test):,} rows that could judge it, the model was trained on all "
            f"but {len(left):,}; {spec.validation.min_test_rows:,} are needed. Train it without "
            "them, or name other data with --data."
        )
    return replace(material, train=learnt, test=left)


def _judged(pipeline: Any, material: Material, spec: ModelSpec) -> tuple[dict[str, Any], Any]:  # noqa: ANN401
    """Return the figures on the rows that judge, and on which of them the model is right."""
    test = material.test
    said = foreign.probabilities(pipeline, schema.inputs(test, spec), spec)
    probability = said[:, evaluation.positive_column(pipeline.classes_, spec)]
    truth = np.asarray(test[spec.target.column] == spec.positive, dtype=bool)
    positive = evaluation.predicted(probability, spec, EVEN)
    return evaluation.measure(truth, probability, positive), truth == positive


def _doubted(gate: Decision) -> Decision:
    """Say that the rows may have been learnt; then they cannot prove that it is better."""
    answer = gate.result["answer"]
    changed = {
        **gate.result,
        "answer": "not_enough_evidence" if answer == "promote" else answer,
        "reasons": [UNKNOWN, *gate.result["reasons"]],
        "overlap": "unknown",
    }
    return Decision(changed, gate.state)


def _keep(command: Command, settings: Settings, judged: _Judged) -> ModelVersion:
    """Add the run, its data and its version in one transaction."""
    made, spec, material, metrics = judged.run, judged.spec, judged.material, judged.metrics
    command.session.add(made)
    test = _dataset(command, settings, spec, "validation", material.test, "held-out rows")
    sample = data.reference(material.train, spec)
    reference = _dataset(command, settings, spec, "reference", sample, "sample of the rows before")
    train = material.dataset.id
    if judged.learnt is not None:
        # a role of its own: our trainings go on with the data that was loaded for them
        train = _dataset(command, settings, spec, "elsewhere", judged.learnt, "training rows")
    version = registry.register(
        command,
        run=made,
        algorithm=judged.algorithm,
        artifact=judged.artifact,
        signature=data.signature(spec),
        metrics={**metrics, "evaluations": {test: registry.pack(judged.right)}},
        gate=judged.gate.result,
        state=judged.gate.state,
        train_dataset_id=train,
        test_dataset_id=test,
        reference_dataset_id=reference,
        threshold=EVEN,
    )
    version.explanation = judged.explanation
    version.plan, version.plan_note = judged.plan
    runs.finish_in(
        command,
        made,
        version=version.version,
        dataset_id=train,
        parameters={"algorithm": judged.algorithm, **judged.parameters},
        metrics={one: metrics[one] for one in registry.COMPARED},
        leaderboard=[],
        study={},
    )
    tracking.make_sure(command, made.id)
    return version


def _dataset(
    command: Command,
    settings: Settings,
    spec: ModelSpec,
    role: str,
    frame: pd.DataFrame,
    what: str,
) -> str:
    return versions.add(
        command,
        model=spec.name,
        role=role,
        frame=frame,
        digest=versions.write(settings, frame),
        source=f"{len(frame):,} {what}, of a model that was registered from a file",
        report=validation.validate(frame, spec) if role == "elsewhere" else None,
    ).id


def algorithm(pipeline: Any) -> str:  # noqa: ANN401 (scikit-learn)
    """Name the model of a pipeline as our own candidates are named.

    >>> from sklearn.linear_model import LogisticRegression
    >>> algorithm(LogisticRegression())
    'logistic_regression'
    """
    last = pipeline.steps[-1][1] if getattr(pipeline, "steps", None) else pipeline
    words = type(last).__name__.removesuffix("Classifier")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", words).lower()


def _parameters(pipeline: Any) -> dict[str, Any]:  # noqa: ANN401
    last = pipeline.steps[-1][1] if getattr(pipeline, "steps", None) else pipeline
    return pipelines.parameters(last)
