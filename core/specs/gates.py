"""The gate of a model as a proposal carries it, and another one put into the text of its spec."""

import re
from collections.abc import Mapping
from typing import get_args

import yaml
from pydantic import ValidationError

from core.errors import InvalidInputError
from core.specs.document import Gate, parse, sentence

OFF = "off"
"""Stands for a bound that is not set."""

NAMES = tuple(Gate.model_fields)
RULES: tuple[str, ...] = get_args(Gate.model_fields["rule"].annotation)
_BLOCK = re.compile(r"^gate:.*\n(?:[ \t]+\S.*\n|[ \t]*\n(?=[ \t]+\S))*", re.MULTILINE)


def words(gate: Gate) -> dict[str, str]:
    """Return a gate as the arguments of a proposal.

    >>> words(Gate())["margin"], words(Gate())["auto_deploy_threshold"]
    ('0.01', 'off')
    """
    return {name: OFF if value is None else str(value) for name, value in gate}


def of(arguments: Mapping[str, str]) -> Gate:
    """Return the gate that such words describe; one that is not named is as it is by default.

    Raises: InvalidInputError (no such name, a value cannot be).

    >>> of({"floor": "0.9"}).floor
    0.9
    """
    if unknown := sorted(set(arguments) - set(NAMES)):
        raise InvalidInputError(f"a gate has no {unknown[0][:40]}; it has {', '.join(NAMES)}")
    given = {name: None if value == OFF else value for name, value in arguments.items()}
    try:
        return Gate.model_validate(given)
    except ValidationError as error:
        raise InvalidInputError(sentence(error, "gate")) from error


def altered(gate: Gate, changes: Mapping[str, str]) -> Gate:
    """Return a gate with some values changed. Raises: InvalidInputError (nothing would change)."""
    after = of(words(gate) | dict(changes))
    if after == gate:
        raise InvalidInputError("nothing would change: the gate is that already")
    return after


def changes(before: Gate, after: Gate) -> list[tuple[str, str, str]]:
    """Return what differs between two gates: (name in words, before, after).

    >>> changes(Gate(), Gate(min_slice=100))
    [('min slice', '300', '100')]
    """
    old, new = words(before), words(after)
    return [
        (name.replace("_", " "), old[name], new[name]) for name in NAMES if old[name] != new[name]
    ]


def rewritten(text: str, gate: Gate) -> str:
    """Return the text of a spec with another gate and nothing else changed.

    Comments stay where the gate is a block of its own, as in the specs that are shipped.
    """
    wanted = parse(text).model_copy(update={"gate": gate})
    line = f"gate: {yaml.safe_dump(_plain(gate), default_flow_style=True, width=1000)}"
    own = text.rstrip("\n") + "\n"
    placed = _BLOCK.sub(lambda _: line, own, count=1) if _BLOCK.search(own) else own + line
    if _says(placed, wanted):
        return placed
    return yaml.safe_dump(yaml.safe_load(text) | {"gate": _plain(gate)}, sort_keys=False)


def _plain(gate: Gate) -> dict[str, object]:
    return gate.model_dump(exclude_none=True)


def _says(text: str, wanted: object) -> bool:
    try:
        return parse(text) == wanted
    except InvalidInputError:
        return False
