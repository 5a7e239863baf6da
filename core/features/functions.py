"""Functions that a feature may name: one column in, one number or text out.

To add one, write a function of one text or number and register it; a function that is changed
after a model was trained on it gets a new name, for a definition keeps the name only.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.errors import InvalidInputError
from core.features.expressions import Kind, Value

Gives = Literal["numeric", "category"]

REGISTERED: dict[str, "Function"] = {}
_URL = re.compile(r"https?://\S|www\.\S|\b[a-z0-9-]+\.(?:com|net|org|co|info|biz|io)\b", re.I)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Function:
    """A registered function: what it reads and yields, in a line, and the function itself."""

    name: str
    takes: Kind
    gives: Gives
    words: str
    call: Callable[..., Value]


def registered(
    *, takes: Kind, gives: Gives
) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Add a function under its own name; it gets no missing value and may answer with one."""

    def add(call: Callable[..., Value]) -> Callable[..., Value]:
        words = (call.__doc__ or "").strip().split("\n")[0]
        REGISTERED[call.__name__] = Function(call.__name__, takes, gives, words, call)
        return call

    return add


def find(name: str) -> Function:
    """Return a registered function. Raises: InvalidInputError."""
    if function := REGISTERED.get(name):
        return function
    known = ", ".join(sorted(REGISTERED))
    raise InvalidInputError(f"There is no function {name[:60]}; there are {known}.")


@registered(takes="text", gives="numeric")
def text_length(text: str) -> float:
    """Count the characters of a text."""
    return float(len(text))


@registered(takes="text", gives="numeric")
def word_count(text: str) -> float:
    """Count the words of a text, as blanks part them."""
    return float(len(text.split()))


@registered(takes="text", gives="numeric")
def digit_share(text: str) -> float | None:
    """Divide the digits of a text by its characters."""
    return sum(mark.isdigit() for mark in text) / len(text) if text else None


@registered(takes="text", gives="numeric")
def upper_share(text: str) -> float | None:
    """Divide the capital letters of a text by its letters.

    >>> upper_share("WIN now"), upper_share("123")
    (0.5, None)
    """
    letters = sum(mark.isalpha() for mark in text)
    return sum(mark.isupper() for mark in text) / letters if letters else None


@registered(takes="text", gives="numeric")
def has_url(text: str) -> float:
    """Say 1 where a text names a web address, else 0."""
    return 1.0 if _URL.search(text) else 0.0


@registered(takes="text", gives="category")
def email_domain(text: str) -> str | None:
    """Return what stands behind the last @ of a mail address, in small letters."""
    _name, at, domain = text.rpartition("@")
    return domain.strip().lower() or None if at else None


@registered(takes="text", gives="category")
def day_of_week(text: str) -> str | None:
    """Name the weekday of a date like 2030-01-31, with or without a time.

    >>> day_of_week("2030-01-01T23:59"), day_of_week("soon")
    ('tuesday', None)
    """
    at = _moment(text)
    return _DAYS[at.weekday()] if at else None


@registered(takes="text", gives="numeric")
def hour_of_day(text: str) -> float | None:
    """Return the hour, 0 to 23, of a date with a time, as it is written there."""
    at = _moment(text)
    return float(at.hour) if at else None


@registered(takes="number", gives="numeric")
def sign(number: float) -> float:
    """Say 1 above zero, -1 below, else 0."""
    return float((number > 0) - (number < 0))


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None
