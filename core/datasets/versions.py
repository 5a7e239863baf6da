"""Dataset versions: rows under the digest of their content, with where they came from."""

import os
import secrets
from pathlib import Path

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import specs
from core.access import Actor
from core.datasets import schema, sources, validation
from core.datasets.validation import Report
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.ids import new_id
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion


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
) -> DatasetVersion:
    """Keep `frame`, or the rows of the spec's source, as a version; the same content is the same.

    The answer's state is `validated` or `rejected`, with the validation report. The checks are
    those of `spec`, the spec in force unless given.
    Raises: ForbiddenError, NotFoundError (model), InvalidInputError (no source answers).
    """
    with db.read() as session:
        spec = spec or specs.active(session, model)
    if frame is None:
        loaded = sources.read(spec, settings)
        frame, source = loaded.frame, source or loaded.sentence
    report = validation.validate(frame, spec)
    digest = write(settings, frame)
    with db.read() as session:
        known = find(session, spec.name, role, digest)
    if known is not None and _unchanged(known, report):
        return known
    with db.command(actor, "dataset.load") as command:
        return add(
            command,
            model=spec.name,
            role=role,
            frame=frame,
            digest=digest,
            source=source,
            report=report,
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
        )
        command.session.add(row)
    row.state = state
    if report is not None or row.report is None:
        row.report = report.to_dict() if report is not None else {}
    command.session.flush()
    command.note(model=model, **{f"{role}_dataset": row.id, f"{role}_state": state})
    return row


def _unchanged(row: DatasetVersion, report: Report) -> bool:
    state = "validated" if report.ok else "rejected"
    return row.state == state and row.report.get("sentence") == report.sentence


def find(session: Session, model: str, role: str, digest: str) -> DatasetVersion | None:
    """Return the version with this content in this role, or None."""
    query = select(DatasetVersion).filter_by(model=model, role=role, digest=digest)
    return session.scalars(query).first()


def digest_of(frame: pd.DataFrame) -> str:
    """Return the digest under which `write` would keep a frame."""
    return schema.digest(schema.plain(frame))


def write(settings: Settings, frame: pd.DataFrame) -> str:
    """Keep the frame's rows in the data folder, at once or not at all, and return the digest."""
    kept = schema.plain(frame)
    digest = schema.digest(kept)
    path = _path(settings, digest)
    if not path.exists():
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
        raise NotFoundError(f"the rows of data set {row.id} are no longer in the data folder")
    try:
        found = schema.plain(pd.read_parquet(path))
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise ConflictError(f"the file of data set {row.id} is damaged") from error
    if schema.digest(found) != row.digest:
        raise ConflictError(f"the file of data set {row.id} was changed after it was kept")
    return found


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


def usable(row: DatasetVersion) -> DatasetVersion:
    """Return a version that may be trained on. Raises: InvalidInputError (with the report)."""
    if row.state == "validated":
        return row
    raise InvalidInputError(f"This data cannot be trained on. {row.report.get('sentence', '')}")


def _path(settings: Settings, digest: str) -> Path:
    return settings.folder("datasets") / f"{digest}.parquet"
