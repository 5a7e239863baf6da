"""What is expected of a model's data: our words for it, and the port to whatever checks it.

An expectation is a kind, a column and arguments; a failed *hard* one rejects the data, a failed
*soft* one is a warning. Adapters judge; this module says what is judged and tells it to people.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import pandas as pd

from core.errors import InvalidInputError

Severity = Literal["hard", "soft"]
MOST_EXPECTATIONS, MOST_VALUES, MOST_FAILING = 3_000, 1_000, 100
SHOWN_CHARACTERS = 80

KINDS: Mapping[str, frozenset[str]] = {
    "present": frozenset(),
    "rows_at_least": frozenset({"rows"}),
    "number": frozenset(),
    "between": frozenset({"low", "high", "mostly"}),
    "in_set": frozenset({"values", "mostly"}),
    "length_between": frozenset({"low", "high", "mostly"}),
    "missing_at_most": frozenset({"share"}),
    "distinct_at_least": frozenset({"values"}),
    "duplicates_at_most": frozenset({"share"}),
    "share_between": frozenset({"value", "above", "low", "high"}),
}
"""Each kind with the arguments that it takes; see `OPTIONAL`."""
OPTIONAL = frozenset({"above", "mostly"})

_OF_TABLE = frozenset({"rows_at_least", "duplicates_at_most"})
_SHARES = frozenset({"share", "mostly"})


@dataclass(frozen=True)
class Expectation:
    """One thing that should hold of a column, or of the whole table where `column` is None.

    Shares (`mostly`, `share`, and the bounds of `share_between`) lie between 0 and 1.
    """

    kind: str
    column: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "soft"

    @property
    def sentence(self) -> str:
        """The expectation in words.

        >>> Expectation("between", "age", {"low": 18.0, "high": 90.0, "mostly": 0.99}).sentence
        'age lies between 18 and 90 in at least 99% of its values'
        """
        return _SENTENCES[self.kind].format(
            column=self.column, **_spelled({"mostly": 1.0, **self.arguments})
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "kind": self.kind,
            "column": self.column,
            "arguments": dict(self.arguments),
            "severity": self.severity,
        }


_SENTENCES = {
    "present": "there is a column {column}",
    "rows_at_least": "there are at least {rows} rows",
    "number": "{column} holds numbers only",
    "between": "{column} lies between {low} and {high} in at least {mostly} of its values",
    "in_set": "{column} is one of {values} in at least {mostly} of its values",
    "length_between": "{column} has {low} to {high} characters in at least {mostly} of its values",
    "missing_at_most": "{column} is missing in at most {share} of the rows",
    "distinct_at_least": "{column} has at least {values} different values",
    "duplicates_at_most": "at most {share} of the rows occur more than once",
    "share_between": "{low} to {high} of the values of {column} are {value}",
}


def _spelled(arguments: Mapping[str, Any]) -> dict[str, str]:
    of_class = "value" in arguments
    spelled = {name: _word(value) for name, value in arguments.items()}
    for name, value in arguments.items():
        if name in _SHARES or (of_class and name in ("low", "high")):
            spelled[name] = _percent(float(value))
    return spelled


def _percent(share: float) -> str:
    return f"{share * 100:.4g}%"


def _word(value: object) -> str:
    if isinstance(value, list | tuple):
        shown = ", ".join(str(one) for one in value[:8])
        return f"{shown} and {len(value) - 8} more" if len(value) > 8 else shown
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)


@dataclass(frozen=True)
class Result:
    """What became of one expectation.

    `n_checked` values were looked at, `n_failed` of them are not as expected, `rows` are the
    positions (from 0) of the first 100 such rows. `observed` is the figure that a bound on a whole
    column or table is about; None for those about single values.
    """

    expectation: Expectation
    ok: bool
    n_checked: int
    n_failed: int = 0
    rows: tuple[int, ...] = ()
    observed: float | None = None

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        wanted = self.expectation.sentence
        if self.ok:
            return f"As expected: {wanted}."
        if self.expectation.kind == "share_between" and self.observed is not None:
            return f"Expected: {wanted}; found {_percent(self.observed)}."
        if self.observed is not None:
            return f"Expected: {wanted}; found {self.observed:,.6g}."
        if self.n_checked:
            share = _percent(self.n_failed / self.n_checked)
            return f"Expected: {wanted}; {self.n_failed:,} of {self.n_checked:,} are not ({share})."
        return f"Expected: {wanted}; it is not so."

    def to_dict(self, frame: pd.DataFrame | None = None) -> dict[str, Any]:
        """Plain values, ready for JSON; with `frame` also what the failing rows say."""
        content = self.expectation.to_dict() | {
            "ok": self.ok,
            "sentence": self.sentence,
            "n_checked": self.n_checked,
            "n_failed": self.n_failed,
            "rows": list(self.rows),
        }
        column = self.expectation.column
        if frame is not None and column in frame.columns:
            found = frame[column].iloc[list(self.rows)]
            content["values"] = [_shown(value) for value in found]
        return content


def _shown(value: Any) -> str | None:  # noqa: ANN401 (one cell)
    return None if pd.isna(value) else str(value)[:SHOWN_CHARACTERS]


class Validator(Protocol):
    """The port: judges a frame by expectations."""

    name: str

    def run(self, frame: pd.DataFrame, expectations: Sequence[Expectation]) -> list[Result]:
        """Return one result per expectation, in order.

        One about a column that the frame lacks is left out, unless it says that it be present.
        """


def judgeable(frame: pd.DataFrame, expectations: Iterable[Expectation]) -> list[Expectation]:
    """Return the expectations that can be judged: those about a column that is there."""
    return [
        one
        for one in expectations
        if one.kind == "present" or one.column is None or one.column in frame.columns
    ]


def parse(content: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> tuple[Expectation, ...]:
    """Read expectations that a person or the database gives.

    Raises: InvalidInputError (a sentence that names the expectation and what is wrong with it).

    >>> parse([{"kind": "between", "column": "age", "arguments": {"low": 9, "high": 1}}], ["age"])
    Traceback (most recent call last):
    core.errors.InvalidInputError: Expectation 1 (between of age): low must not be above high.
    """
    known, found = set(columns), []
    for number, one in enumerate(content, 1):
        if number > MOST_EXPECTATIONS:
            raise InvalidInputError(f"A suite has at most {MOST_EXPECTATIONS:,} expectations.")
        problem = _problem(one, known)
        if problem:
            what = f"{one.get('kind')} of {one.get('column') or 'the table'}"
            raise InvalidInputError(f"Expectation {number} ({what[:120]}): {problem}.")
        severity: Severity = "hard" if one.get("severity") == "hard" else "soft"
        arguments = dict(one.get("arguments") or {})
        found.append(Expectation(one["kind"], one.get("column"), arguments, severity))
    if not found:
        raise InvalidInputError("A suite needs at least one expectation.")
    return tuple(found)


def _problem(one: Mapping[str, Any], columns: set[str]) -> str | None:
    if unknown := set(one) - {"kind", "column", "arguments", "severity"}:
        return f"the field {min(unknown)} is not known"
    if one.get("kind") not in KINDS:
        return f"the kind must be one of {', '.join(KINDS)}"
    if one.get("severity", "soft") not in ("hard", "soft"):
        return "the severity must be hard or soft"
    if one["kind"] in _OF_TABLE:
        if one.get("column") is not None:
            return "it is about the whole table, so it names no column"
    elif one.get("column") not in columns:
        return f"the model has no column of this name; it has {', '.join(sorted(columns))[:200]}"
    return _wrong_arguments(one["kind"], one.get("arguments") or {})


def _wrong_arguments(kind: str, given: object) -> str | None:
    if not isinstance(given, Mapping):
        return "the arguments must be names with values"
    wanted = KINDS[kind]
    if unknown := set(given) - wanted:
        return f"{kind} takes no {min(map(str, unknown))}"
    if missing := wanted - set(given) - OPTIONAL:
        return f"{kind} needs {min(missing)}"
    for name, value in given.items():
        if problem := _wrong_value(kind, str(name), value):
            return problem
    if "low" in given and given["low"] > given["high"]:
        return "low must not be above high"
    return None


def _wrong_value(kind: str, name: str, value: object) -> str | None:
    if name == "values" and kind == "in_set":
        return _wrong_values(value)
    if name == "value":
        return None if isinstance(value, str) and value else "value must be a label"
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return f"{name} must be a number"
    if (name in _SHARES or (kind == "share_between" and name != "above")) and not 0 <= value <= 1:
        return f"{name} must lie between 0 and 1"
    if name in ("rows", "values") and (value < 1 or int(value) != value):
        return f"{name} must be a whole number from 1"
    return None


def _wrong_values(values: object) -> str | None:
    if not isinstance(values, list | tuple) or not 1 <= len(values) <= MOST_VALUES:
        return f"values must be a list of 1 to {MOST_VALUES:,} words"
    return None if all(isinstance(one, str) for one in values) else "values must be words"
