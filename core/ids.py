"""Identifiers: UUIDv7, so that ids sort by the time they were made (RFC 9562, section 5.7)."""

import hashlib
import os
from datetime import datetime

from core.clock import epoch_ms, utc_now

_48_BITS = (1 << 48) - 1
_VARIANT = {f"{digit:x}": f"{digit & 3 | 8:x}" for digit in range(16)}


def new_id(moment: datetime | None = None) -> str:
    """Return a new UUIDv7 as text.

    >>> new_id() < new_id(datetime.fromisoformat("9999-01-01T00:00:00+00:00"))
    True
    """
    return uuid7(epoch_ms(moment or utc_now()), os.urandom(10))


def new_ids(moment: datetime, n: int) -> list[str]:
    """Return `n` new UUIDv7 of one moment, which cost less than one by one.

    >>> one, other = new_ids(datetime.fromisoformat("2030-01-01T00:00:00+00:00"), 2)
    >>> one[:14] == other[:14], one != other
    (True, True)
    """
    milliseconds, randomness = epoch_ms(moment), os.urandom(10 * n)
    return [uuid7(milliseconds, randomness[at : at + 10]) for at in range(0, 10 * n, 10)]


def derived_id(moment: datetime, *parts: str) -> str:
    """Return the UUIDv7 that follows from `moment` and `parts`: same input, same id.

    >>> from datetime import UTC
    >>> noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    >>> derived_id(noon, "key", "request") == derived_id(noon, "key", "request")
    True
    """
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=10).digest()
    return uuid7(epoch_ms(moment), digest)


def uuid7(milliseconds: int, randomness: bytes) -> str:
    """Compose a UUIDv7 from Unix milliseconds (48 bits used) and 10 random bytes.

    >>> uuid7(0x017F22E279B0, bytes.fromhex("0cc3" "18c4dc0c0c07398f"))
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398f'
    """
    time, free = f"{milliseconds & _48_BITS:012x}", randomness.hex()
    return f"{time[:8]}-{time[8:]}-7{free[1:4]}-{_VARIANT[free[4]]}{free[5:8]}-{free[8:]}"
