"""Columns and their types: what a file holds, and the frame that a model reads."""

import warnings
from dataclasses import asdict, dataclass
from hashlib import blake2b, sha256
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.datasets.values import LARGEST, category, normalised
from core.errors import InvalidInputError
from core.specs import ModelSpec

ColumnType = Literal["numeric", "category", "text", "ignore"]
MISSING_WORDS = frozenset({"?", "na", "n/a", "nan", "null", "none", "-"})
MOST_CATEGORIES = 50
TEXT_WORDS = 3.0  # a column with more words a value on average is text


@dataclass(frozen=True)
class Column:
    """One column: its inferred type, missing and distinct values, and up to three examples."""

    name: str
    type: ColumnType
    missing: int
    distinct: int
    examples: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"examples": list(self.examples)}


def infer(frame: pd.DataFrame) -> list[Column]:
    """Return what each column of `frame` holds; a person may correct the types.

    >>> [column.type for column in infer(pd.DataFrame({"age": [1.0, 2.0], "sex": ["f", "m"]}))]
    ['numeric', 'category']
    """
    return [_column(str(name), frame[name]) for name in frame.columns]


def _column(name: str, values: "pd.Series[Any]") -> Column:
    present = values.dropna()
    distinct = int(present.nunique())
    return Column(
        name=name,
        type=_type(present, distinct),
        missing=len(values) - len(present),
        distinct=distinct,
        examples=tuple(str(value)[:80] for value in present.unique()[:3]),
    )


def _type(present: "pd.Series[Any]", distinct: int) -> ColumnType:
    if pd.api.types.is_numeric_dtype(present):
        return "numeric"
    sample = [str(value) for value in present.head(1000)]
    words = sum(len(value.split()) for value in sample) / max(1, len(sample))
    if words > TEXT_WORDS and distinct > MOST_CATEGORIES / 5:
        return "text"
    if distinct > 10 * MOST_CATEGORIES and distinct > 0.9 * len(present):
        return "ignore"  # an identifier: a model would only learn rows by heart
    return "category"


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn text columns that hold numbers into numbers; there, words like NA mean missing."""
    return pd.DataFrame({str(name): _typed(frame[name]) for name in frame.columns})


def _typed(values: "pd.Series[Any]") -> "pd.Series[Any]":
    if pd.api.types.is_numeric_dtype(values):
        return values
    text = values.astype("object").where(values.notna(), None)
    known = text.map(lambda value: None if _means_missing(value) else value)
    numbers = pd.to_numeric(known, errors="coerce")
    codes = known.dropna().astype(str).str.fullmatch(r"0\d+")
    if numbers.notna().sum() == known.notna().sum() > 0 and not codes.any():
        return numbers.astype("float64")
    return text.map(lambda value: None if value == "" else value)


def _means_missing(value: object) -> bool:
    return value is None or str(value).strip().lower() in MISSING_WORDS | {""}


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with each column as float64 or as text with None: what files keep."""
    return pd.DataFrame({str(name): _plain(frame[name]) for name in frame.columns})


def _plain(values: "pd.Series[Any]") -> "pd.Series[Any]":
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return pd.Series(values.to_numpy(dtype="float64", na_value=np.nan))
    spelled = [_text(value) for value in values.astype("object")]
    return pd.Series(spelled, dtype="object")


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value.replace("\x00", "")
    return category(value)


def digest(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of what a plain frame holds, whatever file it came from.

    >>> digest(pd.DataFrame({"a": [1.0]})) == digest(pd.DataFrame({"a": [1.0]}))
    True
    """
    total = sha256(f"{len(frame)} rows".encode())
    for name in frame.columns:
        values = frame[name]
        total.update(f"\x1e{name}\x1f{values.dtype.kind}".encode())
        if values.dtype.kind == "f":
            numbers = values.to_numpy(dtype="<f8", copy=True)
            numbers[np.isnan(numbers)] = np.nan
            total.update(numbers.tobytes())
        else:
            texts = [b"" if value is None else value.encode() for value in values]
            lengths = [
                -1 if value is None else len(text)
                for value, text in zip(values, texts, strict=True)
            ]
            total.update(np.asarray(lengths, dtype="<i8").tobytes() + b"".join(texts))
    return total.hexdigest()


def conform(frame: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Return the model's columns and the target, spelled as the model reads them.

    Text is str, numbers float64, categories str or None, the target one of the spec's two
    labels. Rows without a target or a text are left out; a text beside other columns is empty
    where it is missing. Conforming twice changes nothing.

    Raises: InvalidInputError (a column is missing, or holds what the spec does not allow).
    """
    missing = [name for name in (*spec.columns, spec.target.column) if name not in frame.columns]
    if missing:
        raise InvalidInputError(f"The data has no column {missing[0]}.")
    columns: dict[str, pd.Series[Any]] = {}
    if spec.input.text:
        columns[spec.input.text] = _texts(frame[spec.input.text])
    for feature in spec.input.features:
        columns[feature.name] = _READ[feature.type](frame[feature.name])
    columns[spec.target.column] = labels(frame[spec.target.column], spec)
    usable = columns[spec.target.column].notna()
    if spec.input.text:
        usable &= columns[spec.input.text].notna()
    return pd.DataFrame(columns)[usable].reset_index(drop=True)


def _texts(values: "pd.Series[Any]") -> "pd.Series[Any]":
    spelled = [_text(value) for value in values.astype("object")]
    return pd.Series([text if text and text.strip() else None for text in spelled], dtype="object")


def _categories(values: "pd.Series[Any]") -> "pd.Series[Any]":
    return pd.Series([category(value) for value in values.astype("object")], dtype="object")


def _texts_beside(values: "pd.Series[Any]") -> "pd.Series[Any]":
    return _texts(values).map(lambda text: text or "")


def numbers(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return float64 values, NaN where missing.

    Raises: InvalidInputError (not a number, or one beyond `LARGEST`).
    """
    present = values.notna().to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pd.to_numeric(values.astype("object"), errors="coerce").to_numpy(
            dtype="float64", na_value=np.nan
        )
    wrong = present & ~(np.abs(found) <= LARGEST)
    if wrong.any():
        example = str(values.iloc[int(wrong.argmax())])[:40]
        raise InvalidInputError(
            f"Column {values.name} should hold numbers, but {int(wrong.sum()):,} values are none, "
            f"for example {example!r}."
        )
    return pd.Series(found)


_READ = {"numeric": numbers, "category": _categories, "text": _texts_beside}


def labels(values: "pd.Series[Any]", spec: ModelSpec) -> "pd.Series[Any]":
    """Return each target value as one of the two labels, None where it is missing.

    Raises: InvalidInputError (a value is neither label).
    """
    spelled = [category(value) for value in values.astype("object")]
    meaning = {value: _label(value, spec) for value in set(spelled) - {None}}
    unknown = sorted(str(value) for value, label in meaning.items() if label is None)
    if unknown:
        raise InvalidInputError(
            f"Column {values.name} holds {unknown[0][:40]!r}, which is neither "
            f"{spec.target.positive} nor {spec.target.negative}."
        )
    return pd.Series([meaning.get(value) for value in spelled], dtype="object")


def _label(value: str | None, spec: ModelSpec) -> str | None:
    target = spec.target
    if value in (target.positive, target.negative):
        return value
    if target.positive_above is not None and value is not None:
        try:
            return target.positive if float(value) > target.positive_above else target.negative
        except ValueError:
            return None
    return target.negative if target.rest else None


def inputs(frame: pd.DataFrame, spec: ModelSpec) -> list[str] | pd.DataFrame:
    """Return what a pipeline reads from a conformed frame: texts, or the features."""
    if spec.input.text:
        return [str(text) for text in frame[spec.input.text]]
    return frame[spec.columns]


def sent(frame: pd.DataFrame, spec: ModelSpec) -> list[Any]:
    """Return the rows of a conformed frame as clients send them: texts, or features by name."""
    rows = inputs(frame, spec)
    if isinstance(rows, list):
        return list(rows)
    return [
        {
            str(name): None if value is None or value != value else value
            for name, value in row.items()
        }
        for row in rows.to_dict("records")
    ]


def row_keys(frame: pd.DataFrame, spec: ModelSpec) -> NDArray[np.uint64]:
    """Return a key per row of a conformed frame; rows that say the same have the same key."""
    if spec.input.text:
        return _keys([normalised(str(text)) for text in frame[spec.input.text]])
    total = np.zeros(len(frame), dtype=np.uint64)
    for feature in spec.input.features:
        if feature.type == "numeric":
            numeric = frame[feature.name].to_numpy(dtype="float64", copy=True)
            numeric[np.isnan(numeric)] = np.nan  # one NaN of many
            part = (numeric + 0.0).view(np.uint64)
        else:
            spell = normalised if feature.type == "text" else str
            part = _keys([spell(str(value)) for value in frame[feature.name]])
        total = mixed(total ^ part)
    return total


def _keys(texts: list[str]) -> NDArray[np.uint64]:
    known = {text: int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())
             for text in set(texts)}  # fmt: skip
    return np.array([known[text] for text in texts], dtype=np.uint64)


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit integers (the finalizer of splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))
