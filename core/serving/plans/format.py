"""The shape of a plan. Slots are the columns of the matrix that the model would see."""

import sys
from array import array
from collections.abc import Iterable

from msgspec import Struct


class Number(Struct, frozen=True, tag="number"):
    """A numeric feature: ``(x - mean) / scale``, `fill` where it is missing.

    Where the model looks at whether it is missing, `flag` is that slot (else -1), which holds
    `absent` for a missing value and `present` for any other.
    """

    name: str
    slot: int
    fill: float
    mean: float
    scale: float
    flag: int = -1
    absent: float = 0.0
    present: float = 0.0


class Category(Struct, frozen=True, tag="category"):
    """A category: one slot per value holds 1; `unknown` and `missing` are slots, or -1."""

    name: str
    slots: dict[str, int]
    unknown: int = -1
    missing: int = -1


class Text(Struct, frozen=True, tag="text"):
    """A text as TF-IDF: term → slot. `name` is None where the text is the whole input."""

    name: str | None
    lowercase: bool
    strip_accents: bool
    pattern: str
    shortest: int  # words in a term, from …
    longest: int  # … to
    slots: dict[str, int]
    idf: dict[int, float]  # by slot
    sublinear: bool
    normed: bool


class Platt(Struct, frozen=True, tag="platt"):
    """Platt's calibration: ``1 / (1 + exp(a * score + b))``."""

    a: float
    b: float


class Isotonic(Struct, frozen=True, tag="isotonic"):
    """Isotonic calibration: interpolated between the points, flat outside of them."""

    x: list[float]
    y: list[float]


class Link(Struct, frozen=True):
    """From a sum to a probability: the logistic function if asked for, then the calibration."""

    logistic: bool
    calibration: Platt | Isotonic | None = None


class Linear(Struct, frozen=True, tag="linear"):
    """Weighted sums over the slots, one per member; slots that are not named weigh nothing."""

    weights: list[dict[int, float]]
    bias: list[float]


class Splits(Struct, frozen=True, tag="splits"):
    """Small trees, split by split; the leaves of a tree count from the left (see `walks.py`).

    `splits` holds seven int32 for each, the lowest byte first: the place of its slot in `used`,
    how many thresholds of that slot lie below its own, its tree, its first leaf, the first leaf to
    its right, the end of its leaves, and whether a missing value goes left. `leaves` are `packed`,
    tree by tree.
    """

    splits: bytes
    leaves: bytes
    sizes: list[int]  # leaves of each tree
    members: list[int]  # trees of each member


class Trees(Struct, frozen=True, tag="trees"):
    """Sums of leaves, one per member, by walking trees over threshold intervals.

    Slot `used[i]` becomes how many of ``thresholds[i]`` lie below its value (`inclusive`: a value
    on a threshold goes left), counted in float64, or in float32 where the library compares so
    (`narrow`). `graph` then compares small whole numbers only: small trees as `Splits`, larger
    ones as an ONNX graph, whose float32 holds such numbers exactly.
    Thresholds are `packed`, since to read half a million of them at once keeps all other threads
    waiting; plans of an older version hold lists.
    A slot that an input does not fill holds zero, or is `absent`: missing, to the library.
    """

    used: list[int]
    thresholds: list[bytes | list[float]]
    inclusive: bool
    narrow: bool
    absent: bool
    graph: Splits | bytes
    bias: list[float]


class Plan(Struct, frozen=True):
    """A compiled pipeline; its probability is that of ``classes[1]``, the mean over `links`."""

    classes: tuple[str, str]
    slots: int
    columns: list[Number | Category | Text]
    head: Linear | Trees
    links: list[Link]


def packed(numbers: Iterable[float]) -> bytes:
    """Return numbers as float64, the lowest byte first.

    >>> unpacked(packed([1.0, -0.5]))
    [1.0, -0.5]
    """
    return _ordered(array("d", numbers)).tobytes()


def unpacked(content: bytes | list[float]) -> list[float]:
    """Return the numbers that `packed` wrote, or an older version as a list."""
    return _ordered(array("d", content)).tolist() if isinstance(content, bytes) else content


def _ordered(numbers: "array[float]") -> "array[float]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
