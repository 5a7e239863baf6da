"""Is this data fit to train on? Errors reject it; warnings are shown beside it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from core.datasets import schema
from core.errors import InvalidInputError
from core.specs import ModelSpec

MISSING_SHARE_WARNING = 0.5


@dataclass(frozen=True)
class Problem:
    """One finding: the column (None for the whole), a sentence, and how many rows it concerns."""

    column: str | None
    sentence: str
    severity: Literal["error", "warning"]
    rows: int = 0


@dataclass(frozen=True)
class Report:
    """Whether the data may be trained on, and everything that was found."""

    ok: bool
    problems: tuple[Problem, ...]
    n_rows: int
    classes: dict[str, int]
    duplicate_share: float

    @property
    def sentence(self) -> str:
        """The errors in words, or that there are none."""
        errors = [problem.sentence for problem in self.problems if problem.severity == "error"]
        if errors:
            return " ".join(errors)
        warnings = len(self.problems)
        tail = f"{warnings} warning{'s' if warnings != 1 else ''}" if warnings else "no problems"
        return f"{self.n_rows:,} rows, {tail}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {
            "problems": [asdict(problem) for problem in self.problems],
            "sentence": self.sentence,
        }


def validate(frame: pd.DataFrame, spec: ModelSpec) -> Report:
    """Check columns, types, missing values, classes, duplicates and size against the spec.

    >>> from core.specs import parse
    >>> spec = parse('''{name: m, title: M, task: text, input: {text: t}, candidates:
    ...   [{kind: complement_nb}], target: {column: y, positive: a, negative: b}}''')
    >>> validate(pd.DataFrame({"t": ["hi"]}), spec).sentence
    'The data has no column y.'
    """
    problems = [*_columns(frame, spec)]
    try:
        usable = None if problems else schema.conform(frame, spec)
    except InvalidInputError as error:
        problems += _wrong_types(frame, spec) or [Problem(None, str(error), "error")]
        usable = None
    if usable is None:
        return Report(False, tuple(problems), len(frame), {}, 0.0)
    keys = schema.row_keys(usable, spec)
    classes = {str(k): int(n) for k, n in usable[spec.target.column].value_counts().items()}
    duplicates = 1 - len(np.unique(keys)) / len(keys) if len(keys) else 0.0
    problems += _missing(frame, usable, spec)
    problems += _classes(classes, len(usable), spec)
    problems += _size(len(np.unique(keys)), spec)
    if duplicates > spec.validation.max_duplicate_share:
        rows = round(duplicates * len(keys))
        problems.append(
            Problem(None, f"{duplicates:.0%} of the rows repeat another one.", "warning", rows)
        )
    problems += _contradictions(usable, keys, spec)
    ok = all(problem.severity != "error" for problem in problems)
    return Report(ok, tuple(problems), len(frame), classes, duplicates)


def _columns(frame: pd.DataFrame, spec: ModelSpec) -> Iterator[Problem]:
    for name in (*spec.columns, spec.target.column):
        if name not in frame.columns:
            yield Problem(name, f"The data has no column {name}.", "error")
        elif len(frame) and frame[name].isna().all():
            yield Problem(name, f"Column {name} has no value in any row.", "error", len(frame))
    if frame.empty:
        yield Problem(None, "The data has no rows.", "error")


def _wrong_types(frame: pd.DataFrame, spec: ModelSpec) -> list[Problem]:
    """Say every column that the model cannot read, not only the first."""
    found = []
    for feature in spec.input.features:
        try:
            if feature.type == "numeric":
                schema.numbers(frame[feature.name])
        except InvalidInputError as error:
            found.append(Problem(feature.name, str(error), "error"))
    try:
        schema.labels(frame[spec.target.column], spec)
    except InvalidInputError as error:
        found.append(Problem(spec.target.column, str(error), "error"))
    return found


def _missing(frame: pd.DataFrame, usable: pd.DataFrame, spec: ModelSpec) -> Iterator[Problem]:
    dropped = len(frame) - len(usable)
    if dropped:
        what = "target or text" if spec.task == "text" else "target"
        words = f"{dropped:,} rows without a {what} are left out."
        yield Problem(spec.target.column, words, "warning", dropped)
    for name in spec.columns:
        missing = int(usable[name].isna().sum())
        if usable.size and missing > MISSING_SHARE_WARNING * len(usable):
            words = f"Column {name} is missing in {missing / len(usable):.0%} of the rows."
            yield Problem(name, words, "warning", missing)


def _classes(classes: dict[str, int], n: int, spec: ModelSpec) -> Iterator[Problem]:
    column = spec.target.column
    absent = [label for label in spec.labels if label not in classes]
    if absent:
        words = f"Column {column} never says {absent[0]}: a model needs examples of both classes."
        yield Problem(column, words, "error")
        return
    label, rarest = min(classes.items(), key=lambda pair: pair[1])
    if rarest < 2 * spec.folds:
        words = f"Only {rarest} rows are {label}; {spec.folds} folds need {2 * spec.folds}."
        yield Problem(column, words, "error", rarest)
    elif rarest < spec.validation.min_class_share * n:
        words = f"Only {rarest / n:.1%} of the rows are {label}."
        yield Problem(column, words, "warning", rarest)


def _size(different: int, spec: ModelSpec) -> Iterator[Problem]:
    need = spec.validation
    if different < need.min_rows:
        words = f"The data has {different:,} different rows; {spec.name} needs {need.min_rows:,}."
        yield Problem(None, words, "error", different)
    elif different * spec.test_share < need.min_test_rows:
        words = (
            f"Keeping {spec.test_share:.0%} aside leaves {different * spec.test_share:.0f} test "
            f"rows; {spec.name} needs {need.min_test_rows:,}."
        )
        yield Problem(None, words, "error", different)


def _contradictions(usable: pd.DataFrame, keys: Any, spec: ModelSpec) -> Iterator[Problem]:  # noqa: ANN401
    labels = usable[spec.target.column].groupby(keys).nunique()
    rows = int((labels > 1).sum())
    if rows:
        words = f"{rows:,} inputs occur with both labels."
        yield Problem(spec.target.column, words, "warning", rows)
