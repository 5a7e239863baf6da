"""A throw-away copy of what serves of a model: a folder, a database and a clock of its own.

Nothing in it reaches the outside: it has no channel, no tracking server, no language model, and
what it decides and releases ends with its folder.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import SecretStr
from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from core import policies, registry, releases, specs
from core.access import system
from core.datasets import derived, schema, suites, versions
from core.db import Database
from core.errors import NotFoundError
from core.serving import artifacts, scorer
from core.serving.scorer import Scorer
from core.settings import Settings
from core.specs import ModelSpec
from core.tables import Table
from core.tables.entities import DatasetVersion, FeatureDefinition, ModelVersion

FEWEST_ROWS = 750
"""So many test rows stand for the traffic by themselves."""

_PRIVATE: dict[str, Any] = {
    **dict.fromkeys(("log_dir", "data_dir", "slack_webhook_url", "monitoring_webhook_url")),
    **dict.fromkeys(("alert_email_password", "webhook_secret", "openai_api_key")),
    **dict.fromkeys(("alert_email", "alert_email_to", "smtp_host", "mlflow_tracking_uri"), ""),
    **dict.fromkeys(("search_url", "ray_address", "dvc_remote", "otel_endpoint"), ""),
    "offline": True,
}
"""What leads outside, switched off."""


class Clock:
    """The sandbox's time: it stands still until it is told to go on."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the simulated moment."""
        return self.now

    def forward(self, amount: timedelta) -> None:
        """Let time pass."""
        self.now += amount


@dataclass(frozen=True)
class Sandbox:
    """The copy: its database and clock, what serves in it, and rows to send.

    `population` holds inputs with their true label; `generated` says that the model learnt from
    generated messages, so that fresh ones can be made.
    """

    settings: Settings
    db: Database
    clock: Clock
    spec: ModelSpec
    version: str
    scorer: Scorer
    population: pd.DataFrame
    generated: bool


@contextmanager
def opened(db: Database, settings: Settings, model: str, *, name: str) -> Iterator[Sandbox]:
    """Copy what serves of `model` into a folder called `name`, which is gone afterwards.

    Raises: NotFoundError (no such model, nothing is released, its data or artifact is gone).
    """
    folder = settings.folder("drills") / name
    with _alone(settings):
        lock = _locked(folder.with_suffix(".lock"))
    box = None
    try:
        folder.mkdir(mode=0o700)
        box = _copied(db, settings, model, folder)
        yield box
    finally:
        if box is not None:
            box.db.engine.dispose()
        _removed(folder)
        os.close(lock)


def sweep(settings: Settings) -> list[str]:
    """Remove the sandboxes whose process has died, and return their names."""
    gone = []
    with _alone(settings):
        for path in sorted(settings.folder("drills").glob("*.lock")):
            file = os.open(path, os.O_RDWR)
            with suppress(BlockingIOError):  # its process lives
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _removed(path.with_suffix(""))
                gone.append(path.stem)
            os.close(file)
    return gone


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Keep others from sweeping while a lock is made, and from making one while we sweep."""
    file = os.open(settings.folder("drills") / "all", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _locked(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _removed(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(".lock").unlink(missing_ok=True)


def _copied(db: Database, settings: Settings, model: str, folder: Path) -> Sandbox:
    private = settings.model_copy(
        update={
            **_PRIVATE,
            "home": folder,
            "database_url": f"sqlite:///{folder / 'pilothouse.db'}",
            "secret_key": SecretStr(secrets.token_hex(32)),
        }
    )
    clock = Clock(db.clock())
    with db.read() as session:
        spec = policies.judging(session, specs.active(session, model))
        champion = releases.champion(releases.current(session, spec.name))
        version = registry.get(session, spec.name, champion)
        rows = _rows(session, spec.name, version)
        data = {row.id: row for row in rows if isinstance(row, DatasetVersion)}
    _copy_files(settings, private, version, data)
    own = Database(private, clock)
    own.create()
    Table.metadata.create_all(own.engine)
    with own.command(system("drill"), "release.first") as command:
        command.session.add_all(_twin(row) for row in rows)
        command.session.flush()
        reason = "a copy for a fire drill"
        releases.append(command, spec.name, releases.only(champion), replaces=0, reason=reason)
    learnt = data.get(version.train_dataset_id)
    return Sandbox(
        settings=private,
        db=own,
        clock=clock,
        spec=spec,
        version=champion,
        scorer=scorer.load(private, version),
        population=_population(db, settings, spec, version, data),
        generated=learnt is not None and "generated messages" in learnt.source,
    )


def _rows(session: Session, model: str, version: ModelVersion) -> list[Table]:
    """Return what the copy needs: spec, policy, version, data, expectations, features."""
    wanted = (version.reference_dataset_id, version.test_dataset_id, version.train_dataset_id)
    found: list[Table | None] = [
        specs.active_row(session, model),
        version,
        suites.current(session, model),
        *(session.get(DatasetVersion, one) for one in dict.fromkeys(wanted)),
        *session.scalars(select(FeatureDefinition)),
        *(policies.active(session, scope) for scope in (policies.ALL, model)),
    ]
    return [row for row in found if row is not None]


def _twin(row: Table) -> Table:
    names = [column.key for column in inspect(type(row)).column_attrs]
    return type(row)(**{name: getattr(row, name) for name in names})


def _copy_files(
    settings: Settings, private: Settings, version: ModelVersion, data: dict[str, DatasetVersion]
) -> None:
    """Copy the artifact, the plan, and the rows of reference and test."""
    kept = [(version.artifact, ".skops")]
    if version.plan:
        kept.append((version.plan, artifacts.PLAN))
    pairs = [
        (artifacts.path(settings, digest, suffix), artifacts.path(private, digest, suffix))
        for digest, suffix in kept
    ]
    for key in (version.reference_dataset_id, version.test_dataset_id):
        if row := data.get(key):
            pairs.append((versions.path_of(settings, row), versions.path_of(private, row)))
    for source, target in pairs:
        if source.is_file():
            shutil.copyfile(source, target)


def _population(
    db: Database,
    settings: Settings,
    spec: ModelSpec,
    version: ModelVersion,
    data: dict[str, DatasetVersion],
) -> pd.DataFrame:
    """Return rows that the version has not learnt, complete and with their label.

    Rows of a small test set alone would themselves differ from the reference: the reference's own
    are then among them.
    Raises: NotFoundError (they are gone); InvalidInputError (they do not fit the spec any more).
    """
    frames = []
    for key in dict.fromkeys((version.test_dataset_id, version.reference_dataset_id)):
        if (row := data.get(key)) is None:
            raise NotFoundError(f"the rows that judged {spec.name} {version.version} are not here")
        whole = derived.complete(db, versions.frame(settings, row), spec)
        frames.append(schema.conform(whole, spec))
        if len(frames[0]) >= FEWEST_ROWS:
            break
    return pd.concat(frames, ignore_index=True)
