"""Model versions: registered once by a training, compared on the rows both were judged on."""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import specs
from core.db import Command
from core.errors import InvalidInputError, NotFoundError
from core.statistics import mcnemar
from core.tables.entities import DatasetVersion, ModelVersion, Run

COMPARED = ("accuracy", "f1", "precision", "recall", "roc_auc", "brier")


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


def get(session: Session, model: str, version: str) -> ModelVersion:
    """Return one version ("1.2.0" or "v1.2.0"). Raises: NotFoundError."""
    key = specs.canonical(model), version.strip().removeprefix("v")
    if found := session.get(ModelVersion, key):
        return found
    raise NotFoundError(f"{key[0]} has no version {key[1]}")


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


def compare(session: Session, model: str, first: str, second: str) -> dict[str, Any]:
    """Set two versions side by side: figures with intervals, parameters, data, and paired rows.

    `paired` is None where no held-out rows exist on which both were judged.
    Raises: NotFoundError, InvalidInputError (a version compared with itself).
    """
    one, other = get(session, model, first), get(session, model, second)
    if one.version == other.version:
        raise InvalidInputError(f"{one.version} is one version; choose two to compare.")
    sides = [_side(session, one), _side(session, other)]
    return {
        "model": one.model,
        "versions": [one.version, other.version],
        "metrics": {name: _pair(one, other, name) for name in COMPARED},
        "sides": sides,
        "parameters": _changed(sides[0]["parameters"], sides[1]["parameters"]),
        "same_test_rows": one.test_dataset_id == other.test_dataset_id,
        "paired": _paired(session, one, other),
    }


def _side(session: Session, version: ModelVersion) -> dict[str, Any]:
    run = session.get(Run, version.run_id)
    data = session.get(DatasetVersion, version.train_dataset_id)
    return {
        "version": version.version,
        "state": version.state,
        "algorithm": version.algorithm,
        "parameters": run.parameters if run else {},
        "n_test": version.metrics.get("n_test"),
        "confusion": version.metrics.get("confusion"),
        "train_dataset": version.train_dataset_id,
        "test_dataset": version.test_dataset_id,
        "train_rows": data.n_rows if data else None,
        "train_source": data.source if data else None,
        "at": version.at.isoformat(),
    }


def _pair(one: ModelVersion, other: ModelVersion, name: str) -> dict[str, Any]:
    before, after = one.metrics.get(name), other.metrics.get(name)
    return {
        "values": [before, after],
        "intervals": [v.metrics.get("intervals", {}).get(name) for v in (one, other)],
        "difference": None if before is None or after is None else after - before,
    }


def _changed(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    names = sorted({*one, *other})
    return [
        (name, one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)
    ]


def _paired(session: Session, one: ModelVersion, other: ModelVersion) -> dict[str, Any] | None:
    """McNemar on the largest set of held-out rows on which both versions were judged."""
    judged = [version.metrics.get("evaluations", {}) for version in (one, other)]
    shared = [
        (unpack(judged[0][dataset]), unpack(judged[1][dataset]), dataset)
        for dataset in judged[0].keys() & judged[1].keys()
    ]
    if not shared:
        return _paired_by_gate(one, other)
    first, second, dataset_id = max(shared, key=lambda pair: len(pair[0]))
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    dataset = session.get(DatasetVersion, dataset_id)
    return {
        "dataset": dataset_id,
        "rows": dataset.source if dataset else "held-out rows",
        **_figures(only_first, only_second, len(first)),
    }


def _paired_by_gate(one: ModelVersion, other: ModelVersion) -> dict[str, Any] | None:
    """Return what the gate counted when one of the two was trained while the other served."""
    for judged, served in ((other, one), (one, other)):
        gate = judged.gate
        if gate.get("champion") == served.version and gate.get("n"):
            counts = (gate["only_champion_right"], gate["only_candidate_right"])
            first, second = counts if judged is other else counts[::-1]
            return {
                "dataset": judged.test_dataset_id,
                "rows": f"the rows on which the gate judged {judged.version}",
                **_figures(first, second, gate["n"]),
            }
    return None


def _figures(only_first: int, only_second: int, n: int) -> dict[str, Any]:
    difference = mcnemar.paired_difference(only_first, only_second, n)
    return {
        "n": n,
        "only_first_right": only_first,
        "only_second_right": only_second,
        "p_second_better": mcnemar.mid_p(only_first, only_second),
        "p_first_better": mcnemar.mid_p(only_second, only_first),
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "level": difference.level,
    }
