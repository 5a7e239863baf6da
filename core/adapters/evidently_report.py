"""Evidently's full drift report as one HTML file that needs no network, neither to make nor read.

Its verdicts are Evidently's own and are not calibrated to our false-alarm budget: the report is for
looking into a drift, not for deciding that there is one.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import InvalidInputError, reason

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)
_HEAD = "<head>"


def render(
    reference: pd.DataFrame, current: pd.DataFrame, *, text_column: str | None, path: Path
) -> Path:
    """Write the report that compares `current` with `reference` to `path`, whole or not at all.

    A text is described by its length, words and signs, since Evidently's text drift trains a
    classifier and its other descriptors download word lists.
    Raises: InvalidInputError (an empty window, no column in common, no such text column, values
    that Evidently cannot describe).
    """
    frames = [reference, current]
    if text_column is not None:
        frames = [described(frame, text_column) for frame in frames]
    shared = [name for name in frames[0].columns if name in frames[1].columns]
    if not shared or min(len(frame) for frame in frames) == 0:
        raise InvalidInputError("a report needs rows on both sides and a column in common")
    before, now = _same_types(frames[0][shared], frames[1][shared])
    try:
        html = _html(before, now)
    except Exception as problem:  # whatever breaks in there, the person who waits is told
        raise InvalidInputError(
            f"Evidently cannot describe this window: {reason(problem)}"
        ) from problem
    _write(path, _shut_in(html))
    return path


def described(frame: pd.DataFrame, text_column: str) -> pd.DataFrame:
    """Return one column per measurable trait of the texts, none of which needs a model.

    >>> traits = described(pd.DataFrame({"text": ["WIN a £5 prize now! http://x.yz"]}), "text")
    >>> traits[["words", "digits", "exclamations", "links"]].to_numpy().tolist()
    [[6, 1, 1, 1]]
    """
    if text_column not in frame:
        raise InvalidInputError(f"there is no column {text_column} to describe")
    texts = frame[text_column].fillna("").astype(str)
    characters = texts.str.len()
    return pd.DataFrame(
        {
            "characters": characters,
            "words": texts.str.count(r"\S+"),
            "digits": texts.str.count(r"\d"),
            "capital_share": texts.str.count("[A-Z]") / characters.clip(lower=1),
            "exclamations": texts.str.count("!"),
            "links": texts.str.count(r"(?i)https?://|www\."),
        }
    )


def _same_types(
    reference: pd.DataFrame, current: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A column is numeric where the reference is; everything else is compared as words."""
    before, now = {}, {}
    for name in reference.columns:
        if pd.api.types.is_numeric_dtype(reference[name]):
            before[name] = reference[name].astype("float64")
            now[name] = pd.to_numeric(current[name], errors="coerce").astype("float64")
        else:
            before[name], now[name] = (
                frame[name].map(str, na_action="ignore").astype(object)
                for frame in (reference, current)
            )
    return pd.DataFrame(before), pd.DataFrame(now)


def _html(reference: pd.DataFrame, current: pd.DataFrame) -> str:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    numeric = [name for name in reference if pd.api.types.is_numeric_dtype(reference[name])]
    rest = [name for name in reference if name not in numeric]
    columns = DataDefinition(numerical_columns=numeric, categorical_columns=rest)
    before, now = (
        Dataset.from_pandas(frame, data_definition=columns) for frame in (reference, current)
    )
    snapshot: Any = Report([DataDriftPreset()]).run(current_data=now, reference_data=before)
    return str(snapshot.get_html_str(as_iframe=False))


def _shut_in(html: str) -> str:
    """Forbid the page to load anything: what it shows, it must bring along."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    if _HEAD not in html:
        return f"<html><head>{policy}</head><body>{html}</body></html>"
    return html.replace(_HEAD, f"{_HEAD}{policy}", 1)


def _write(path: Path, html: str) -> None:
    """Put the file in place at once, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(html)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
