"""From a text to terms and their counts, as scikit-learn's TfidfVectorizer does it."""

import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise

from core.serving.plans.format import Text


def terms_of(column: Text) -> Callable[[str], list[str]]:
    """Return the function that cuts a text into terms of `shortest` to `longest` words."""
    find = re.compile(column.pattern).findall
    lower, plain = column.lowercase, column.strip_accents
    lengths = range(max(2, column.shortest), column.longest + 1)
    single = column.shortest == 1

    def cut(text: str) -> list[str]:
        if lower:
            text = text.lower()
        if plain and not text.isascii():
            text = without_accents(text)
        words = find(text)
        found = list(words) if single else []
        for length in lengths:
            if length == 2:
                found += map(" ".join, pairwise(words))
            else:
                found += (" ".join(words[i : i + length]) for i in range(len(words) - length + 1))
        return found

    return cut


def without_accents(text: str) -> str:
    """Drop combining marks after decomposition.

    >>> without_accents("Café")
    'Cafe'
    """
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark))
