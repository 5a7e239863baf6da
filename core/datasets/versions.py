"""Dataset versions: rows under the digest of their content, with where they came from."""

import os
import secrets
from pathlib import Path

import pandas as pd
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core import jobs, specs
from core.access import Actor
from core.datasets import derived, schema, sources, suites, validation
from core.datasets.expectations import Expectation, Validator
from core.datasets.rules import PlainValidator
from core.datasets.validation import Report
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.ids import new_id
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.base import Json
from core.tables.entities import DatasetVersion, ModelVersion, Run


def load(
    db: Database,
    actor: Actor,
    settings: Settings,
    model: str,
    *,
    role: str = "train",
    frame: pd.DataFrame | None = None,
    source: str = "",
    spec: ModelSpec | None = None,
    validator: Validator | None = None,
    parent_id: str | None = None,
) -> DatasetVersion:
    """Keep `frame`, or the rows of the spec's source, as a version; the same content is the same.

    The answer's state is `validated` or `rejected`, with the validation report, or `archived`
    where the content was archived. The checks are those of `spec` (the spec in force unless
    given) and of the model's suite, which the first good data generates; `validator` judges by it,
    the built-in rules unless given. `parent_id` is the version that these rows were made from.
    Raises: ForbiddenError, NotFoundError (model), InvalidInputError (no source answers).
    """
    with db.read() as session:
        spec = spec or specs.active(session, model)
    if frame is None:
        loaded = sources.read(spec, settings)
        frame, source = loaded.frame, source or loaded.sentence
    digest = write(settings, frame)
    with db.read() as session:
        known = find(session, spec.name, role, digest)
    whole = derived.complete(db, frame, spec)
    report, suite = _judged(db, spec, whole, role, known=known, validator=validator)
    if known is not None and (_put_away(known) or _unchanged(known, report)):
        return known
    with db.command(actor, "dataset.load") as command:
        row = add(
            command,
            model=spec.name,
            role=role,
            frame=frame,
            digest=digest,
            source=source,
            report=report,
            parent_id=parent_id,
        )
    if suite:
        suites.keep_first(db, spec, suite, row.id)
    return row


def receive(
    db: Database,
    actor: Actor,
    settings: Settings,
    model: str,
    frame: pd.DataFrame,
    *,
    source: str,
    parent_id: str | None = None,
) -> DatasetVersion:
    """Keep a person's upload after the quick checks; a job `validate` does the rest.

    The answer's state is `pending`, or `rejected` by the quick checks; content that was judged
    before keeps its state.
    Raises: ForbiddenError, NotFoundError (model).
    """
    with db.read() as session:
        spec = specs.active(session, model)
    digest, report = write(settings, frame), validation.validate(frame, spec)
    with db.command(actor, "dataset.load") as command:
        known = find(command.session, spec.name, "train", digest)
        if known is not None and (known.state == "validated" or _put_away(known)):
            command.note(model=spec.name, train_dataset=known.id, known=True)
            return known
        row = add(
            command,
            model=spec.name,
            role="train",
            frame=frame,
            digest=digest,
            source=source,
            report=report,
            parent_id=parent_id,
        )
        if report.ok:
            row.state = "pending"
            jobs.enqueue(command.session, "validate", {"dataset_id": row.id}, now=command.now)
        return row


def judge(
    db: Database, actor: Actor, settings: Settings, dataset_id: str, validator: Validator
) -> DatasetVersion:
    """Judge a pending version by the model's suite; one that is not pending stays as it is.

    Raises: NotFoundError (version, its rows), ConflictError (its file was changed).
    """
    with db.read() as session:
        row = get(session, dataset_id)
        spec = specs.active(session, row.model)
    if row.state != "pending":
        return row
    rows = schema.typed(frame(settings, row))
    report, suite = _judged(db, spec, rows, row.role, known=None, validator=validator)
    row = _ended(db, actor, dataset_id, report.to_dict(), "validated" if report.ok else "rejected")
    if suite:
        suites.keep_first(db, spec, suite, row.id)
    return row


def refuse(db: Database, actor: Actor, dataset_id: str, why: str) -> DatasetVersion:
    """Reject a pending version that could not be judged. Raises: NotFoundError."""
    return _ended(db, actor, dataset_id, {"sentence": f"It could not be checked: {why}"})


def _ended(
    db: Database, actor: Actor, dataset_id: str, report: Json, state: str = "rejected"
) -> DatasetVersion:
    with db.command(actor, "dataset.load") as command:
        row = get(command.session, dataset_id)
        if row.state == "pending":
            row.state, row.report = state, {**row.report, **report}
        command.note(model=row.model, dataset=row.id, state=row.state)
        return row


def pending(session: Session, model: str) -> list[DatasetVersion]:
    """Return the uploads of a model that are not judged yet, oldest first."""
    query = select(DatasetVersion).filter_by(model=specs.canonical(model), state="pending")
    return list(session.scalars(query.order_by(DatasetVersion.at)))


def _judged(
    db: Database,
    spec: ModelSpec,
    rows: pd.DataFrame,
    role: str,
    *,
    known: DatasetVersion | None,
    validator: Validator | None,
) -> tuple[Report, tuple[Expectation, ...]]:
    """Return the report, and the suite that this data generated where the model has none.

    What the same suite said of the same content before is said again without another look.
    """
    report = validation.validate(rows, spec)
    if role != "train" or not report.ok:
        return report, ()
    with db.read() as session:
        stored = suites.current(session, spec.name)
    suite = suites.expectations(stored, spec) if stored else suites.suite_for(spec, rows)
    number, judges = stored.version if stored else 1, validator or PlainValidator()
    before = known.report if known is not None else {}
    same_engine = validator is None or before.get("engine") == validator.name
    if before.get("suite") == number and same_engine:
        judged = report.with_failed(
            before["failed"], n=before["n_expectations"], suite=number, engine=before["engine"]
        )
        return judged, ()
    results = judges.run(rows, suite)
    return report.with_results(results, rows, suite=number, engine=judges.name), (
        () if stored else suite
    )


def add(
    command: Command,
    *,
    model: str,
    role: str,
    frame: pd.DataFrame,
    digest: str,
    source: str,
    report: Report | None = None,
    parent_id: str | None = None,
) -> DatasetVersion:
    """Add the row of a frame that `write` has kept, or bring the known row's report up to date."""
    state = "rejected" if report is not None and not report.ok else "validated"
    row = find(command.session, model, role, digest)
    if row is None:
        row = DatasetVersion(
            id=new_id(command.now),
            model=model,
            role=role,
            digest=digest,
            n_rows=len(frame),
            columns=[column.to_dict() for column in schema.infer(schema.plain(frame))],
            source=source,
            author=command.actor.name,
            at=command.now,
            parent_id=parent_id,
        )
        command.session.add(row)
    row.state = state
    if report is not None or row.report is None:
        row.report = report.to_dict() if report is not None else {}
    command.session.flush()
    command.note(model=model, **{f"{role}_dataset": row.id, f"{role}_state": state})
    return row


def _put_away(row: DatasetVersion) -> bool:
    """Say whether a person archived it; what an import only described is used once it is here."""
    return row.state == "archived" and not row.report.get("elsewhere")


def _unchanged(row: DatasetVersion, report: Report) -> bool:
    state = "validated" if report.ok else "rejected"
    told = ("sentence", "suite", "engine")
    fresh = report.to_dict()
    return row.state == state and all(row.report.get(name) == fresh[name] for name in told)


def archive(db: Database, actor: Actor, dataset_id: str, reason: str) -> DatasetVersion:
    """Keep a version from being used again; its rows stay, for what was trained on them.

    Raises: ForbiddenError, NotFoundError, InvalidInputError (no reason), ConflictError (it is).
    """
    return _set_aside(db, actor, dataset_id, reason, archived=True)


def restore(db: Database, actor: Actor, dataset_id: str, reason: str) -> DatasetVersion:
    """Let an archived version be used again, in the state that its report says.

    Raises: ForbiddenError, NotFoundError, InvalidInputError (no reason), ConflictError (it is not).
    """
    return _set_aside(db, actor, dataset_id, reason, archived=False)


def _set_aside(
    db: Database, actor: Actor, dataset_id: str, reason: str, *, archived: bool
) -> DatasetVersion:
    with db.command(actor, "dataset.archive") as command:
        row = get(command.session, dataset_id)
        command.note(model=row.model, reason=reason.strip(), dataset=row.id, archived=archived)
        if not reason.strip():
            raise InvalidInputError("Say in a few words why.")
        if (row.state == "archived") == archived:
            raise ConflictError(f"data set {row.id} is {row.state} already")
        if archived:
            row.state = "archived"
        else:
            row.state = "validated" if row.report.get("ok", True) else "rejected"
        return row


def find(session: Session, model: str, role: str, digest: str) -> DatasetVersion | None:
    """Return the version with this content in this role, or None."""
    query = select(DatasetVersion).filter_by(model=model, role=role, digest=digest)
    return session.scalars(query).first()


def digest_of(frame: pd.DataFrame) -> str:
    """Return the digest under which `write` would keep a frame."""
    return schema.digest(schema.plain(frame))


def write(settings: Settings, frame: pd.DataFrame) -> str:
    """Keep the frame's rows in the data folder, at once or not at all, and return the digest.

    A file of these rows that was damaged since is replaced.
    """
    kept = schema.plain(frame)
    digest = schema.digest(kept)
    path = _path(settings, digest)
    if not (path.exists() and _holds(path, digest)):
        fresh = path.with_name(f".{secrets.token_hex(8)}.part")
        kept.to_parquet(fresh, index=False)
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(path)
    return digest


def frame(settings: Settings, row: DatasetVersion) -> pd.DataFrame:
    """Return the rows of a version.

    Raises: NotFoundError (the file is gone), ConflictError (its content is not what was kept).
    """
    path = _path(settings, row.digest)
    if not path.exists():
        copy = "; a copy is kept: `pilothouse data pull`" if row.kept_at else ""
        raise NotFoundError(f"the rows of data set {row.id} are no longer in the data folder{copy}")
    try:
        found = _read(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise ConflictError(f"the file of data set {row.id} is damaged") from error
    if schema.digest(found) != row.digest:
        raise ConflictError(f"the file of data set {row.id} was changed after it was kept")
    return found


def _read(path: Path) -> pd.DataFrame:
    return schema.plain(pd.read_parquet(path))


def _holds(path: Path, digest: str) -> bool:
    try:
        return schema.digest(_read(path)) == digest
    except (OSError, ValueError):
        return False


def is_whole(settings: Settings, row: DatasetVersion) -> bool:
    """Say whether the rows of a version are there and are those that were kept."""
    try:
        frame(settings, row)
    except (NotFoundError, ConflictError):
        return False
    return True


def get(session: Session, dataset_id: str) -> DatasetVersion:
    """Return a version. Raises: NotFoundError."""
    if row := session.get(DatasetVersion, dataset_id):
        return row
    raise NotFoundError(f"there is no data set {dataset_id}")


def latest(session: Session, model: str, role: str) -> DatasetVersion:
    """Return the newest validated version in a role. Raises: NotFoundError."""
    name = specs.canonical(model)
    query = select(DatasetVersion).filter_by(model=name, role=role, state="validated")
    query = query.order_by(DatasetVersion.at.desc(), DatasetVersion.id.desc())
    if row := session.scalars(query.limit(1)).first():
        return row
    raise NotFoundError(f"{name} has no validated {role} data yet")


def history(session: Session, model: str) -> list[DatasetVersion]:
    """Return all versions of a model's data, newest first."""
    query = select(DatasetVersion).filter_by(model=specs.canonical(model))
    return list(session.scalars(query.order_by(DatasetVersion.at.desc(), DatasetVersion.id.desc())))


def lineage(session: Session, row: DatasetVersion) -> dict[str, str]:
    """Return where a version came from and what came of it, in words: name to value."""
    children = session.scalars(select(DatasetVersion.id).filter_by(parent_id=row.id))
    runs = session.scalars(select(Run.id).filter_by(dataset_id=row.id).order_by(Run.at))
    columns = (
        ModelVersion.train_dataset_id,
        ModelVersion.test_dataset_id,
        ModelVersion.reference_dataset_id,
    )
    made = select(ModelVersion.version).filter_by(model=row.model)
    made = made.where(or_(*(column == row.id for column in columns)))
    numbered = session.scalars(made.order_by(ModelVersion.number))
    return {
        "data set": row.id,
        "content (SHA-256)": f"{row.digest[:16]}…",
        "made from": row.parent_id or "its source",
        "data made from it": ", ".join(children) or "none",
        "trainings": ", ".join(runs) or "none",
        "model versions": ", ".join(numbered) or "none",
        "copy kept": row.kept_at or "no",
    }


def usable(row: DatasetVersion) -> DatasetVersion:
    """Return a version that may be trained on. Raises: InvalidInputError (with the report)."""
    if row.state == "validated":
        return row
    if row.state == "archived":
        raise InvalidInputError(f"Data set {row.id} was archived: restore it, or name another.")
    if row.state == "pending":
        raise InvalidInputError(f"Data set {row.id} is still being checked; try again shortly.")
    raise InvalidInputError(f"This data cannot be trained on. {row.report.get('sentence', '')}")


def path_of(settings: Settings, row: DatasetVersion) -> Path:
    """Return the file that holds, or would hold, the rows of a version."""
    return _path(settings, row.digest)


def _path(settings: Settings, digest: str) -> Path:
    return settings.folder("datasets") / f"{digest}.parquet"
