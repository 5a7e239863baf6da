"""Which version answers whom: 1,000 ordered buckets per release, filled by a salted hash.

The arms of a release cover the buckets in their order, the control first. A user stays in one
bucket as long as the salt stays, so a pure change of weights moves only the users between the old
and the new boundary.
"""

from collections.abc import Sequence
from hashlib import blake2b

from core.releases import BUCKETS, Arm


def bucket(salt: str, subject: str) -> int:
    """Return the bucket (0 to 999) of a user or a request.

    >>> bucket("salt", "ana") == bucket("salt", "ana")
    True
    """
    digest = blake2b(f"{salt}\x1f{subject}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % BUCKETS


def choose(arms: Sequence[Arm], salt: str, subject: str) -> Arm:
    """Return the arm that answers `subject`; arms without weight never do.

    >>> choose([Arm("1.0.0", "control", 0), Arm("2.0.0", "treatment", 1000)], "s", "ana").version
    '2.0.0'
    """
    if arms[0].weight == BUCKETS:
        return arms[0]
    place = bucket(salt, subject)
    for arm in arms:
        place -= arm.weight
        if place < 0:
            return arm
    raise ValueError("the weights of a release add up to 1,000 buckets")


def shadows(arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms that answer everything for the log and nothing for a client."""
    return [arm for arm in arms if arm.variant == "shadow"]
