"""Reading a file of the prediction log from where it was left, also past damage."""

import os
from dataclasses import dataclass

from core.serving.frames import DamagedError, Record, complete, frames, resume

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """What comes next: records, or bytes that hold none; neither where nothing more is there."""

    records: list[Record]
    end: int
    damage: bytes = b""


def read(file: int, offset: int, *, ended: bool, most: int | None = None) -> Batch:
    """Return at most `most` complete records behind `offset`, or else the damage that lies there.

    `ended` says that nobody writes the file any more. A torn last frame is neither: its writer
    was killed before it answered.
    """
    size = CHUNK_BYTES
    while True:
        data = os.pread(file, size, offset)
        records, end, damaged = _parse(data, most)
        if records:
            return Batch(records, offset + end)
        if damaged or len(data) < size:
            return _damage(file, offset, damaged=damaged, ended=ended)
        size *= 4  # one record is larger than the chunk


def _parse(data: bytes, most: int | None) -> tuple[list[Record], int, bool]:
    records: list[Record] = []
    end = 0
    try:
        for record, place in frames(data):
            records.append(record)
            end = place
            if len(records) == most:
                break
    except DamagedError:
        return records, end, True
    return records, end, False


def _damage(file: int, offset: int, *, damaged: bool, ended: bool) -> Batch:
    """Return what lies before the next whole frame; in a file that goes on, it may yet come."""
    if not damaged and not ended:
        return Batch([], offset)
    rest = os.pread(file, os.fstat(file).st_size - offset, offset)
    place = resume(rest)
    if place is None and ended and (damaged or complete(rest)):
        place = len(rest)
    return Batch([], offset + (place or 0), rest[: place or 0])
