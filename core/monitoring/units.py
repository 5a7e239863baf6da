"""Has a column changed its unit? A factor or shift after which its values look as they did."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEWEST = 30
"""Values and, of these, five different ones, before a shape can be told."""

_FACTORS: tuple[tuple[float, str, str], ...] = (
    (10, "tens", "units"),
    (100, "metres or shares", "centimetres or percent"),
    (1_000, "thousands", "units"),
    (1_000_000, "millions", "units"),
    (2.54, "inches", "centimetres"),
    (0.3048, "feet", "metres"),
    (12, "feet or years", "inches or months"),
    (0.45359237, "pounds", "kilograms"),
    (28.349523, "ounces", "grams"),
    (1.609344, "miles", "kilometres"),
    (3.785412, "gallons", "litres"),
    (60, "minutes", "seconds"),
    (24, "days", "hours"),
    (3_600, "hours", "seconds"),
    (4.184, "calories", "joules"),
    (18.0182, "mmol/l", "mg/dl of glucose"),
    (38.67, "mmol/l", "mg/dl of cholesterol"),
)
_SHIFTED: tuple[tuple[float, float, str, str], ...] = (
    (1.8, 32.0, "Celsius", "Fahrenheit"),
    (1 / 1.8, -32 / 1.8, "Fahrenheit", "Celsius"),
    (1.0, 273.15, "Celsius", "Kelvin"),
    (1.0, -273.15, "Kelvin", "Celsius"),
    (-1.0, 0.0, "one sign", "the other"),
)
_FAR, _CLOSER, _CLOSE_IN_PART, _SLACK = 0.3, 3.0, 0.2, 0.03
_KS_1_PERCENT = 1.63  # Smirnov (1948): the critical distance of two samples is this over sqrt(n)


@dataclass(frozen=True)
class UnitChange:
    """A guess: values are `factor` times as large (and moved by `shift`), as if in another unit.

    `share` of the values are changed (0 to 1).
    """

    factor: float
    shift: float
    words: str
    share: float


def changed(reference: Array, current: Array) -> UnitChange | None:
    """Return the change of unit after which `current` has the shape of `reference`, if there is.

    Both without missing values. The distance (Kolmogorov-Smirnov) has to be large before, small
    after, and smaller than of any other change; chance or a moderate drift is not that.

    >>> heights = np.random.default_rng(1).normal(70, 3, 500)
    >>> changed(heights[:300], heights[300:] * 2.54).words
    'inches to centimetres'
    >>> changed(heights[:300], heights[300:] + 2) is None
    True
    """
    if not _tellable(reference) or not _tellable(current):
        return None
    reference = np.sort(reference)
    before = distance(reference, current)
    return _best(reference, current, at_most=before / _CLOSER) if before >= _FAR else None


def changed_in_part(reference: Array, current: Array, low: float, high: float) -> UnitChange | None:
    """Return the change of unit of the values outside `low` to `high`, if these have one."""
    outside = current[(current < low) | (current > high)]
    if not _tellable(reference) or not _tellable(outside):
        return None
    found = _best(np.sort(reference), outside, at_most=_CLOSE_IN_PART)
    share = len(outside) / len(current)
    return found and UnitChange(found.factor, found.shift, found.words, share)


def _tellable(values: Array) -> bool:
    return len(values) >= FEWEST and len(np.unique(values)) >= 5


def _best(reference: Array, current: Array, *, at_most: float) -> UnitChange | None:
    n, m = len(reference), len(current)
    limit = min(at_most, _KS_1_PERCENT * float(np.sqrt((n + m) / (n * m))) + _SLACK)
    found = [
        (distance(reference, (current - shift) / factor), factor, shift, words)
        for factor, shift, words in _candidates()
    ]
    off, factor, shift, words = min(found)
    return UnitChange(factor, shift, words, 1.0) if off <= limit else None


def _candidates() -> Iterator[tuple[float, float, str]]:
    for factor, one, other in _FACTORS:
        yield factor, 0.0, f"{one} to {other}"
        yield 1 / factor, 0.0, f"{other} to {one}"
    for factor, shift, one, other in _SHIFTED:
        yield factor, shift, f"{one} to {other}"


def distance(sorted_reference: Array, current: Array) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples, the first one sorted.

    >>> distance(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    1.0
    """
    now = np.sort(current)
    points = np.concatenate([sorted_reference, now])
    cdfs = [
        np.searchsorted(values, points, side="right") / len(values)
        for values in (sorted_reference, now)
    ]
    return float(np.abs(cdfs[0] - cdfs[1]).max())
