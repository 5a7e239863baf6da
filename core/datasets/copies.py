"""Copies of dataset versions in an outside store, and bringing lost rows back from there."""

from pathlib import Path
from typing import Protocol

from core.access import Actor
from core.datasets import versions
from core.db import Database
from core.errors import NotFoundError
from core.settings import Settings
from core.tables.entities import DatasetVersion


class Store(Protocol):
    """The port: keeps files outside, under names that it gives them."""

    def push(self, file: Path) -> str:
        """Keep a copy of `file`; return the store and the name there, as `pull` wants it.

        Raises: InvalidInputError (not set up), UnavailableError (it does not answer).
        """

    def pull(self, name: str, file: Path) -> None:
        """Bring a copy back as `file`.

        Raises: NotFoundError (it has none), InvalidInputError, UnavailableError.
        """


def push(
    db: Database, actor: Actor, settings: Settings, dataset_id: str, store: Store
) -> DatasetVersion:
    """Keep a copy of a version's rows outside, and note where.

    Raises: ForbiddenError, NotFoundError, ConflictError (the file was changed), and the store's.
    """
    with db.read() as session:
        row = versions.get(session, dataset_id)
    versions.frame(settings, row)  # never keep a damaged file
    name = store.push(versions.path_of(settings, row))
    with db.command(actor, "dataset.load") as command:
        row = versions.get(command.session, dataset_id)
        row.kept_at = name
        command.note(model=row.model, dataset=row.id, kept_at=name)
        return row


def pull(db: Database, settings: Settings, dataset_id: str, store: Store) -> DatasetVersion:
    """Bring a version's rows back into the data folder, and verify their digest.

    Rows that are there and whole are left alone.
    Raises: NotFoundError (no copy is kept), ConflictError (the copy is another one), the store's.
    """
    with db.read() as session:
        row = versions.get(session, dataset_id)
    file = versions.path_of(settings, row)
    if versions.is_whole(settings, row):
        return row
    if row.kept_at is None:
        raise NotFoundError(f"no copy of data set {row.id} is kept: push it first next time")
    store.pull(row.kept_at, file)
    versions.frame(settings, row)
    return row
