"""What the head of a prediction says, and a head that is known because it came before.

A client that keeps a connection sends the same head again and again; only the length of the body
differs. What was parsed of the first is true of the next ones, byte for byte.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

SMALL_BYTES = 16 << 10
_HEAD_BYTES = 4 << 10  # of a head that a connection keeps in mind
_LONGEST = len(str(SMALL_BYTES))
_START = b"POST /predict HTTP/1.1\r\n"
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)(?=\r\n)", re.IGNORECASE)
_KINDS = frozenset({b"application/json", b"application/json; charset=utf-8"})


class Head(Struct, frozen=True):
    """What counts of the headers of a prediction."""

    key: str | None
    bearer: str | None
    name: bytes | None  # the request's, as the client wrote it
    plain: bool  # the body is JSON, and nothing is odd about it


class Known(Struct, frozen=True):
    """A head that came before on this connection: its bytes around the length of the body."""

    head: Head
    before: bytes
    after: bytes

    def body_of(self, data: bytes) -> bytes | None:
        """Return the body where `data` is this head and a whole body, and nothing else.

        >>> known = Known(Head(None, None, None, True), b"POST ... Content-Length: ", _END)
        >>> known.body_of(b"POST ... Content-Length: 2" + _END + b"{}")
        b'{}'
        >>> known.body_of(b"POST ... Content-Length: 3" + _END + b"{}")
        """
        if not data.startswith(self.before):
            return None
        start = len(self.before)
        end = data.find(self.after, start, start + _LONGEST + len(self.after))
        length = data[start:end] if end > 0 else b""
        if not length.isdigit():
            return None
        body = data[end + len(self.after) :]
        return body if int(length) == len(body) <= SMALL_BYTES else None


def read(headers: Mapping[bytes, bytes]) -> Head:
    """Return what counts of headers by lower-case name."""
    kind = headers.get(b"content-type")
    return Head(
        key=_text(headers.get(b"x-api-key")),
        bearer=_text(headers.get(b"authorization")),
        name=headers.get(b"x-request-id"),
        plain=kind in _KINDS and b"content-encoding" not in headers,
    )


def known(head: Head, data: bytes, *, lines: int) -> Known | None:
    """Return how to know a head again, where `data` is that head with its body and nothing else.

    `lines` is how many headers the parser found. None: it is too long, came in parts, or is not as
    plain as it could be; then each one is parsed.
    """
    if not data.startswith(_START):
        return None
    end = data.find(_END, 0, _HEAD_BYTES) + len(_END)
    lengths = list(_LENGTH.finditer(data, 0, end))
    if len(lengths) != 1 or data.count(b"\r\n", 0, end) != lines + 2:
        return None
    first, last = lengths[0].span(1)
    if int(lengths[0][1]) != len(data) - end:
        return None
    return Known(head, data[:first], data[last:end])


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
