"""What is written to the log: answers, faults and labels, each as one record."""

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from core.releases import Arm
from core.serving.board import Served
from core.serving.scorer import Input, Score
from core.serving.spool import Record


def prediction(
    score: Score,
    *,
    id: str,
    once: str | None,
    at: str,
    served: Served,
    arm: Arm,
    input: Input,
    latency_ms: float,
    user_id: str | None,
    experiment: str | None,
    key_id: str,
) -> Record:
    """Return the record of an answer at a `moment`.

    `once` is the key under which a named request is stored once. A shadow's row has the id of the
    answer that it shadows, so that a label reaches both, and lies some microseconds behind it, so
    that the row's key (at, id) stays unique.
    """
    place = served.shadows.index(arm.version) + 1 if arm.variant == "shadow" else 0
    row = {
        "at": _behind(at, place) if place else at,
        "id": id,
        "model": served.model,
        "version": arm.version,
        "variant": arm.variant,
        "release_seq": served.seq,
        "is_shadow": place > 0,
        "sample_key": sample_key(id),
        "input": {"message": input} if isinstance(input, str) else {"features": dict(input)},
        "label": score.label,
        "probability": score.probability,
        "latency_ms": latency_ms,
        "entity_id": user_id,
        "experiment": experiment,
        "key_id": key_id,
    }
    positive = score.label == served.scorers[arm.version].positive
    return {
        "kind": "prediction",
        "once": f"{once}/{arm.version}" if once and place else once,
        "positive": positive,
        "row": row,
    }


def moment(at: datetime) -> str:
    """Spell a moment as records and answers do, always with microseconds.

    >>> moment(datetime.fromisoformat("2030-01-01T12:00:00+00:00"))
    '2030-01-01T12:00:00.000000+00:00'
    """
    return at.isoformat(timespec="microseconds")


def _behind(at: str, place: int) -> str:
    return moment(datetime.fromisoformat(at) + timedelta(microseconds=place))


def fault(served: Served, arm: Arm, *, at: datetime) -> Record:
    """Return the record of an input on which a version failed; it is counted, not stored."""
    row = {"at": moment(at), "model": served.model}
    return {"kind": "fault", "row": {**row, "version": arm.version, "variant": arm.variant}}


def label(prediction_id: str, value: str, *, source: str, at: datetime) -> Record:
    """Return the record of what was true."""
    row: dict[str, Any] = {"prediction_id": prediction_id, "source": source, "value": value}
    return {"kind": "label", "row": {**row, "state": "confirmed", "at": moment(at)}}


def sample_key(prediction_id: str) -> int:
    """Return 63 uniform bits that follow from an id, so that a range of keys is a uniform sample.

    >>> 0 <= sample_key("a") < 2**63
    True
    """
    return int.from_bytes(blake2b(prediction_id.encode(), digest_size=8).digest()) >> 1
