"""Spellings that surely mean the same, and what a misspelt name was probably meant to be."""

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from core.datasets.values import category, normalised

MOST_NAMED = 5


def meant(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be, or None.

    >>> meant("Spam", ["ham", "spam"]), meant("lable", ["label"]), meant("x", ["label"])
    ('spam', 'label', None)
    """
    words = list(known)
    alike = [one for one in words if normalised(one) == normalised(word)]
    close = alike or difflib.get_close_matches(word, words, n=1, cutoff=0.75)
    return close[0] if close else None


def variants(values: Iterable[object]) -> dict[str, str]:
    """Return each rarer spelling with the commonest one that differs in case or spaces only.

    >>> variants(["spam", "Spam", "spam", "ham"])
    {'Spam': 'spam'}
    """
    counted = Counter(word for value in values if (word := category(value)) is not None)
    best: dict[str, str] = {}
    for word, _n in counted.most_common():
        best.setdefault(normalised(word), word)
    return {word: best[normalised(word)] for word in counted if best[normalised(word)] != word}


def towards(values: Iterable[object], labels: Iterable[str]) -> dict[str, str]:
    """Return each value that is a label but for case or spaces, with that label.

    >>> towards(["Spam", "ham", "eggs"], ["ham", "spam"])
    {'Spam': 'spam'}
    """
    known = {normalised(label): label for label in labels}
    words = {word for value in values if (word := category(value)) is not None}
    found = {word: known.get(normalised(word), word) for word in sorted(words)}
    return {word: label for word, label in found.items() if word != label}


def mended(frame: pd.DataFrame, column: str, spellings: Mapping[str, str]) -> pd.DataFrame:
    """Return the frame with the labels of one column spelled as `spellings` says."""
    words: Any = frame[column].astype("object").map(category)
    return frame.assign(**{column: words.map(lambda word: spellings.get(word, word))})


def as_list(words: Iterable[str]) -> str:
    """Return the first few words in a row.

    >>> as_list("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    known = [word[:80] for word in words]
    more = len(known) - MOST_NAMED
    return ", ".join(known[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
