"""What a signature says about inputs: how a pipeline reads them, and what they are called."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.errors import InvalidInputError

MOST_ROWS = 500

Given = str | Mapping[str, float | str | None]
Signature = Mapping[str, Any]


def frame(signature: Signature, rows: Sequence[Given]) -> Any:  # noqa: ANN401 (texts, or a frame)
    """Return inputs as a pipeline reads them: texts, or a frame of the signature's features."""
    if is_text(signature):
        return [str(row) for row in rows]
    import pandas as pd

    kinds = {feature["name"]: feature["type"] for feature in signature["input"]["features"]}
    return pd.DataFrame(
        {
            name: pd.Series(
                [_read(row, name, kind) for row in rows],
                dtype="float64" if kind == "numeric" else "object",
            )
            for name, kind in kinds.items()
        }
    )


def _read(row: Given, name: str, kind: str) -> float | str | None:
    value = None if isinstance(row, str) else row.get(name)
    return "" if value is None and kind == "text" else value


def sample(rows: Any) -> Any:  # noqa: ANN401 (texts, or a frame)
    """Return at most 500 rows, evenly chosen."""
    if len(rows) <= MOST_ROWS:
        return rows
    places = np.linspace(0, len(rows) - 1, MOST_ROWS).astype(int)
    return [rows[place] for place in places] if isinstance(rows, list) else rows.iloc[places]


def is_text(signature: Signature) -> bool:
    """Say whether the input is one text."""
    return str(signature["task"]) == "text"


def feature_names(signature: Signature) -> list[str]:
    """Return the features in the signature's order."""
    return [str(feature["name"]) for feature in signature["input"]["features"]]


def column(pipeline: Any, signature: Signature) -> int:  # noqa: ANN401
    """Return the place of the positive label in the pipeline's classes."""
    classes = [str(label) for label in pipeline.classes_]
    if len(classes) != 2 or signature["positive"] not in classes:
        raise InvalidInputError("only answers with two labels are explained")
    return classes.index(str(signature["positive"]))


def word_counts(pipeline: Any, signature: Signature, given: Given) -> dict[int, Counter[str]]:  # noqa: ANN401
    """Count the words of each text that was given, as the pipeline cuts them."""
    found = {}
    for names, step in _vectorizers(pipeline):
        if isinstance(given, str):
            found[0] = Counter(step.build_analyzer()(given))
        else:
            number = feature_names(signature).index(names)
            found[number] = Counter(step.build_analyzer()(given.get(names) or ""))
    return found


def _vectorizers(step: Any, name: str = "") -> list[tuple[str, Any]]:  # noqa: ANN401
    """Return each text step of a pipeline with the feature that it reads."""
    if hasattr(step, "vocabulary_"):
        return [(name, step)]
    if hasattr(step, "transformers_"):
        parts = [(str(chosen), one) for _name, one, chosen in step.transformers_]
    else:
        inner = getattr(step, "steps", None) or getattr(step, "transformer_list", [])
        parts = [(name, one) for _name, one in inner]
    return [found for of, one in parts for found in _vectorizers(one, of)]
