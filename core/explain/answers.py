"""Explaining answers of registered versions: of an input now, or of a prediction in the log."""

from dataclasses import dataclass
from typing import Any

from core import predictions, registry, releases
from core.db import Database
from core.errors import InvalidInputError, NotFoundError, PilothouseError
from core.explain import service
from core.explain.inputs import Given
from core.explain.result import Explanation, Sampler
from core.serving import artifacts
from core.serving.scorer import Input
from core.settings import Settings
from core.tables.entities import ModelVersion, Release
from core.tables.telemetry import Prediction

_BACKGROUND = 20


@dataclass(frozen=True)
class Answered:
    """An explanation with the version that it is about."""

    model: str
    version: str
    given: Given
    explanation: Explanation

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"model": self.model, "version": self.version, **self.explanation.to_dict()}


def explain(
    db: Database,
    settings: Settings,
    version: ModelVersion,
    given: Input,
    *,
    threshold: float | None = None,
    sampler: Sampler | None = None,
) -> Answered:
    """Explain what a version answers to an input that its scorer's `check` let through.

    `threshold` is that of the release, where it is not the version's own.

    Raises: InvalidInputError (text for features, or nothing), InexactError, NotFoundError and
    ConflictError (its file), UnavailableError (it takes too long).
    """
    check_kind(version, given)
    pipeline = artifacts.load(settings, version.artifact)
    found = service.one(
        pipeline,
        version.signature,
        given,
        threshold=releases.threshold(None, version) if threshold is None else threshold,
        sampler=sampler,
        background=_background(db, settings, version) if sampler else (),
    )
    return Answered(version.model, version.version, given, found)


def stored(
    db: Database, settings: Settings, prediction_id: str, *, sampler: Sampler | None = None
) -> Answered:
    """Explain a prediction of the log with the version that answered it.

    Raises: NotFoundError (no such prediction; a new one reaches the log within seconds), as
    `explain`.
    """
    with db.read() as session:
        row = predictions.get(session, prediction_id)
        version = registry.get(session, row.model, row.version)
        release = session.get(Release, (row.model, row.release_seq))
    threshold = releases.threshold(release, version)
    return explain(db, settings, version, given_to(row), threshold=threshold, sampler=sampler)


def given_to(row: Prediction) -> Input:
    """Return what a stored prediction was asked. Raises: NotFoundError (it was not kept)."""
    message, features = row.input.get("message"), row.input.get("features")
    if isinstance(message, str):
        return message
    if isinstance(features, dict):
        return features
    raise NotFoundError("the input of this prediction is not kept, so it cannot be explained")


def check_kind(version: ModelVersion, given: Input) -> None:
    """Raise InvalidInputError unless a version reads this kind of input."""
    is_text = version.signature["task"] == "text"
    if is_text != isinstance(given, str):
        wanted = "a message, not features" if is_text else "features, not a message"
        raise InvalidInputError(f"this model reads {wanted}")
    if isinstance(given, str) and not given.strip():
        raise InvalidInputError("the message is empty")


def _background(db: Database, settings: Settings, version: ModelVersion) -> list[Given]:
    """Return some rows that the version learnt from; none where they are gone."""
    from core.datasets import versions

    if version.signature["task"] == "text":
        return []
    try:
        with db.read() as session:
            dataset = versions.get(session, version.reference_dataset_id)
        rows = versions.frame(settings, dataset)
    except PilothouseError:
        return []
    kinds = {feature["name"]: feature["type"] for feature in version.signature["input"]["features"]}
    chosen = rows.iloc[:: max(1, len(rows) // _BACKGROUND)].head(_BACKGROUND)
    return [
        {name: None if row[name] != row[name] else row[name] for name in kinds}
        for row in chosen.to_dict("records")
    ]
