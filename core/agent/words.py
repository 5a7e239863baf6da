"""What a reasoner's sentences may hold: figures that trace to facts, no addresses, no orders."""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from core.agent.facts import FactBook, safe_words

COUNTED = 3
"""Whole numbers up to this may be counted rather than read ("two causes")."""
LONGEST = 2000

_MARKS = frozenset(
    "\u2264\u2265\u2260\u2248\u2022\u20ac"
)  # at most, at least, not, about, dot, euro
_SPELLINGS = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | dict.fromkeys("\u2018\u2019", "'")
    | dict.fromkeys("\u201c\u201d", '"')
)
_ADDRESS = re.compile(
    r"://|\bwww\.|@|\blocalhost\b|[a-z0-9-]+\.[a-z]{2,}|\bdot\s+(?:com|net|org|io|ru|cn)\b|"
    r"[`$<>|\\{}~^#]|\]\s*\(|(?<![a-z])/|/(?![a-z])|\w/\w+/|(?:^|\s)--?[a-z]|"
    r"\b(?:sudo|curl|wget|bash|powershell|chmod|kubectl|ssh|rm|sh|eval|exec|drop table)\b",
    re.IGNORECASE,
)
_CLAIM = re.compile(
    r"\b(?:pre-?|already |been |is |was |are |were |automatically |auto-?)approved\b|"
    r"\bapproved by\b|\bapprove (?:this |it )?(?:now|immediately|at once|blindly)\b|"
    r"\bno (?:human |further |need (?:for|of|to) )*(?:review|approval|approve|confirm\w*)\b|"
    r"\bwithout (?:any |a |further |human )*(?:review|approval|looking|reading)\b|"
    r"\b(?:skip|bypass|ignore|disregard|override)\b[^.]{0,40}"
    r"\b(?:review|approval|guard|polic\w+|rules?|instructions?|checks?|verdict)\b|"
    r"\b(?:system|admin\w*|developer|security team|assistant|root)\s*:|"
    r"\bI am (?:the|an?|your) (?:system|admin\w*|operator|developer|policy|guard)\b|"
    r"\bI (?:have |will |just |shall |already )*"
    r"(?:approv|promot|releas|retrain|roll|delet|execut|chang|stopp?)\w*|"
    r"\bon behalf of\b|\bclick (?:here|approve)\b",
    re.IGNORECASE,
)
_NUMBER_WORD = re.compile(  # and money, of which no fact speaks
    r"\b(?:zero|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|"
    r"hundreds?|thousands?|[mb]illions?|trillions?|dozens?|couple|half|halves|halved|quarters?|"
    r"(?:a|one) third|thirds|(?:four|fif|six|seven|eigh|nin|ten|hundred|thousand)ths?|"
    r"twice|thrice|(?:doubl|tripl|quadrupl)(?:e[ds]?|ing)|\w+fold|(?:one|two|three) per\s?cent|"
    r"eur|euros?|usd|dollars?|gbp|pounds?|cents?)\b|[\u20ac\u00a3\u00a5]",
    re.IGNORECASE,
)
_FIGURE = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?"
_UNIT = r"(?:%|ms|s|h|min|d)?"
_TOKEN = re.compile(
    rf"(?:[a-z]{{1,12}}=)?({_FIGURE}){_UNIT}(?:-({_FIGURE}){_UNIT}|-[a-z]+|st|nd|rd|th)?",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(?!x)[a-z]\d{1,2}", re.IGNORECASE)  # F1, p95, V14; not x5
_VERSION = re.compile(r"\d+(?:\.\d+){2,}[\w.-]*")
_PERCENT = re.compile(r"%|per\s?cent|points?|percentage|pp\b", re.IGNORECASE)


@dataclass(frozen=True)
class Known:
    """What may be said: numbers, names and whole phrases; `shown` are figures already on show."""

    numbers: tuple[float, ...]
    phrases: tuple[str, ...]
    shown: frozenset[str]


def known(books: Iterable[FactBook], sentences: Iterable[str] = ()) -> Known:
    """Return what facts and the product's own sentences allow to be said."""
    numbers: list[float] = []
    phrases: set[str] = {normal(sentence) for sentence in sentences}
    shown = {token for sentence in phrases for token in _figures(sentence)}
    for book in books:
        phrases |= {book.model}
        for fact in book:
            numbers += _numbers(fact.value, fact.interval, fact.n)
            shown |= set(_figures(fact.label))
            phrases |= {fact.id, *(_names(fact.value) if fact.citable else ())}
    return Known(tuple(numbers), tuple(phrases - {""}), frozenset(shown))


def normal(text: str) -> str:
    r"""Return text in one spelling: NFKC, one kind of minus and quotes, single spaces.

    >>> normal("score\u00a0\uff10.\uff13 \n\u22121")
    'score 0.3 -1'
    """
    return " ".join(unicodedata.normalize("NFKC", text).translate(_SPELLINGS).split())


def problems(text: str, of: Known) -> Iterator[str]:
    """Say what is wrong with a text that `normal` returned; nothing where it may be shown."""
    if not 0 < len(text) <= LONGEST:
        yield f"its text has {len(text)} characters"
        return
    bare = _without(text, of.phrases)
    if odd := next((char for char in bare if not _plain(char)), None):
        yield f"its text holds a hidden or foreign character (U+{ord(odd):04X})"
    if found := _ADDRESS.search(bare):
        yield f"its text names an address, a file or a command ({_quoted(found)})"
    if found := _CLAIM.search(bare):
        yield f"its text claims what only people decide ({_quoted(found)})"
    if found := _NUMBER_WORD.search(bare):
        yield f"its text writes a number in words ({_quoted(found)})"
    yield from _untraced(bare, of)


def _quoted(found: "re.Match[str]") -> str:
    return f"'{safe_words(found.group().strip())}'"


def _plain(char: str) -> bool:
    """Say whether a character is Latin text or common punctuation: look-alikes are refused."""
    latin = ord(char) < 0x250 and char.isprintable()
    return (latin or char in _MARKS) and (char.isascii() or not char.isnumeric())


def _without(text: str, phrases: Iterable[str]) -> str:
    """Drop whole names and sentences that are known: their digits and dots are no figures."""
    longest_first = sorted(phrases, key=len, reverse=True)
    named = "|".join(re.escape(phrase) for phrase in longest_first)
    return re.sub(rf"(?<![\w.,-])(?:{named})(?![\w-]|[.,]\w)", " ", text) if named else text


def _names(value: object) -> set[str]:
    """Return the names in a fact; digits alone are a figure, no name."""
    if isinstance(value, list):
        return {name for one in value for name in _names(one)}
    if not isinstance(value, str):
        return set()
    parts = {part for part in value.split() if _VERSION.fullmatch(part)}
    whole = normal(value)
    return parts | ({whole} if len(whole) > 1 and any(c.isalpha() for c in whole) else set())


def _numbers(
    value: object, interval: tuple[float, float] | None, n: int | None
) -> tuple[float, ...]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ()
    return (value, *(interval or ()), *(() if n is None else (n,)))


def _figures(text: str) -> list[str]:
    return [token for token, _next in _tokens(text)]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield each word with a digit in it, without the punctuation around it, and what follows."""
    for word, after in pairwise([*text.split(), ""]):
        if any(char.isdigit() for char in word):
            yield word.lstrip("([{'\"=:;,").rstrip(")]}'\".,;:!?"), after


def _untraced(text: str, of: Known) -> Iterator[str]:
    for token, after in _tokens(text):
        if token in of.shown or _NAMED.fullmatch(token):
            continue
        found = _TOKEN.fullmatch(token)
        if _VERSION.fullmatch(token):
            yield f"its text says {safe_words(token)}, which no fact says"
        elif found is None or after[:1].isdigit():  # "9 000 000", "10^9", "1/2", "9M"
            yield f"its text writes {safe_words(token)}, which cannot be checked"
        else:
            percent = "%" in token or bool(_PERCENT.match(after))
            for figure in filter(None, found.groups()):
                if not _traces(figure, of.numbers, percent=percent):
                    yield f"its text says {safe_words(figure)}, which no fact says"


def _traces(text: str, numbers: tuple[float, ...], *, percent: bool) -> bool:
    """Say whether a number is a fact's, in percent where it says so, rounded as it is written.

    >>> _traces("31.2", (0.312,), percent=True), _traces("31.2", (0.312,), percent=False)
    (True, False)
    >>> _traces("-0.3", (0.3,), percent=False), _traces("2", (), percent=False)
    (False, True)
    """
    plain = text.replace(",", "").lower()
    number, sign = abs(float(plain)), text[0] if text[0] in "+-" else ""
    if not math.isfinite(number):
        return False
    if not sign and not percent and plain.isdigit() and number <= COUNTED:
        return True
    decimals = len(plain.split(".")[1]) if "." in plain and "e" not in plain else 0
    slack = number * 0.05 if "e" in plain else 0.5 * 10**-decimals + 1e-9
    scale = 100 if percent else 1
    signed = (n for n in numbers if not sign or (n < 0) == (sign == "-"))
    return any(abs(number - abs(n) * scale) <= slack for n in signed)
