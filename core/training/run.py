"""One training from data to registered version; runs in a child process of the worker."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from core import explain, jobs, registry, runs, specs
from core.datasets import schema, versions
from core.db import Command, Database
from core.errors import ConflictError
from core.jobs import Claim
from core.serving import artifacts, compiler
from core.settings import Settings
from core.specs import ModelSpec, options
from core.tables.entities import ModelVersion, Run
from core.training import (
    data,
    decide,
    evaluation,
    executors,
    pipelines,
    search,
    thresholds,
    tracking,
)
from core.training.data import Material
from core.training.decide import Decision
from core.training.progress import Progress
from core.training.search import Searched, Tools
from core.training.tracking import Tracker

KNOWN_ROWS = 5_000  # from which a plan is asked the same as its pipeline


@dataclass(frozen=True)
class _Result:
    """Everything that is registered, computed before the one transaction that registers it."""

    spec: ModelSpec
    material: Material
    searched: Searched
    threshold: float
    parameters: dict[str, Any]
    artifact: str
    plan: tuple[str | None, str]
    metrics: dict[str, Any]
    right: NDArray[np.bool_]
    decision: Decision
    reference: pd.DataFrame
    explanation: dict[str, Any]
    test_digest: str
    reference_digest: str

    @property
    def algorithm(self) -> str:
        return self.searched.board[0].candidate.kind


def carry_out(
    settings: Settings,
    db: Database,
    claim: Claim,
    run_id: str,
    tracker: Tracker | None,
    tools: Tools | None = None,
) -> str:
    """Train, judge and register; return the version. A finished run is not repeated.

    Without `tools` the fits are carried out on this machine, and nothing is searched.
    Nothing is registered before the last step, which is one transaction that checks the fence.
    Raises: InvalidInputError (the data), ConflictError (cancelled or taken over), NotFoundError.
    """
    run = runs.begin(db, claim, run_id)
    if run.version is not None:
        return run.version
    with db.read() as session:
        spec = specs.at_version(session, run.model, run.spec_version)
    spec = options.with_options(spec, run.options)
    candidates = specs.candidates_from(spec, run.candidates)
    for candidate in candidates:  # what cannot be learnt here is said before any data is read
        pipelines.model(candidate, spec)
    own_steps = 3 + (tracker is not None)  # load, judge, register; show it on the server
    progress = Progress(db, claim, search.steps(spec, candidates) + own_steps)
    tools = tools or Tools(executors.local(settings))
    result = _train(db, settings, run, spec, progress, tools)
    with progress.step("register"):
        version = _register(db, claim, run_id, result, tracked=tracker is not None)
    progress.say(f"registered {version.model} {version.version}: {_gate_words(version)}")
    if tracker is not None:
        _track(db, settings, tracker, run_id, progress)
    return version.version


def _train(
    db: Database,
    settings: Settings,
    run: Run,
    spec: ModelSpec,
    progress: Progress,
    tools: Tools,
) -> _Result:
    with progress.step("load data"):
        material = data.prepare(db, settings, run, spec)
    train, test = material.train, material.test
    progress.say(f"{material.dataset.source}: {len(train):,} to learn, {len(test):,} to judge")
    candidates = specs.candidates_from(spec, run.candidates)
    found = search.search(train, spec, candidates, progress, tools, name=run.id)
    threshold = thresholds.choose(spec.threshold, found.truth, found.probability, spec)
    pipeline = search.refit(train, spec, found.board[0].candidate, progress)
    with progress.step("judge"):
        metrics, right = _judged(pipeline, test, spec, threshold)
        overlap = evaluation.overlap(train, test, spec)
        reference = data.reference(train, spec)
        return _Result(
            spec=spec,
            material=material,
            searched=found,
            threshold=threshold,
            parameters={"algorithm": found.board[0].candidate.kind, **_parameters(pipeline)},
            artifact=artifacts.save(settings, pipeline),
            plan=planned(settings, pipeline, train, spec),
            metrics=metrics,
            right=right,
            decision=decided(db, settings, material, right, spec, overlap=overlap),
            reference=reference,
            explanation=explain.summary(pipeline, data.signature(spec), schema.inputs(test, spec)),
            test_digest=versions.write(settings, test),
            reference_digest=versions.write(settings, reference),
        )


def planned(
    settings: Settings, pipeline: Pipeline, rows: pd.DataFrame, spec: ModelSpec
) -> tuple[str | None, str]:
    """Compile a pipeline; return the digest of its plan, or None, and what is to be said of it."""
    known = schema.sent(rows.head(KNOWN_ROWS), spec)
    plan, note = compiler.attempt(pipeline, data.signature(spec), known)
    return (artifacts.save_plan(settings, plan) if plan is not None else None), note


def _parameters(pipeline: Pipeline) -> dict[str, Any]:
    return pipelines.parameters(pipeline.named_steps["model"])


def _judged(
    pipeline: Pipeline, test: pd.DataFrame, spec: ModelSpec, threshold: float
) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """Return the figures on the held-out rows, and on which of them the model is right."""
    column = evaluation.positive_column(pipeline.classes_, spec)
    probability = pipeline.predict_proba(schema.inputs(test, spec))[:, column]
    truth = np.asarray(test[spec.target.column] == spec.positive, dtype=bool)
    said = evaluation.predicted(probability, spec, threshold)
    return evaluation.measure(truth, probability, said), truth == said


def decided(
    db: Database,
    settings: Settings,
    material: Material,
    right: NDArray[np.bool_],
    spec: ModelSpec,
    *,
    overlap: int,
) -> Decision:
    """Say what the gate answers: against what serves, or where nothing does, above the floor.

    `right`: on which rows of `material.test` the model is; `overlap` of them it has learnt.
    """
    champion, test = material.champion, material.test
    if champion is None:
        return decide.against_floor(right, spec, overlap=overlap)
    try:
        theirs = decide.champion_right(settings, champion, test, spec)
    except ConflictError as problem:  # the floor is enough only where it reads something else
        alike = champion.signature == data.signature(spec)
        judged = decide.unproven if alike else decide.against_floor
        return judged(right, spec, overlap=overlap, why=str(problem))
    with db.read() as session:
        seen = data.seen_by(settings, session, champion, test, spec)
        known = versions.find(session, spec.name, "validation", versions.digest_of(test))
        tried = registry.tried(session, spec.name, known.id, champion.version) if known else 0
    if seen.all():  # no fair row is left: say so rather than judge on what the champion learnt
        overlap, seen = overlap + len(test), np.zeros_like(seen)
    n_recent = int((~seen[material.n_old :]).sum())
    age = (db.clock() - known.at).total_seconds() / 86_400 if known else None
    decision = decide.against_champion(
        decide.Comparison(
            test=test[~seen].reset_index(drop=True),
            candidate=right[~seen],
            champion=theirs[~seen],
            n_recent=n_recent,
            overlap=overlap,
            age_days=None if n_recent else age,
            candidates_tried=tried + 1,  # only versions count: ours were ranked on training rows
        ),
        spec,
    )
    reasons = [*decision.result["reasons"], *([material.note] if material.note else [])]
    result = {**decision.result, "reasons": reasons, "champion": champion.version}
    return Decision(result, decision.state)


def _register(
    db: Database, claim: Claim, run_id: str, result: _Result, *, tracked: bool
) -> ModelVersion:
    """Register the version and finish the run in one transaction, or neither.

    Where trainings are `tracked` it also leaves the job that makes sure of that, so that neither
    a server that is away nor the end of this process loses one.
    """
    with db.command(runs.WORKER, "version.register") as command:
        jobs.check_fence(command.session, claim)
        if jobs.get(command.session, claim.job_id).cancel_requested:
            raise ConflictError("the training was cancelled; nothing was registered")
        run, spec, material = runs.get(command.session, run_id), result.spec, result.material
        stored = _datasets(command, result)
        metrics = {
            **result.metrics,
            "n_old": material.n_old,
            "evaluations": _evaluations(result, stored["validation"]),
        }
        version = registry.register(
            command,
            run=run,
            algorithm=result.algorithm,
            artifact=result.artifact,
            signature=data.signature(spec),
            metrics=metrics,
            gate=result.decision.result,
            state=result.decision.state,
            train_dataset_id=material.dataset.id,
            test_dataset_id=stored["validation"],
            reference_dataset_id=stored["reference"],
            threshold=result.threshold,
        )
        version.explanation = result.explanation
        version.plan, version.plan_note = result.plan
        runs.finish_in(
            command,
            run,
            version=version.version,
            dataset_id=material.dataset.id,
            parameters=result.parameters,
            metrics={name: metrics[name] for name in registry.COMPARED},
            leaderboard=[scored.to_dict() for scored in result.searched.board],
            study=result.searched.study,
        )
        if tracked:
            tracking.make_sure(command, run_id)
        return version


def _datasets(command: Command, result: _Result) -> dict[str, str]:
    """Add the test set and the reference sample; return their ids by role."""
    parts = {
        "validation": (result.material.test, result.test_digest, "held-out rows"),
        "reference": (result.reference, result.reference_digest, "sample of the training rows"),
    }
    return {
        role: versions.add(
            command,
            model=result.spec.name,
            role=role,
            frame=frame,
            digest=digest,
            source=f"{len(frame):,} {what} of: {result.material.dataset.source}",
        ).id
        for role, (frame, digest, what) in parts.items()
    }


def _evaluations(result: _Result, test_id: str) -> dict[str, str]:
    """Return which rows of each test set the version got right, for paired comparisons."""
    found = {test_id: registry.pack(result.right)}
    champion = result.material.champion
    if result.material.n_recent and champion is not None and not result.material.note:
        old = result.right[: result.material.n_old]
        found[champion.test_dataset_id] = registry.pack(old)
    return found


def _gate_words(version: ModelVersion) -> str:
    answer = str(version.gate["answer"]).replace("_", " ")
    return f"the gate says {answer}; {'; '.join(version.gate['reasons'])}"


def _track(
    db: Database, settings: Settings, tracker: Tracker, run_id: str, progress: Progress
) -> None:
    """Show the training on the tracking server; a job does it later where this fails."""
    try:
        with progress.step("tracking server"):
            tracking.once(db, settings, tracker, run_id)
    except Exception as error:  # noqa: BLE001, the version is registered; this is a note
        progress.say(f"not shown on the tracking server: {type(error).__name__}: {error}")
