"""Labelled situations: facts, what a careful colleague would decide, and what would do harm.

Two halves: `open` may be read while a policy is written, `held-out` is only for judging it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from core.agent.fact_names import LABELS
from core.agent.facts import FactBook
from core.agent.scenarios import reckoning
from core.agent.verdict import DECISIONS, Act
from core.errors import InvalidInputError
from core.recommendations import kinds
from core.specs.alerts import SEVERITIES

HALVES = {"open": "open.yaml", "held-out": "held_out.yaml"}
MODEL = "scenario"

_FIELDS = {"id", "tags", "words", "facts", "expect", "acceptable", "forbidden"}
_EXPECTED = {"decision", "actions", "severity", "also"}


@dataclass(frozen=True)
class Scenario:
    """One situation. `severity` is the least; `also` may stand beside the expected actions.

    `acceptable` holds decisions, `forbidden` decisions and kinds of action.
    """

    id: str
    half: str
    tags: tuple[str, ...]
    words: str
    facts: Mapping[str, Any]
    decision: str
    actions: tuple[Act, ...]
    severity: str
    also: frozenset[str]
    acceptable: frozenset[str]
    forbidden: frozenset[str]

    def book(self) -> FactBook:
        """Return the facts as an investigation would have gathered them."""
        return FactBook(MODEL, reckoning.facts(self.facts), release_seq=1)


def load(half: str) -> tuple[Scenario, ...]:
    """Return the scenarios of "open", "held-out" or "all". Raises: InvalidInputError."""
    if half == "all":
        return tuple(one for name in HALVES for one in _shipped(name))
    if half not in HALVES:
        raise InvalidInputError(f"'{half[:20]}' is no half; open, held-out and all are")
    return _shipped(half)


@cache
def _shipped(half: str) -> tuple[Scenario, ...]:
    return parse(files(__package__).joinpath(HALVES[half]).read_text("utf-8"), half=half)


def parse(text: str, *, half: str) -> tuple[Scenario, ...]:
    """Read scenarios from YAML. Raises: InvalidInputError (says which scenario, and why)."""
    found: dict[str, Scenario] = {}
    for raw in yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # noqa: S506
        name = str(raw.get("id", "without an id"))
        for problem in _problems(raw, found):
            raise InvalidInputError(f"scenario {name}: {problem}")
        found[name] = _scenario(raw, half)
    return tuple(found.values())


def _scenario(raw: Mapping[str, Any], half: str) -> Scenario:
    expected = raw["expect"]
    actions = expected.get("actions", {})
    return Scenario(
        id=raw["id"],
        half=half,
        tags=tuple(raw["tags"]),
        words=raw["words"],
        facts=raw["facts"],
        decision=expected["decision"],
        actions=tuple(Act(kind, dict(arguments)) for kind, arguments in actions.items()),
        severity=expected.get("severity", SEVERITIES[-1]),
        also=frozenset(expected.get("also", ())),
        acceptable=frozenset(raw["acceptable"]),
        forbidden=frozenset(raw["forbidden"]),
    )


def _problems(raw: Mapping[str, Any], before: Mapping[str, Scenario]) -> Iterator[str]:
    if missing := sorted(_FIELDS ^ set(raw)):
        yield f"'{missing[0]}' is missing or unknown"
        return
    if raw["id"] in before:
        yield "its id is taken"
    if unknown := sorted(set(raw["facts"]) - set(LABELS)):
        yield f"'{unknown[0]}' is no fact"
    yield from _wrong_labels(raw)


def _wrong_labels(raw: Mapping[str, Any]) -> Iterator[str]:
    expected, forbidden = raw["expect"], set(raw["forbidden"])
    actions = expected.get("actions", {})
    if unknown := sorted(set(expected) - _EXPECTED):
        yield f"'{unknown[0]}' cannot be expected"
    decisions = {expected.get("decision"), *raw["acceptable"]}
    if wrong := sorted(str(one) for one in decisions - set(DECISIONS)):
        yield f"'{wrong[0]}' is no decision"
    named = {*actions, *expected.get("also", ()), *forbidden - set(DECISIONS)}
    if wrong := sorted(named - set(kinds.KINDS)):
        yield f"'{wrong[0]}' is no kind of action"
    if expected.get("severity", SEVERITIES[-1]) not in SEVERITIES:
        yield "its severity is none"
    if clash := sorted((decisions | set(actions)) & forbidden):
        yield f"'{clash[0]}' is wanted and forbidden"
