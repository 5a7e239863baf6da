"""A person's file: CSV or Parquet in, a frame and the spec of a new model out, or a clear no."""

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from core import specs
from core.datasets import schema, validation
from core.datasets.values import category
from core.errors import InvalidInputError, TooLargeError
from core.settings import Settings

MOST_ROWS, MOST_COLUMNS, MOST_CLASSES = 1_000_000, 500, 50
MOST_DECODED_BYTES, _LONGEST_HEADER = 512 << 20, 1 << 20
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"\xfd7zXZ", b"Rar!", b"(\xb5/\xfd")
_TYPES = ("numeric", "category", "text", "ignore")


def read(name: str, content: bytes, settings: Settings) -> pd.DataFrame:
    """Return the rows of a CSV or Parquet file; its kind is told by its content.

    Raises: InvalidInputError, TooLargeError (a sentence that says what is wrong).
    """
    if len(content) > settings.max_upload_mb << 20:
        raise TooLargeError(
            f"{_named(name)} is larger than {settings.max_upload_mb} MB: upload a sample of it, or "
            "Parquet, or put it into PILOTHOUSE_DATA_DIR and name it in a spec."
        )
    if not content.strip():
        raise InvalidInputError(f"{_named(name)} is empty.")
    if content.startswith(_ARCHIVES) or content[257:262] == b"ustar":
        raise InvalidInputError(
            f"{_named(name)} is an archive or a spreadsheet; upload plain CSV or Parquet."
        )
    frame = _parquet(name, content) if content.startswith(b"PAR1") else _csv(name, content)
    if frame.empty:
        raise InvalidInputError(f"{_named(name)} has column names, but no rows.")
    return schema.typed(schema.plain(_numbers_first(frame)))


def _numbers_first(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn columns of nothing but numbers into numbers at once; the rest is read value by value."""
    return pd.DataFrame({name: _quickly(frame[name]) for name in frame.columns})


def _quickly(values: "pd.Series[Any]") -> "pd.Series[Any]":
    if not pd.api.types.is_string_dtype(values):
        return values
    try:
        numbers = pd.to_numeric(values)
    except (ValueError, TypeError):
        return values
    codes = values.str.fullmatch(r"\s*0\d+\s*").fillna(False).astype(bool)
    return values if codes.any() or numbers.isna().all() else numbers.astype("float64")


def _named(name: str) -> str:
    return os.path.basename(name.replace("\\", "/"))[:80] or "The file"


def check_names(what: str, columns: Sequence[str]) -> None:
    """Refuse a header that no model can use. Raises: InvalidInputError, TooLargeError."""
    if len(columns) > MOST_COLUMNS:
        raise TooLargeError(
            f"{what} has {len(columns):,} columns; at most {MOST_COLUMNS} can be read: "
            "keep those that a model needs."
        )
    if twice := [column for column, n in Counter(columns).items() if n > 1]:
        raise InvalidInputError(
            f"{what} names the column {twice[0][:80]!r} twice: rename or remove one of them."
        )
    if any(not column.strip() or len(column) > 200 for column in columns):
        raise InvalidInputError(
            f"{what} has a column without a usable name: give each 1 to 200 characters."
        )


def _csv(name: str, content: bytes) -> pd.DataFrame:
    text = _decoded(name, content).lstrip("\r\n")
    if text.count("\n") > 2 * MOST_ROWS:
        raise TooLargeError(f"{_named(name)} has more than {MOST_ROWS:,} rows.")
    separator = _separator(text)
    try:
        head = io.StringIO(text[:_LONGEST_HEADER], newline="")
        lines = csv.reader(head, delimiter=separator, strict=True)
        header = _without_unnamed_tail([column.strip() for column in next(lines)])
        check_names(_named(name), header)
        frame = _rows(name, text, separator)
    except (pd.errors.ParserError, csv.Error, StopIteration, ValueError) as error:
        first = str(error).splitlines()[0][:120] if str(error) else "no header"
        raise InvalidInputError(f"{_named(name)} is not a readable CSV file: {first}.") from error
    if len(frame) > MOST_ROWS:
        raise TooLargeError(f"{_named(name)} has more than {MOST_ROWS:,} rows.")
    beyond = frame.iloc[:, len(header) :]
    if any(bool((beyond[place].fillna("") != "").any()) for place in beyond):
        _widest(name, text, separator)
    frame = frame.iloc[:, : len(header)].reset_index(drop=True)
    frame.columns = pd.Index(header)
    return frame


def _rows(name: str, text: str, separator: str) -> pd.DataFrame:
    """Return the lines below the header. The parser refuses a line with more fields than it."""
    content = text.encode()

    def read(names: range | None) -> pd.DataFrame:
        return pd.read_csv(
            io.BytesIO(content),
            sep=separator,
            header=None,
            names=names,
            dtype=str,
            keep_default_na=False,
            nrows=MOST_ROWS + 2,
        ).iloc[1:]

    try:
        return read(None)
    except pd.errors.ParserError:
        return read(range(_widest(name, text, separator)))  # the fields too many were empty


def _widest(name: str, text: str, separator: str) -> int:
    """Return the number of fields in the longest line.

    Raises: InvalidInputError (a line says something in a field that the header does not name).
    """
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    header = widest = len(_without_unnamed_tail([column.strip() for column in next(lines, [])]))
    for row in lines:
        widest = max(widest, len(row))
        if any(field.strip() for field in row[header:]):
            raise InvalidInputError(
                f"{_named(name)}: line {lines.line_num:,} has {len(row)} fields, but the header "
                f"names {header}: put quotes around text that holds {separator!r}."
            )
    return widest


def _without_unnamed_tail(header: list[str]) -> list[str]:
    """Drop the nameless columns that spreadsheets leave behind the last one."""
    while len(header) > 1 and not header[-1]:
        header = header[:-1]
    return header


def _decoded(name: str, content: bytes) -> str:
    """Return the text, as UTF-8 or else as Windows Latin; bytes that are no text are refused."""
    sample = content[:65_536]
    rubbish = sum(byte < 32 and byte not in b"\t\n\r\x0c" for byte in sample)
    if b"\x00" in content or rubbish > len(sample) / 100:
        raise InvalidInputError(f"{_named(name)} is not text; upload CSV or Parquet.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _separator(text: str) -> str:
    """Return the separator that the header line uses most."""
    header = text.split("\n", 1)[0]
    return max(",;\t|", key=lambda mark: (header.count(mark), mark == ","))


def _parquet(name: str, content: bytes) -> pd.DataFrame:
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        arrow = file.schema_arrow
        check_names(_named(name), list(arrow.names))
        if file.metadata.num_rows > MOST_ROWS:
            raise TooLargeError(f"{_named(name)} has more than {MOST_ROWS:,} rows.")
        for field in arrow:
            _check_type(name, field)
        texts = [field.name for field in arrow if _is_text(field.type)]
        table = pq.read_table(io.BytesIO(content), read_dictionary=texts)
        if _decoded_bytes(table) > MOST_DECODED_BYTES:
            raise TooLargeError(
                f"{_named(name)} unpacks to more than {MOST_DECODED_BYTES >> 20} MB."
            )
        return pd.DataFrame({column: _values(table[column]) for column in table.column_names})
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{_named(name)} is not a readable Parquet file.") from error


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check_type(name: str, field: pa.Field) -> None:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise InvalidInputError(
            f"{_named(name)}: column {field.name[:80]!r} holds {kind}, "
            "not numbers, text or yes and no."
        )


def _decoded_bytes(table: pa.Table) -> int:
    """Return how large the columns become; a small dictionary can stand for very much text."""
    total = 0
    for column in table.columns:
        for chunk in column.chunks:
            if not pa.types.is_dictionary(chunk.type):
                total += chunk.nbytes
                continue
            lengths = pc.binary_length(chunk.dictionary.cast(pa.large_string()))
            total += pc.sum(pc.take(lengths, chunk.indices)).as_py() or 0
    return total


def _values(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 (a pandas Series)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.to_pandas()


def spec_for(
    name: str,
    frame: pd.DataFrame,
    *,
    target: str,
    positive: str,
    types: Mapping[str, str] | None = None,
) -> str:
    """Return the YAML of a spec that fits `frame`; `types` corrects what was inferred.

    A type is numeric, category, text or ignore. A text column alone makes a text model; several,
    or texts beside other columns, make a tabular one that reads them all. With three classes or
    more, all but `positive` count as one.
    Raises: InvalidInputError (target or classes cannot be used; nothing to learn from).
    """
    labels = _labels(frame, target, positive)
    kinds = _kinds(frame, target, types or {})
    features = [{"name": one, "type": kind} for one, kind in kinds.items() if kind != "ignore"]
    if not features:
        raise InvalidInputError("No column is left to learn from.")
    texts = [one["name"] for one in features if one["type"] == "text"]
    alone = len(texts) == len(features) == 1
    document = {
        "name": _model_name(name),
        "title": name.strip()[:200],
        "task": "text" if alone else "tabular",
        "target": _target(target, positive, labels),
        "input": {"text": texts[0]} if alone else {"features": features},
        "source": {"noun": "rows"},
        "candidates": [{"kind": kind} for kind in _candidates(alone, bool(texts))],
        "validation": {"min_rows": 50, "min_test_rows": 10},
        "gate": {"floor": 0.6, "min_slice": 100},
        "monitoring": {"min_samples": 100},
        "policy": {"accuracy_floor": 0.6},
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    specs.parse(text)
    return text


def _labels(frame: pd.DataFrame, target: str, positive: str) -> list[str]:
    if target not in frame.columns:
        raise InvalidInputError(f"The data has no column {target[:80]!r} to predict.")
    found = {category(value) for value in frame[target].unique()}
    labels = sorted(label for label in found if label is not None)
    if len(labels) < 2:
        raise InvalidInputError(f"Column {target} has one class only; a model needs two.")
    if len(labels) > MOST_CLASSES:
        raise InvalidInputError(
            f"Column {target} has {len(labels):,} different values; at most {MOST_CLASSES} "
            "classes can be told apart: group them, or choose another column to predict."
        )
    if category(positive) not in labels:
        raise InvalidInputError(
            f"Column {target} never says {positive[:80]!r}; it says {', '.join(labels[:10])}."
        )
    return labels


def _target(column: str, positive: str, labels: list[str]) -> dict[str, object]:
    wanted = category(positive) or ""
    others = [label for label in labels if label != wanted]
    if len(others) == 1:
        return {"column": column, "positive": wanted, "negative": others[0]}
    return {"column": column, "positive": wanted, "negative": f"not {wanted}", "rest": True}


def _kinds(frame: pd.DataFrame, target: str, types: Mapping[str, str]) -> dict[str, str]:
    for column, kind in types.items():
        if column not in frame.columns:
            raise InvalidInputError(f"The data has no column {column[:80]!r}.")
        if kind not in _TYPES:
            raise InvalidInputError(f"{kind[:80]!r} is no type; use {', '.join(_TYPES)}.")
    inferred = inferred_types(frame)
    kinds = {name: types.get(name, kind) for name, kind in inferred.items() if name != target}
    for column, kind in kinds.items():
        if kind == "numeric":
            schema.numbers(frame[column])
    return kinds


def inferred_types(frame: pd.DataFrame) -> dict[str, str]:
    """Return the type of each column; one of dates is ignored, since no model reads dates.

    >>> inferred_types(pd.DataFrame({"day": ["2026-01-31", "2026-02-01"], "n": [1.0, 2.0]}))
    {'day': 'ignore', 'n': 'numeric'}
    """
    without = set(validation.dates(frame))
    return {
        column.name: "ignore" if column.name in without else str(column.type)
        for column in schema.infer(frame)
    }


def _candidates(alone: bool, texts: bool) -> list[str]:
    """Return kinds that can learn: a text alone, a table with texts, or one without."""
    own = "complement_nb" if alone else "lightgbm" if texts else "gradient_boosting"
    return ["logistic_regression", own, "random_forest"]


def _model_name(name: str) -> str:
    """Return a name that a spec may carry: letters, digits and underscores."""
    plain = "".join(mark if mark.isascii() and mark.isalnum() else "_" for mark in name.lower())
    plain = "_".join(part for part in plain.split("_") if part)[:60]
    if not plain:
        raise InvalidInputError("A model's name needs at least one letter.")
    return plain if plain[0].isalpha() else f"model_{plain}"
