"""What a conversation used: as its server says, or estimated where it does not say."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.settings import Settings

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

LOST_ANSWER = 1_000
"""Tokens that an answer is taken to have had which never arrived whole."""
MOST = 10_000_000
"""A server that claims more in one conversation is wrong, or lies."""
A_MILLION = 1_000_000


def used(
    messages: "Sequence[BaseMessage]", *, spoken: str, sent: int, settings: Settings
) -> tuple[int, float]:
    """Return (tokens, cost) of a conversation of `sent` requests, each about `spoken` and before.

    `spoken` is what every request carries beside the messages: instructions and tools.
    """
    given = taken = known = 0
    for index, message in enumerate(messages):
        if message.type == "ai":
            asked, said = _said(message) or (_count(messages[:index], spoken), _count([message]))
            given, taken, known = given + asked, taken + said, known + 1
    lost = max(0, sent - known)
    given += lost * _count(messages, spoken)
    taken += lost * LOST_ANSWER
    given, taken = min(given, MOST), min(taken, MOST)
    cost = given * settings.openai_input_price + taken * settings.openai_output_price
    return given + taken, cost / A_MILLION


def _said(message: "BaseMessage") -> tuple[int, int] | None:
    """Return what the server says it used for an answer; None where that cannot be."""
    usage = getattr(message, "usage_metadata", None) or {}
    asked, said = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
    sound = isinstance(asked, int) and isinstance(said, int) and asked > 0 and said >= 0
    return (asked, said) if sound else None


def _count(messages: "Sequence[BaseMessage]", spoken: str = "") -> int:
    """Estimate tokens without a network: about four characters each."""
    from langchain_core.messages.utils import count_tokens_approximately

    told = [message.model_copy(update={"content": _flat(message.content)}) for message in messages]
    return count_tokens_approximately(told) + len(spoken) // 4


def _flat(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content, default=str)
