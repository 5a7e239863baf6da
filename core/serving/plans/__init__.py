"""What a version serves with when its pipeline could be compiled: plain data, run without sklearn.

A plan says how each input becomes numbers (`columns`), what is added up (`linear` or `trees`) and
how sums become a probability (`links`). It holds no code: reading one is decoding a message.
"""

import msgspec

from core.errors import InvalidInputError
from core.serving.plans.format import Plan
from core.serving.plans.runner import Runner, runner

__all__ = ["Plan", "Runner", "decode", "encode", "runner"]


def encode(plan: Plan) -> bytes:
    """Spell a plan; the same plan gives the same bytes."""
    return msgspec.msgpack.encode(plan)


def decode(content: bytes) -> Plan:
    """Read what `encode` wrote. Raises: InvalidInputError (it is no plan, or of another shape)."""
    try:
        return msgspec.msgpack.decode(content, type=Plan)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InvalidInputError(f"this is no plan: {error}") from error
