"""How records of the prediction log lie on disk: length, CRC-32, JSON."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

Record = Mapping[str, Any]
_HEAD = struct.Struct("<II")


class DamagedError(Exception):
    """A complete frame whose checksum is wrong: the disk changed it."""


def frame(record: Record | bytes) -> bytes:
    """Return a record, or its JSON, as it lies on disk."""
    payload = record if isinstance(record, bytes) else orjson.dumps(record)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def frames(data: bytes) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield (record, end of its frame) from the start of `data` to the last complete frame.

    Raises: DamagedError, after everything before the damage.

    >>> whole = frame({"a": 1})
    >>> list(frames(whole + whole[:-1])) == [({"a": 1}, len(whole))]
    True
    """
    head, parse, checked, size = _HEAD.unpack_from, orjson.loads, zlib.crc32, len(data)
    place, start = 0, _HEAD.size
    while start <= size:
        length, checksum = head(data, place)
        end = start + length
        if end > size:
            return
        payload = data[start:end]
        if not length or checked(payload) != checksum:
            raise DamagedError(f"a frame of the prediction log is damaged at byte {place}")
        yield parse(payload), end
        place, start = end, end + _HEAD.size


def resume(data: bytes) -> int | None:
    """Return where the first whole frame behind damage at the start of `data` begins.

    >>> resume(b"damage" + frame({"a": 1})), resume(b"damage {")
    (6, None)
    """
    start = data.find(b"{", _HEAD.size + 1)
    while start >= 0:
        length, checksum = _HEAD.unpack_from(data, start - _HEAD.size)
        end = start + length
        if length and end <= len(data) and zlib.crc32(data[start:end]) == checksum:
            return start - _HEAD.size
        start = data.find(b"{", start + 1)
    return None


def complete(data: bytes) -> bool:
    """Say whether `data` is one frame of which only the length was changed: it is not torn.

    >>> changed = b"!" + frame({"a": 1})[1:]
    >>> complete(changed), complete(changed[:-1])
    (True, False)
    """
    if len(data) <= _HEAD.size:
        return False
    return bool(zlib.crc32(data[_HEAD.size :]) == _HEAD.unpack_from(data)[1])
