"""Predictions that were made elsewhere, by a version that is released here: into the same log.

From there on they are like our own: counted, watched for drift, judged by their labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.datasets.values import category
from core.errors import ConflictError, InvalidInputError, NotFoundError, PilothouseError
from core.ids import derived_id, new_id
from core.keys import Caller
from core.releases import BUCKETS, Arm
from core.serving import records
from core.serving.board import Served
from core.serving.feedback import SOURCE
from core.serving.predict import NAMED
from core.serving.scorer import Input, Score, Scorer
from core.serving.service import Service
from core.serving.spool import Record


@dataclass(frozen=True, slots=True)
class Made:
    """One prediction made elsewhere; exactly one of `message` and `features`."""

    version: str
    prediction: str
    confidence: float  # the probability of `prediction`
    latency_ms: float
    message: str | None = None
    features: Mapping[str, Any] | None = None
    model: str | None = None
    user_id: str | None = None
    request_id: str | None = None
    true_label: str | None = None


def take(service: Service, caller: Caller, made: Sequence[Made]) -> list[str | PilothouseError]:
    """Log predictions and their labels; return the id of each, or why it was refused.

    They count from now on, whenever they were made: windows of monitoring never go back.

    Raises: UnavailableError (the log cannot be written: then nothing was taken).
    """
    results: list[str | PilothouseError] = []
    rows: list[Record] = []
    for one in made:
        try:
            key, found = _records(service, caller, one)
        except PilothouseError as problem:
            results.append(problem)
            continue
        results.append(key)
        rows += found
    if rows:
        service.spool.append(rows)
    return results


def _records(service: Service, caller: Caller, made: Made) -> tuple[str, list[Record]]:
    served = service.board.find(made.model)
    arm = _arm(served, made.version)
    scorer, now = served.scorers[arm.version], service.clock()
    once = derived_id(NAMED, caller.key_id, made.request_id) if made.request_id else None
    key = once or new_id(now)
    row = records.prediction(
        _score(scorer, made),
        id=key,
        once=once,
        at=records.moment(now),
        served=served,
        arm=arm,
        input=_input(service, scorer, made),
        latency_ms=made.latency_ms,
        user_id=made.user_id,
        experiment=None,
        key_id=caller.key_id,
    )
    if made.true_label is None:
        return key, [row]
    truth = _class(scorer, "true_label", made.true_label)
    return key, [row, records.label(key, truth, source=SOURCE, at=now)]


def _arm(served: Served, version: str) -> Arm:
    arm = next((arm for arm in served.arms if arm.version == version.removeprefix("v")), None)
    if arm is None:
        raise NotFoundError("this version is not released here, so nothing can be compared with it")
    if arm.weight != BUCKETS:
        raise ConflictError("while users are split between versions, all predictions are made here")
    return arm


def _score(scorer: Scorer, made: Made) -> Score:
    label = _class(scorer, "prediction", made.prediction)
    (other,) = (name for name in scorer.labels if name != label)
    probabilities = {label: made.confidence, other: 1 - made.confidence}
    return Score(label, made.confidence, probabilities, probabilities[scorer.positive])


def _class(scorer: Scorer, name: str, given: str) -> str:
    if (label := category(given)) in scorer.labels:
        return str(label)
    raise InvalidInputError(f"{name} is one of {', '.join(scorer.labels)}")


def _input(service: Service, scorer: Scorer, made: Made) -> Input:
    given = made.message if scorer.task == "text" else made.features
    if given is None or (made.message is None) == (made.features is None):
        wanted = "message" if scorer.task == "text" else "features"
        raise InvalidInputError(f"this model reads {wanted}: give that, and nothing else")
    if isinstance(given, str) and not 0 < len(given) <= service.settings.max_message_chars:
        most = service.settings.max_message_chars
        raise InvalidInputError(f"a message has 1 to {most:,} characters")
    return scorer.check(given)
