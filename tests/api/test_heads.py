"""A head that came before is known again byte for byte, and nothing else is."""

import pytest

from api import heads
from api.heads import SMALL_BYTES

LINES = ("Host: x", "X-API-Key: k", "Content-Length: {}", "Content-Type: application/json")


def whole(body=b"{}", *, length=None, lines=LINES, start="POST /predict HTTP/1.1"):
    said = "\r\n".join([start, *lines, "", ""]).format(len(body) if length is None else length)
    return said.encode() + body


def learned(data, *, lines=4):
    return heads.known(heads.read({b"x-api-key": b"k"}), data, lines=lines)


@pytest.mark.parametrize("order", [LINES, LINES[:2] + LINES[3:] + LINES[2:3]])
def test_the_same_head_before_another_body_is_known(order):
    known = learned(whole(lines=order))
    assert known.body_of(whole(b'{"message": "hello"}', lines=order)) == b'{"message": "hello"}'


@pytest.mark.parametrize(
    "other",
    [
        whole(length=3), whole(length=1), whole(length="+2"), whole(length=" 2"), whole(length=""),
        whole(length="0x2"), whole(length="2, 2"), whole(length="²"), whole(length="2\r\nA: b"),
        whole() + whole(), whole()[:-1], whole()[1:], b"\r\n" + whole(), b"",
        whole(lines=(*LINES, "Transfer-Encoding: chunked")), whole(start="GET /predict HTTP/1.1"),
        whole(lines=(LINES[0], "X-API-Key: l", *LINES[2:])), whole(b" " * (SMALL_BYTES + 1)),
    ],
)  # fmt: skip
def test_whatever_differs_in_more_than_the_length_is_parsed(other):
    assert learned(whole()).body_of(other) is None


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (whole(), 5),  # the parser saw another head than these bytes
        (whole() + whole(), 4), (whole()[:-1], 4), (b"rest of a body" + whole(), 4),
        (whole(start="POST /predict?a=b HTTP/1.1"), 4), (b"", 0),
        (whole(lines=(*LINES, "A: b")), 4), (whole(lines=(*LINES, "Content-Length: 2")), 5),
        (whole(lines=(*LINES, "A: " + "b" * 5000)), 5),
    ],
)  # fmt: skip
def test_only_one_whole_plain_request_teaches_a_head(data, lines):
    assert learned(data, lines=lines) is None
