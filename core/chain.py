"""The audit trail's hash chain: each row's MAC covers its content and the MAC before it."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

GENESIS = "0" * 64


def canonical(content: Mapping[str, Any]) -> bytes:
    """Return the one spelling of `content` that the MAC covers.

    >>> canonical({"b": 1, "a": "x"})
    b'{"a":"x","b":1}'
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def link(key: bytes, previous: str, content: Mapping[str, Any]) -> str:
    """Return the MAC (HMAC-SHA-256, 64 hex digits) of a row that follows `previous`."""
    return hmac.new(key, previous.encode() + canonical(content), hashlib.sha256).hexdigest()


def first_break(key: bytes, rows: Iterable[tuple[int, Mapping[str, Any], str]]) -> int | None:
    """Return the first sequence number at which the chain does not hold, or None.

    `rows` are ``(seq, content, mac)`` in ascending order and must start at 1 without gaps.

    >>> first = link(b"k", GENESIS, {"a": 1})
    >>> first_break(b"k", [(1, {"a": 1}, first)]) is None
    True
    >>> first_break(b"k", [(1, {"a": 2}, first)])
    1
    """
    previous, expected = GENESIS, 1
    for seq, content, mac in rows:
        if seq != expected or not hmac.compare_digest(mac, link(key, previous, content)):
            return min(seq, expected)
        previous, expected = mac, seq + 1
    return None
