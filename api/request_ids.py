"""The name of one request, in its answer and in every log line that it causes.

A client may choose it, so that its logs and ours say the same; an id that could carry a person's
data (an address with an @, a sentence) or break a line is replaced.
"""

import os
import re
from collections.abc import Iterable, Sequence

from core.logs import request_id

HEADER = b"x-request-id"
_USABLE = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}").fullmatch


def begin(given: bytes | None) -> bytes:
    """Name the request of this task, by the client's id if that is usable, and return the name.

    >>> begin(b"order-17"), request_id.get()
    (b'order-17', b'order-17')
    >>> len(begin(b"ana@example.org")), len(begin(None))
    (16, 16)
    """
    name = given if given and _USABLE(given) else os.urandom(8).hex().encode()
    request_id.set(name)
    return name


def names(given: Sequence[bytes | None]) -> list[bytes]:
    """Return a name for each request, as `begin` does, for those that are no tasks of their own.

    >>> names([b"order-17", b"a b"])[0]
    b'order-17'
    """
    fresh = os.urandom(8 * len(given)).hex().encode()
    return [
        one if one and _USABLE(one) else fresh[at : at + 16]
        for one, at in zip(given, range(0, len(fresh), 16), strict=True)
    ]


def given(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return what the client sent, from the headers of an ASGI scope."""
    for name, value in headers:
        if name == HEADER:
            return value
    return None
