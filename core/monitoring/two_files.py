"""Has one file drifted from another? CSV, Parquet or JSON lines in, one finding out."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.datasets import schema, uploads
from core.errors import InvalidInputError, NotFoundError, TooLargeError
from core.monitoring import columns, tabular, text
from core.monitoring.limits import MOST_ROWS
from core.monitoring.tabular import TabularDrift
from core.monitoring.text import TextDrift
from core.settings import Settings

MOST_MEGABYTES = 500
MOST_COLUMNS = 100


@dataclass(frozen=True)
class Compared:
    """What was found in two files: `table` over all columns, `texts` about the words of one.

    `drifted` says that one of them alarms at `alpha`, of which each gets its part. `lost` columns
    are in the reference only. `notes` say what was left out or drawn.
    """

    drifted: bool
    p_value: float
    alpha: float
    score: float
    table: TabularDrift | None
    texts: TextDrift | None
    text_column: str | None
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def inconclusive(self) -> str:
        """Why nothing can be concluded from what the files share, "" where it can."""
        told = (one.inconclusive for one in (self.texts, self.table) if one is not None)
        return "" if self.drifted else " ".join(words for words in told if words)

    @property
    def sentence(self) -> str:
        """The finding in words."""
        told = [_listed("Lost", self.lost)] if self.lost else []
        if self.texts is not None:
            told.append(f"Text of {self.text_column}: {self.texts.sentence}")
        if self.table is not None:
            told.append(self.table.sentence)
        return " ".join(told)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        table = self.table.to_dict() if self.table is not None else None
        sizes = self.table or self.texts
        return {
            "drifted": self.drifted,
            "p_value": self.p_value,
            "alpha": self.alpha,
            "score": self.score,
            "inconclusive": self.inconclusive,
            "lost": list(self.lost),
            "sentence": self.sentence,
            "n_reference": sizes.n_reference if sizes else 0,
            "n_current": sizes.n_current if sizes else 0,
            "columns": list(table["columns"]) if table else [],
            "table": table,
            "text_column": self.text_column,
            "text": self.texts.to_dict() if self.texts is not None else None,
            "notes": list(self.notes),
        }


def read(path: Path, settings: Settings) -> pd.DataFrame:
    """Return the rows of a CSV, Parquet or JSON-lines file; its kind is told by its content.

    Raises: NotFoundError (no such file); TooLargeError; InvalidInputError (what is wrong with it).
    """
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    if path.stat().st_size > MOST_MEGABYTES << 20:
        raise TooLargeError(
            f"{path.name} is larger than {MOST_MEGABYTES} MB: compare a sample of its rows, "
            f"{MOST_ROWS:,} of them are looked at anyway."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path.name} cannot be read: {error.strerror}.") from error
    if content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return _json_lines(path.name, content)
    large = settings.model_copy(update={"max_upload_mb": MOST_MEGABYTES})
    return uploads.read(path.name, content, large)


def _json_lines(name: str, content: bytes) -> pd.DataFrame:
    """Return one row per line, each line an object of plain values."""
    rows: list[Mapping[str, Any]] = []
    for number, line in enumerate(io.BytesIO(content), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_int=float)  # as tables keep it; too long a one is infinite
        except ValueError as error:
            raise InvalidInputError(f"{name}: line {number:,} is not JSON.") from error
        except RecursionError as error:
            raise InvalidInputError(f"{name}: line {number:,} is nested too deeply.") from error
        if not isinstance(row, dict) or any(isinstance(one, dict | list) for one in row.values()):
            raise InvalidInputError(
                f"{name}: line {number:,} should be an object of plain values, one row."
            )
        rows.append(row)
        if len(rows) > uploads.MOST_ROWS:
            raise TooLargeError(f"{name} has more than {uploads.MOST_ROWS:,} rows.")
    frame = pd.DataFrame(rows)
    uploads.check_names(name, [str(one) for one in frame.columns])
    return schema.typed(schema.plain(frame))


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    alpha: float = 0.01,
    text_column: str | None = None,
) -> Compared:
    """Compare two frames: the columns that both have, and the words of one text column.

    Without `text_column`, the text column with the longest texts is taken, if there is one.
    Raises: InvalidInputError (nothing in common, no such text column, an alpha that cannot be).

    >>> before = pd.DataFrame({"age": range(300)})
    >>> compare(before, before + 200).drifted
    True
    """
    shared = [name for name in reference.columns if name in set(current.columns)]
    if not shared:
        raise InvalidInputError("The two files have no column in common.")
    before, now = _sampled(reference[shared]), _sampled(current[shared])
    kinds = [uploads.inferred_types(frame) for frame in (before, now)]
    texts = [name for name in shared if "text" in (kinds[0][name], kinds[1][name])]
    chosen = _chosen(texts, shared, text_column, before)
    moving = [name for name in shared if name != chosen and _moves_on(name, kinds, before, now)]
    others = [name for name in shared if name != chosen and name not in moving]
    if not others and not chosen:
        raise InvalidInputError("The two files share only dates and numbers of rows.")
    parts = bool(others) + bool(chosen)
    level, table, words = alpha / parts, None, None
    if others:
        long = [name for name in texts if name in others]
        frames = [columns.with_lengths(frame, long) for frame in (before, now)]
        table = tabular.compare(*frames, alpha=level, columns=others[:MOST_COLUMNS])
    if chosen:
        words = text.compare(_spoken(before, chosen), _spoken(now, chosen), alpha=level)
    notes = _notes(reference, current, others, moving)
    lost = _only(reference, current)
    return _result(table, words, chosen, alpha, parts=parts, lost=lost, notes=notes)


def _result(
    table: TabularDrift | None,
    words: TextDrift | None,
    chosen: str | None,
    alpha: float,
    *,
    parts: int,
    lost: tuple[str, ...],
    notes: tuple[str, ...],
) -> Compared:
    found = [one for one in (table, words) if one is not None]
    p_value = min(1.0, parts * min(one.p_value for one in found))
    return Compared(
        drifted=p_value <= alpha,
        p_value=p_value,
        alpha=alpha,
        score=max(one.score for one in found),
        table=table,
        texts=words,
        text_column=chosen,
        lost=lost,
        notes=notes,
    )


def _sampled(frame: pd.DataFrame) -> pd.DataFrame:
    """Draw rows of a larger file at random; the same file gives the same rows."""
    if len(frame) <= MOST_ROWS:
        return frame
    places = np.random.default_rng(0).choice(len(frame), MOST_ROWS, replace=False)
    return frame.iloc[np.sort(places)].reset_index(drop=True)


def _moves_on(
    name: str, kinds: list[dict[str, str]], before: pd.DataFrame, now: pd.DataFrame
) -> bool:
    """Say whether a column always changes: a date, or the number of a row."""
    if "ignore" in (kinds[0][name], kinds[1][name]):
        return True
    numbered = name.lower() == "id" or name.lower().endswith("_id")
    return numbered and bool(before[name].is_unique and now[name].is_unique)


def _chosen(
    texts: list[str], shared: list[str], wanted: str | None, frame: pd.DataFrame
) -> str | None:
    if wanted is not None:
        if wanted not in shared:
            raise InvalidInputError(
                f"There is no column {wanted[:80]!r} in both files; they share "
                f"{', '.join(shared[:10])}."
            )
        return wanted
    lengths = {name: float(frame[name].astype(str).str.len().median()) for name in texts}
    return max(lengths, key=lengths.__getitem__, default=None)


def _spoken(frame: pd.DataFrame, column: str) -> list[str]:
    return [str(one) for one in frame[column].dropna()]


def _only(own: pd.DataFrame, other: pd.DataFrame) -> tuple[str, ...]:
    return tuple(str(name) for name in own.columns if name not in set(other.columns))


def _listed(words: str, names: tuple[str, ...]) -> str:
    return f"{words} columns, not compared: {', '.join(names[:20])}."


def _notes(
    before: pd.DataFrame, now: pd.DataFrame, both: list[str], moving: list[str]
) -> tuple[str, ...]:
    """Say which columns were left out, and what was drawn."""
    told = []
    if moving:
        told.append(f"Dates and numbers of rows, not compared: {', '.join(moving[:20])}.")
    if new := _only(now, before):
        told.append(_listed("New", new))
    for frame, name in ((before, "reference"), (now, "current")):
        if len(frame) > MOST_ROWS:
            told.append(f"Of the {name}'s {len(frame):,} rows {MOST_ROWS:,} were drawn.")
    if len(both) > MOST_COLUMNS:
        told.append(f"The first {MOST_COLUMNS} of {len(both)} columns were compared.")
    return tuple(told)
