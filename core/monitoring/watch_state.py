"""What a watch keeps between two checks, as plain JSON and back."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.monitoring.detector import SIZES

Array = NDArray[np.float64]
Key = tuple[str, str]

VERSION = 1
"""A state of another version is not read."""


@dataclass
class Part:
    """The logarithms of M, shape (directions, lambdas), and [checks, sum of z] per direction."""

    logs: Array
    runs: list[list[float]]

    @classmethod
    def new(cls, *, two_sided: bool) -> "Part":
        """A part without any evidence yet: M = 0."""
        directions = 2 if two_sided else 1
        return cls(np.full((directions, len(SIZES)), -np.inf), [[0, 0.0]] * directions)


@dataclass
class Watch:
    """Everything that is kept between two checks."""

    parts: dict[Key, Part] = field(default_factory=dict)
    standing: list[dict[str, Any]] = field(default_factory=list)
    """The changes of a raised alarm: family, name, direction, size, odds that it is over."""
    checks: int = 0
    """Since the evidence of the raised alarm began."""


def plain(watch: Watch) -> dict[str, Any]:
    """The watch as plain JSON; while an alarm stands, nothing but its changes."""
    parts: dict[str, dict[str, Any]] = {}
    for (family, name), part in ({} if watch.standing else watch.parts).items():
        kept = {"logs": np.round(part.logs, 4).tolist(), "runs": part.runs}
        parts.setdefault(family, {})[name] = kept
    return {
        "version": VERSION,
        "parts": parts,
        "standing": watch.standing,
        "checks": watch.checks,
    }


def read(state: Mapping[str, Any] | None) -> tuple[Watch, bool]:
    """The watch of a state, or a new one and that the state could not be read."""
    if not state:
        return Watch(), False
    try:
        return _parsed(state), False
    except (KeyError, TypeError, ValueError, AttributeError):
        return Watch(), True


def _parsed(state: Mapping[str, Any]) -> Watch:
    if state["version"] != VERSION:
        raise ValueError("written by other code")
    parts = {}
    for family, named in state["parts"].items():
        for name, kept in named.items():
            part = Part(
                np.array(kept["logs"], dtype=np.float64),
                [[int(checks), float(summed)] for checks, summed in kept["runs"]],
            )
            if part.logs.shape not in ((1, len(SIZES)), (2, len(SIZES))):
                raise ValueError("a part of another shape")
            if len(part.runs) != len(part.logs) or not np.isfinite(part.logs).all():
                raise ValueError("a part that is not whole")
            parts[str(family), str(name)] = part
    standing = [_change(change) for change in state["standing"]]
    return Watch(parts, standing, int(state["checks"]))


def _change(kept: Mapping[str, Any]) -> dict[str, Any]:
    size, odds = float(kept["size"]), float(kept["odds"])
    if not (math.isfinite(size) and math.isfinite(odds)) or kept["direction"] not in (1, -1):
        raise ValueError("a change that is not whole")
    words = {word: str(kept[word]) for word in ("family", "name", "leading")}
    return {**words, "direction": int(kept["direction"]), "size": size, "odds": odds}
