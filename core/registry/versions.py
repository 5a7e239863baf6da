"""Model versions: registered once by a run, numbered, found again."""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import specs
from core.db import Command
from core.errors import NotFoundError
from core.tables.entities import ModelVersion, Run


def register(
    command: Command,
    *,
    run: Run,
    algorithm: str,
    artifact: str,
    signature: dict[str, Any],
    metrics: dict[str, Any],
    gate: dict[str, Any],
    train_dataset_id: str,
    test_dataset_id: str,
    reference_dataset_id: str,
    state: str = "candidate",
    threshold: float = 0.5,
) -> ModelVersion:
    """Add the version that `run` yielded, inside the command that finishes the run."""
    newest = next(iter(versions(command.session, run.model)), None)
    version = ModelVersion(
        model=run.model,
        version=next_version(command.session, run.model, signature),
        number=newest.number + 1 if newest else 1,
        state=state,
        run_id=run.id,
        algorithm=algorithm,
        artifact=artifact,
        signature=signature,
        metrics=metrics,
        gate=gate,
        train_dataset_id=train_dataset_id,
        test_dataset_id=test_dataset_id,
        reference_dataset_id=reference_dataset_id,
        threshold=threshold,
        at=command.now,
    )
    command.session.add(version)
    command.session.flush()
    command.note(model=run.model, version=version.version, state=state, artifact=artifact)
    return version


def next_version(session: Session, model: str, signature: dict[str, Any] | None = None) -> str:
    """Return the number of the version that comes next.

    The first is 1.0.0; each training adds to the middle number; a version with other inputs or
    labels than the one before breaks its clients and adds to the first.
    """
    newest = next(iter(versions(session, model)), None)
    if newest is None:
        return "1.0.0"
    major, minor, _patch = (int(part) for part in newest.version.split("."))
    if signature is not None and signature != newest.signature:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0"


def versions(session: Session, model: str) -> list[ModelVersion]:
    """Return all versions of a model, newest first."""
    query = select(ModelVersion).filter_by(model=specs.canonical(model))
    return list(session.scalars(query.order_by(ModelVersion.number.desc())))


def count(session: Session, model: str) -> int:
    """Return how many versions a model has."""
    query = select(func.count()).select_from(ModelVersion)
    return session.scalar(query.filter_by(model=specs.canonical(model))) or 0


def get(session: Session, model: str, version: str) -> ModelVersion:
    """Return one version ("1.2.0" or "v1.2.0"). Raises: NotFoundError."""
    key = specs.canonical(model), version.strip().removeprefix("v")
    if found := session.get(ModelVersion, key):
        return found
    raise NotFoundError(f"{key[0]} has no version {key[1]}")


def tried(session: Session, model: str, test_dataset_id: str, champion: str) -> int:
    """Return how many versions were set against `champion` on these held-out rows already.

    The next one is the best of one more than that, and the gate asks for more evidence.
    """
    query = select(ModelVersion).filter_by(
        model=specs.canonical(model), test_dataset_id=test_dataset_id
    )
    return sum(one.gate.get("champion") == champion for one in session.scalars(query))


def pack(right: Sequence[bool] | NDArray[np.bool_]) -> str:
    """Spell "right or wrong" per test row compactly; `unpack` reads it.

    >>> unpack(pack([True, False, True])).tolist()
    [True, False, True]
    """
    bits = np.asarray(right, dtype=bool)
    packed = len(bits).to_bytes(8) + np.packbits(bits).tobytes()
    return base64.b85encode(zlib.compress(packed)).decode()


def unpack(text: str) -> NDArray[np.bool_]:
    """Read what `pack` wrote."""
    packed = zlib.decompress(base64.b85decode(text))
    n, bits = int.from_bytes(packed[:8]), np.frombuffer(packed[8:], dtype=np.uint8)
    return np.unpackbits(bits, count=n).astype(bool)
