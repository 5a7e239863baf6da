"""Is this data fit to train on? Errors reject it; warnings are shown beside it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from core.datasets import rules, schema, spelling, suites
from core.datasets.expectations import MOST_FAILING, Expectation, Result
from core.errors import InvalidInputError
from core.specs import ModelSpec

MISSING_SHARE_WARNING = 0.5
MOSTLY_NUMBERS, MOST_TOLD = 0.8, 3
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}([T ].*)?")


@dataclass(frozen=True)
class Problem:
    """One finding: the column (None for the whole), a sentence, and how many rows it concerns.

    `where` are the positions (from 0) of the first 100 of these rows, where they can be named.
    """

    column: str | None
    sentence: str
    severity: Literal["error", "warning"]
    rows: int = 0
    where: tuple[int, ...] = ()


@dataclass(frozen=True)
class Report:
    """Whether the data may be trained on, and everything that was found.

    `failed` are the expectations of suite number `suite` that do not hold, of `n_expectations`
    that `engine` judged; each is a mapping as `Result.to_dict` returns it.
    """

    ok: bool
    problems: tuple[Problem, ...]
    n_rows: int
    classes: dict[str, int]
    duplicate_share: float
    failed: tuple[dict[str, Any], ...] = ()
    n_expectations: int = 0
    suite: int | None = None
    engine: str = ""

    @property
    def sentence(self) -> str:
        """The first errors in words, or that there are none."""
        errors = [problem.sentence for problem in self.problems if problem.severity == "error"]
        errors += [one["sentence"] for one in self.failed if one["severity"] == "hard"]
        if errors:
            more = len(errors) - MOST_TOLD
            are = "problem is" if more == 1 else "problems are"
            rest = [f"{more:,} more {are} in the report."] if more > 0 else []
            return " ".join([*errors[:MOST_TOLD], *rest])
        warnings = len(self.problems) + len(self.failed)
        tail = f"{warnings} warning{'s' if warnings != 1 else ''}" if warnings else "no problems"
        return f"{self.n_rows:,} rows, {tail}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {
            "problems": [
                asdict(problem) | {"where": list(problem.where)} for problem in self.problems
            ],
            "failed": list(self.failed),
            "sentence": self.sentence,
        }

    def with_results(
        self, results: Sequence[Result], frame: pd.DataFrame, *, suite: int, engine: str
    ) -> "Report":
        """Return the report with what became of the expectations of a suite."""
        failed = [result for result in results if not result.ok]
        told = [result.to_dict(frame) for result in failed[:MOST_FAILING]]
        return self.with_failed(told, n=len(results), suite=suite, engine=engine)

    def with_failed(
        self, failed: Sequence[dict[str, Any]], *, n: int, suite: int, engine: str
    ) -> "Report":
        """Return the report with the failed ones of `n` expectations; a hard one rejects."""
        ok = self.ok and all(one["severity"] != "hard" for one in failed)
        return replace(
            self, ok=ok, failed=tuple(failed), n_expectations=n, suite=suite, engine=engine
        )


def validate(frame: pd.DataFrame, spec: ModelSpec) -> Report:
    """Check columns, types, missing values, classes, duplicates and size against the spec.

    >>> from core.specs import parse
    >>> spec = parse('''{name: m, title: M, task: text, input: {text: t}, candidates:
    ...   [{kind: complement_nb}], target: {column: y, positive: a, negative: b}}''')
    >>> validate(pd.DataFrame({"t": ["hi"]}), spec).sentence
    'The data has no column y. It has t.'
    """
    problems = [*_columns(frame, spec)]
    try:
        usable = None if problems else schema.conform(frame, spec)
    except InvalidInputError as error:
        problems += _wrong_types(frame, spec, str(error)) or [Problem(None, str(error), "error")]
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
    problems += [*_unsuited(frame, spec), *_spelled_alike(frame, spec)]
    ok = all(problem.severity != "error" for problem in problems)
    return Report(ok, tuple(problems), len(frame), classes, duplicates)


def _columns(frame: pd.DataFrame, spec: ModelSpec) -> Iterator[Problem]:
    if twice := [str(name) for name in frame.columns[frame.columns.duplicated()]]:
        words = f"Two columns are named {twice[0][:80]}: rename or remove one of them."
        yield Problem(twice[0], words, "error")
        return
    optional = suites.looked_up(spec)
    for name in (*spec.columns, spec.target.column):
        if name in frame.columns:
            if len(frame) and frame[name].isna().all():
                yield Problem(name, f"Column {name} has no value in any row.", "error", len(frame))
        elif name not in optional:
            yield Problem(name, _absent(name, frame), "error")
    if frame.empty:
        yield Problem(None, "The data has no rows.", "error")


def _absent(name: str, frame: pd.DataFrame) -> str:
    """Say that a column is not there, and which one may have been meant."""
    others = [str(column) for column in frame.columns]
    close = spelling.meant(name, others)
    hint = f" Rename {close} to {name}?" if close else ""
    return f"The data has no column {name}.{hint} It has {spelling.as_list(others)}."


def _wrong_types(frame: pd.DataFrame, spec: ModelSpec, why: str) -> list[Problem]:
    """Say every column that the model cannot read, not only the first, and which rows."""
    found = []
    for feature in spec.input.features:
        if feature.type == "numeric" and feature.name in frame.columns:
            found += _not_numbers(frame, feature.name)
    return found + _wrong_labels(frame, spec, why)


def _not_numbers(frame: pd.DataFrame, name: str) -> list[Problem]:
    try:
        schema.numbers(frame[name])
    except InvalidInputError as error:
        rows = _places(rules.subject(frame, Expectation("number", name)).isna())
        advice = "Correct or empty them, or make the column a category."
        if _are_dates(frame[name]):
            advice = "A model reads no dates: give a number of days or years instead."
        return [Problem(name, f"{error} {advice}", "error", len(rows), rows[:MOST_FAILING])]
    return []


def _wrong_labels(frame: pd.DataFrame, spec: ModelSpec, why: str) -> list[Problem]:
    column = spec.target.column
    try:
        schema.labels(frame[column], spec)
    except InvalidInputError as error:
        why = str(error)
    else:
        return []
    if spec.target.positive_above is not None:
        return [Problem(column, why, "error")]
    known = Expectation("in_set", column, {"values": spec.labels})
    words = rules.subject(frame, known)
    wrong = words.notna() & ~words.isin(spec.labels)
    others = words[wrong].value_counts()
    rows = _places(wrong)
    hints = [
        f"{word!r} ({n:,} rows): did you mean {close!r}?"
        for word, n in list(others.items())[: spelling.MOST_NAMED]
        if (close := spelling.meant(str(word), spec.labels))
    ]
    if len(others) > spelling.MOST_NAMED:
        hints.append(f"It has {len(others):,} other values: is it the right column to predict?")
    words_said = " ".join([why, *hints]) if hints else f"{why} Correct these labels."
    return [Problem(column, words_said, "error", len(rows), rows[:MOST_FAILING])]


def _places(mask: Any) -> tuple[int, ...]:  # noqa: ANN401 (a boolean pandas Series)
    return tuple(int(row) for row in np.flatnonzero(mask.to_numpy(dtype=bool)))


def _are_dates(values: Any) -> bool:  # noqa: ANN401 (a pandas Series)
    """Say whether a column holds dates, by its first hundred values.

    >>> _are_dates(pd.Series(["2026-01-31", None, "2026-02-01"])), _are_dates(pd.Series([1.0]))
    (True, False)
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return True
    sample = [str(value).strip() for value in values.dropna().head(100)]
    return bool(sample) and all(_DATE.fullmatch(value) for value in sample)


def dates(frame: pd.DataFrame) -> list[str]:
    """Return the names of the columns that hold dates, which no model reads."""
    texts = [name for name in frame.columns if frame[name].dtype.kind not in "fiub"]
    return [str(name) for name in texts if _are_dates(frame[name])]


def _unsuited(frame: pd.DataFrame, spec: ModelSpec) -> Iterator[Problem]:
    """Warn of categories that are dates, or numbers with a few words among them."""
    for feature in spec.input.features:
        if feature.type != "category" or feature.name not in frame.columns:
            continue
        name, values = feature.name, frame[feature.name]
        if values.dtype.kind in "fiub":
            continue
        if _are_dates(values):
            words = f"Column {name} holds dates: a new day is an unknown category to the model."
            yield Problem(
                name, f"{words} Give a number of days instead, or leave it out.", "warning"
            )
            continue
        wrong = rules.subject(frame, Expectation("number", name)).isna()
        n = int(wrong.sum())
        if values.nunique() > 20 and 0 < n < (1 - MOSTLY_NUMBERS) * int(values.notna().sum()):
            example = str(values.reset_index(drop=True)[wrong].iloc[0])[:40]
            words = f"Column {name} is a category, but holds numbers except in {n:,} rows"
            words += f" ({example!r}): empty those and make it numeric."
            yield Problem(name, words, "warning", n, _places(wrong)[:MOST_FAILING])


def _spelled_alike(frame: pd.DataFrame, spec: ModelSpec) -> Iterator[Problem]:
    """Warn where a class counts as the rest only because it is spelled in another way."""
    target = spec.target
    if not target.rest or target.positive_above is not None:
        return
    found = spelling.variants([target.positive, *frame[target.column].dropna()])
    for word, best in found.items():
        if target.positive in (word, best):
            other = word if best == target.positive else best
            words = f"Column {target.column} also says {other!r}, which counts as"
            words += f" {target.negative}: did you mean {target.positive!r}?"
            yield Problem(target.column, words, "warning")


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
