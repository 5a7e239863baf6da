"""A seeded generator of short messages, ham and spam: data without a network or a file.

Templates with nested slots (`phrases`, `campaigns`) are expanded at random and then typed the way
people type: lower case, abbreviations, a typo, an emoji. The same seed gives the same messages.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Literal

from core.datasets import campaigns as spam
from core.datasets import phrases
from core.errors import InvalidInputError

BASE_CAMPAIGNS: tuple[str, ...] = ("prize", "ringtone", "dating", "loan")
NEW_CAMPAIGNS: tuple[str, ...] = ("crypto", "parcel", "tax_refund", "bank_alert")
CAMPAIGNS: tuple[str, ...] = BASE_CAMPAIGNS + NEW_CAMPAIGNS
HAM_KINDS: tuple[str, ...] = tuple(phrases.HAM_WEIGHTS)

FORMAL_KINDS = frozenset({"one_time_code", "reminder"})
HAM_STYLES: Mapping[str, int] = {"plain": 38, "lower": 30, "texter": 28, "shouting": 4}
SPAM_STYLES: Mapping[str, int] = {"plain": 80, "lower": 8, "texter": 8, "shouting": 4}
TYPO_SHARE, EMOJI_SHARE, LONGER_SHARE = 0.06, 0.08, 0.15

_SLOT = re.compile(r"\{([^{}?]+)(\?)?\}")
_RANGE = re.compile(r"(\d+)-(\d+)")
_WORD = re.compile(r"([A-Za-z]+)([,.!?]*)")
_SPACE_BEFORE_STOP = re.compile(r"\s+([,.!?](?:\s|$))")
_LEADING_STOP = re.compile(r"^[\s,.]+")

_Part = tuple[str, str, bool]  # literal text, then a slot ("" for none), and whether it is optional


@dataclass(frozen=True)
class Message:
    """A message, its true label, and the kind of ham or the campaign it was drawn from."""

    text: str
    label: Literal["ham", "spam"]
    kind: str


def messages(
    n: int,
    *,
    seed: int,
    spam_share: float = 0.134,
    campaigns: Sequence[str] = BASE_CAMPAIGNS,
) -> list[Message]:
    """Return `n` messages in random order, `spam_share` of them from `campaigns` in equal parts.

    A fractional number of spam messages is rounded up or down at random, so that the share is
    also right on average over many small batches. The default share is that of the UCI SMS Spam
    Collection (747 of 5,574).

    Raises: InvalidInputError (unknown or no campaign, a share outside 0 to 1, a negative count).

    >>> [message.label for message in messages(4, seed=1, spam_share=0.5)].count("spam")
    2
    >>> messages(50, seed=7) == messages(50, seed=7)
    True
    """
    _check(n, campaigns, spam_share=spam_share)
    rng = Random(seed)  # noqa: S311, messages are no secrets
    drawn = _mix(rng, n, spam_share, campaigns)
    rng.shuffle(drawn)
    return drawn


def drifted(
    n: int, *, seed: int, campaign: str, share: float, spam_share: float = 0.134
) -> list[Message]:
    """Return `n` messages, `share` of them spam from `campaign` and the rest the base mix.

    Raises: InvalidInputError (unknown campaign, a share outside 0 to 1, a negative count).

    >>> drawn = drifted(10, seed=1, campaign="crypto", share=0.3)
    >>> sum(message.kind == "crypto" for message in drawn)
    3
    """
    _check(n, (campaign,), share=share, spam_share=spam_share)
    rng = Random(seed)  # noqa: S311, messages are no secrets
    new = _count(rng, n, share)
    drawn = _mix(rng, n - new, spam_share, BASE_CAMPAIGNS)
    drawn += [_spam(rng, campaign) for _ in range(new)]
    rng.shuffle(drawn)
    return drawn


def _check(n: int, campaigns: Sequence[str], **shares: float) -> None:
    if n < 0:
        raise InvalidInputError(f"The number of messages must be 0 or more, not {n}.")
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise InvalidInputError(f"{name} must lie between 0 and 1, not {share}.")
    unknown = [name for name in campaigns if name not in CAMPAIGNS]
    if unknown or not campaigns:
        named = ", ".join(unknown) or "none"
        raise InvalidInputError(f"Unknown campaign: {named}. Choose from {', '.join(CAMPAIGNS)}.")


def _count(rng: Random, n: int, share: float) -> int:
    """Round `n * share` up or down at random, so that its mean is exact."""
    return min(n, int(round(n * share, 9) + rng.random()))


def _mix(rng: Random, n: int, spam_share: float, campaigns: Sequence[str]) -> list[Message]:
    n_spam = _count(rng, n, spam_share)
    drawn = [_spam(rng, rng.choice(campaigns)) for _ in range(n_spam)]
    kinds = rng.choices(HAM_KINDS, weights=list(phrases.HAM_WEIGHTS.values()), k=n - n_spam)
    return drawn + [_ham(rng, kind) for kind in kinds]


def _ham(rng: Random, kind: str) -> Message:
    text = _expand(rng, kind)
    if kind in FORMAL_KINDS:
        return Message(text, "ham", kind)
    while rng.random() < LONGER_SHARE:
        text = f"{text} {_expand(rng, kind)}"
    return Message(_typed(rng, text, HAM_STYLES), "ham", kind)


def _spam(rng: Random, campaign: str) -> Message:
    return Message(_typed(rng, _expand(rng, campaign), SPAM_STYLES), "spam", campaign)


@lru_cache(maxsize=1)
def _grammar() -> dict[str, list[list[_Part]]]:
    """Parse the phrase tables once: slot → alternatives → parts."""
    tables = (phrases.SHARED, phrases.HAM, spam.SPAM_SHARED, spam.BASE, spam.NEW)
    return {
        slot: [_parse(option) for option in re.split(r"[|\n]", options)]
        for table in tables
        for slot, options in table.items()
    }


def _parse(option: str) -> list[_Part]:
    pieces = _SLOT.split(option.strip())  # literal, slot, "?" or None, literal, slot, ...
    pieces += ["", None]
    return [
        (literal, slot, optional == "?")
        for literal, slot, optional in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True)
    ]


def _expand(rng: Random, slot: str) -> str:
    """Return one random sentence of the grammar that starts with `slot`, tidied."""
    text = " ".join(_fill(rng, slot).split())
    text = _LEADING_STOP.sub("", _SPACE_BEFORE_STOP.sub(r"\1", text))
    return text[:1].upper() + text[1:]


def _fill(rng: Random, slot: str) -> str:
    if bounds := _RANGE.fullmatch(slot):
        return str(rng.randint(int(bounds[1]), int(bounds[2])))
    filled = []
    for literal, inner, optional in rng.choice(_grammar()[slot]):
        filled.append(_digits(rng, literal))
        if inner and not (optional and rng.random() < 0.5):
            filled.append(_fill(rng, inner))
    return "".join(filled)


def _digits(rng: Random, literal: str) -> str:
    if "#" not in literal:
        return literal
    return "".join(str(rng.randrange(10)) if char == "#" else char for char in literal)


def _typed(rng: Random, text: str, styles: Mapping[str, int]) -> str:
    """Return `text` as one of several hands would type it."""
    style = rng.choices(list(styles), weights=list(styles.values()))[0]
    if style == "texter":
        text = " ".join(_abbreviated(rng, token) for token in text.lower().split(" "))
    elif style == "lower":
        text = text.lower()
    elif style == "shouting":
        text = text.upper()
    if rng.random() < TYPO_SHARE:
        text = _with_typo(rng, text)
    return f"{text} {_fill(rng, 'emoji')}" if rng.random() < EMOJI_SHARE else text


def _abbreviated(rng: Random, token: str) -> str:
    word = _WORD.fullmatch(token)
    if word is None or word[1] not in phrases.ABBREVIATIONS or rng.random() < 0.3:
        return token
    return phrases.ABBREVIATIONS[word[1]] + word[2]


def _with_typo(rng: Random, text: str) -> str:
    """Swap two letters of one longer word; addresses and numbers stay what they are."""
    tokens = text.split(" ")
    places = [i for i, token in enumerate(tokens) if len(token) > 3 and token.isalpha()]
    if places:
        word, i = tokens[place := rng.choice(places)], rng.randrange(1, 3)
        tokens[place] = word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    return " ".join(tokens)
