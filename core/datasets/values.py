"""One spelling for each value: a category is the same from CSV, Parquet or JSON."""

import math
import re
import unicodedata

LARGEST = 1e30
"""A number beyond this is refused: its square, and its ratio to a small one, must stay finite."""

_WHOLE = re.compile(r"-?\d+\.0+")


def category(value: object) -> str | None:
    """Return the spelling of a category or label; None where it is missing.

    >>> category(1.0), category("1.0"), category(1), category(True), category(" a "), category("")
    ('1', '1', '1', 'true', 'a', None)
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip().replace("\x00", "")
        return (text.split(".")[0] if _WHOLE.fullmatch(text) else text) or None
    if isinstance(value, bool) or type(value).__name__ == "bool":  # numpy has a bool of its own
        return str(bool(value)).lower()
    if isinstance(value, int | float):
        return _number(float(value))
    text = str(value)
    return None if text in ("NaT", "<NA>", "nan") else category(text)


def _number(value: float) -> str | None:
    if math.isnan(value):
        return None
    return str(int(value)) if value.is_integer() else repr(value)


def normalised(text: str) -> str:
    """Return a message freed of case, spacing and compatibility forms, to find its duplicates.

    >>> normalised("WIN   a prize ") == normalised("win a Prize")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
