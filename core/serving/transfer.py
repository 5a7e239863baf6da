"""A version as one signed file: out of this installation, and into it."""

import hashlib
import os
import secrets
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import registry, specs
from core.access import Actor
from core.datasets import versions as datasets
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError, PilothouseError
from core.ids import new_id
from core.registry import files
from core.serving import artifacts, compiler
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion, ModelVersion, Run

ROLES = ("train", "validation", "reference")
_OF_VERSION = ("model", "version", "algorithm", "artifact", "signature", "metrics", "gate",
               "overridden", "explanation", "threshold")  # fmt: skip
_OF_DATASET = ("role", "digest", "n_rows", "columns", "source")
_ELSEWHERE = "Its rows are in the installation that the version was imported from."


def export(
    db: Database, actor: Actor, settings: Settings, model: str, version: str, *, reason: str = ""
) -> bytes:
    """Return one file with a version: model, figures, gate, data in words, and the spec.

    It holds no rows. Raises: ForbiddenError; NotFoundError (no such version, or its model file is
    gone); ConflictError (the model file was changed); TooLargeError.
    """
    with db.command(actor, "version.export") as command:
        command.note(model=model, version=version, reason=reason)
        row = registry.get(command.session, model, version)
        content = files.seal(
            _description(command.session, row),
            _artifact(settings, row.artifact),
            settings.key_for(files.PURPOSE),
        )
        command.note(
            model=row.model, version=row.version, sha256=hashlib.sha256(content).hexdigest()
        )
        return content


def import_file(
    db: Database, actor: Actor, settings: Settings, content: bytes, *, reason: str = ""
) -> ModelVersion:
    """Register the version that a file holds, as a new candidate that the gate here has not judged.

    A model that is not known here gets the spec of the file. Nothing is registered unless all is
    well: signature, digest, the types that a model file may hold, and that it answers.
    Raises: ForbiddenError; InvalidInputError, ConflictError, TooLargeError (the file).
    """
    with db.attempt(actor, "version.import") as attempt:
        attempt.note(reason=reason)
        description, artifact = files.unseal(content, settings.key_for(files.PURPOSE))
        attempt.note(model=str(description["model"]))
        fresh, pipeline = _keep(settings, str(description["artifact"]), artifact)
        plan = _planned(settings, pipeline, description)
    try:
        with db.command(actor, "version.import") as command:
            command.note(model=str(description["model"]), reason=reason)
            version = _register(command, description, reason)
            version.plan, version.plan_note = plan
            return version
    except PilothouseError:
        if fresh and not _is_used(db, str(description["artifact"])):
            artifacts.path(settings, str(description["artifact"])).unlink(missing_ok=True)
            if plan[0] is not None:
                artifacts.path(settings, plan[0], artifacts.PLAN).unlink(missing_ok=True)
        raise


def _is_used(db: Database, artifact: str) -> bool:
    """Say whether a version has this model file: somebody may have brought it meanwhile."""
    query = select(ModelVersion.version).filter_by(artifact=artifact)
    with db.read() as session:
        return session.scalars(query).first() is not None


def _description(session: Session, row: ModelVersion) -> dict[str, Any]:
    run = session.get(Run, row.run_id)
    ids = dict(
        zip(
            ROLES, (row.train_dataset_id, row.test_dataset_id, row.reference_dataset_id),
            strict=True,
        )
    )  # fmt: skip
    found = {role: session.get(DatasetVersion, id_) for role, id_ in ids.items()}
    return {
        **{name: getattr(row, name) for name in _OF_VERSION},
        "registered": row.at.isoformat(),
        "parameters": run.parameters if run else {},
        "spec": specs.active_row(session, row.model).yaml,
        "datasets": {
            role: {"id": ids[role], **{name: getattr(one, name) for name in _OF_DATASET}}
            for role, one in found.items()
            if one is not None
        },
    }


def _artifact(settings: Settings, digest: str) -> bytes:
    file = artifacts.path(settings, digest)
    if not file.is_file():
        raise NotFoundError(f"the model file {digest[:12]} is not in the data folder")
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ConflictError(f"the model file {digest[:12]} was changed or cut; it is not exported")
    return content


def _planned(
    settings: Settings,
    pipeline: Any,  # noqa: ANN401 (scikit-learn)
    description: dict[str, Any],
) -> tuple[str | None, str]:
    """Compile the model here: a plan from elsewhere would have to be believed."""
    plan, note = compiler.attempt(pipeline, description["signature"])
    return (artifacts.save_plan(settings, plan) if plan is not None else None), note


def _keep(settings: Settings, digest: str, content: bytes) -> tuple[bool, Any]:
    """Keep a model file if it can be loaded; returns whether it was not here before, and the model.

    Raises: InvalidInputError (it holds what is not trusted), ConflictError (another digest).
    """
    if hashlib.sha256(content).hexdigest() != digest:
        raise ConflictError("the model in this version file is not the one that it describes")
    target = artifacts.path(settings, digest)
    fresh = not target.exists()
    if fresh:
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    try:
        return fresh, artifacts.load(settings, digest)
    except PilothouseError:
        if fresh:
            target.unlink(missing_ok=True)
        raise


def _register(command: Command, description: dict[str, Any], reason: str) -> ModelVersion:
    session = command.session
    spec = _spec(command, description)
    query = select(ModelVersion).filter_by(model=spec.name, artifact=description["artifact"])
    if known := session.scalars(query).first():
        raise ConflictError(f"{spec.name} {known.version} is this very model already")
    run = _run(command, spec, description, reason)
    ids = _datasets(command, spec.name, description)
    version = registry.register(
        command,
        run=run,
        algorithm=description["algorithm"],
        artifact=description["artifact"],
        signature=description["signature"],
        metrics=_metrics(description, ids),
        gate=_gate(description),
        train_dataset_id=ids["train"],
        test_dataset_id=ids["validation"],
        reference_dataset_id=ids["reference"],
        threshold=description["threshold"],
    )
    version.explanation = description["explanation"]
    run.version = version.version
    command.note(imported=description["version"], run=run.id)
    return version


def _spec(command: Command, description: dict[str, Any]) -> ModelSpec:
    """Return the spec in force here; a model that is not known yet gets the file's."""
    name = description["model"]
    if specs.find_row(command.session, name) is None:
        return specs.apply_in(command, description["spec"])
    return specs.active(command.session, name)


def _run(command: Command, spec: ModelSpec, description: dict[str, Any], reason: str) -> Run:
    now, words = command.now, f"version {description['version']} of another installation"
    command.session.flush()
    run = Run(
        id=new_id(now),
        model=spec.name,
        kind="import",
        state="finished",
        job_id="",
        spec_version=specs.active_row(command.session, spec.name).version,
        candidates=[],
        parameters=description["parameters"],
        metrics={},
        leaderboard=[],
        trigger="version file",
        reason=f"{words}: {reason}" if reason else words,
        author=command.actor.name,
        at=now,
        started_at=now,
        finished_at=now,
    )
    command.session.add(run)
    return run


def _datasets(command: Command, model: str, description: dict[str, Any]) -> dict[str, str]:
    """Return the ids of the data by role; what is not here is described, without its rows."""
    ids = {}
    for role in ROLES:
        if (told := description["datasets"].get(role)) is None:
            raise InvalidInputError(f"this version file does not describe its {role} data")
        known = datasets.find(command.session, model, role, told["digest"])
        ids[role] = known.id if known else _described(command, model, role, told)
    return ids


def _described(command: Command, model: str, role: str, told: dict[str, Any]) -> str:
    row = DatasetVersion(
        id=new_id(command.now),
        model=model,
        role=role,
        state="archived",
        digest=told["digest"],
        n_rows=told["n_rows"],
        columns=told["columns"],
        source=told["source"],
        report={"sentence": _ELSEWHERE, "elsewhere": True},
        author=command.actor.name,
        at=command.now,
    )
    command.session.add(row)
    command.session.flush()
    return row.id


def _metrics(description: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """Return the figures with the held-out rows under the name that they have here."""
    there = {told["id"]: ids[role] for role, told in description["datasets"].items()}
    judged = description["metrics"].get("evaluations", {})
    kept = {there[name]: right for name, right in judged.items() if name in there}
    return {**description["metrics"], "evaluations": kept}


def _gate(description: dict[str, Any]) -> dict[str, Any]:
    """Return the gate's result here: what another champion was compared with says nothing yet."""
    told = str(description["gate"].get("answer") or "nothing").replace("_", " ")
    why = f"imported: where it comes from the gate said {told}; here it was not judged yet"
    return {
        "answer": "not_enough_evidence",
        "rule": "imported",
        "reasons": [why],
        "origin": description["gate"],
    }
