"""Which input a fitted preprocessing made each of its columns from."""

import copy
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.explain.result import InexactError

_MARK = re.compile(r"⟦(\d+)⟧")
_SKIPPED = (None, "passthrough")


@dataclass(frozen=True)
class Origins:
    """Per column: the number of its input, and the word of a text that it counts, else ""."""

    inputs: NDArray[np.intp]
    words: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.inputs)

    def after(self, earlier: "Origins") -> "Origins":
        """Return these origins as seen from the inputs of the step before."""
        words = np.where(self.words == "", earlier.words[self.inputs], self.words)
        return Origins(earlier.inputs[self.inputs], words)


def plain(inputs: Any) -> Origins:  # noqa: ANN401 (numbers)
    """Return the origins of columns that are, or scale, the inputs with these numbers."""
    numbers = np.asarray(inputs, dtype=np.intp)
    return Origins(numbers, np.full(len(numbers), "", dtype=object))


def joined(parts: list[Origins]) -> Origins:
    """Set origins side by side."""
    if not parts:
        return plain([])
    return Origins(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.words for part in parts]),
    )


def trace(step: Any, n_inputs: int) -> Origins:  # noqa: ANN401 (scikit-learn)
    """Return where the columns of a fitted transformer come from.

    Raises: InexactError (a column mixes inputs, or the transformer does not name its columns).
    """
    if hasattr(step, "vocabulary_"):
        words = np.asarray(step.get_feature_names_out(), dtype=object)
        return Origins(np.zeros(len(words), dtype=np.intp), words)
    if hasattr(step, "steps"):
        return _chain([inner for _name, inner in step.steps], n_inputs)
    if hasattr(step, "transformers_"):
        return _side_by_side(step)
    if hasattr(step, "transformer_list"):
        return joined([trace(inner, n_inputs) for _name, inner in step.transformer_list])
    return _named(step, n_inputs)


def _chain(steps: list[Any], n_inputs: int) -> Origins:
    found = plain(range(n_inputs))
    for step in steps:
        if step not in _SKIPPED:
            found = trace(step, len(found)).after(found)
    return found


def _side_by_side(columns: Any) -> Origins:  # noqa: ANN401 (a ColumnTransformer)
    known = [str(name) for name in getattr(columns, "feature_names_in_", [])]
    found = []
    for name, step, chosen in columns.transformers_:
        place = columns.output_indices_[name]
        if place.stop == place.start:
            continue
        numbers = plain(_chosen(chosen, known, columns.n_features_in_))
        part = numbers if step == "passthrough" else trace(step, len(numbers)).after(numbers)
        if len(part) != place.stop - place.start:
            raise InexactError(f"the columns of {name} cannot be told apart")
        found.append(part)
    return joined(found)


def _chosen(chosen: Any, known: list[str], n_inputs: int) -> list[int]:  # noqa: ANN401
    """Return the numbers of the inputs that one part of a ColumnTransformer reads."""
    if isinstance(chosen, str):
        return [known.index(chosen)]
    if isinstance(chosen, slice):
        return list(range(n_inputs))[chosen]
    values = list(np.atleast_1d(np.asarray(chosen)))
    if values and isinstance(values[0], np.bool_ | bool):
        return [place for place, wanted in enumerate(values) if wanted]
    return [known.index(str(v)) if isinstance(v, str) else int(v) for v in values]


def _named(step: Any, n_inputs: int) -> Origins:  # noqa: ANN401 (scikit-learn)
    """Ask a transformer to name its columns after numbered inputs, and read the numbers back."""
    asked = copy.copy(step)
    vars(asked).pop("feature_names_in_", None)  # else it takes only the names it was fitted on
    try:
        names = asked.get_feature_names_out([f"⟦{number}⟧" for number in range(n_inputs)])
    except (AttributeError, ValueError, TypeError) as error:
        raise InexactError(f"{type(step).__name__} does not say what its columns are") from error
    found = [_MARK.search(str(name)) for name in names]
    if not all(found):
        raise InexactError(f"{type(step).__name__} mixes inputs in its columns")
    return plain([int(mark[1]) for mark in found if mark])
