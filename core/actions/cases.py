"""What an effect and an inverse are given, and what they return."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core import outbox, releases
from core.db import Command
from core.settings import Settings
from core.tables.base import Json
from core.tables.entities import ActionRow, Recommendation, Release


@dataclass(frozen=True)
class Case:
    """One approved action that is carried out now, in `command`."""

    command: Command
    action: ActionRow
    row: Recommendation
    settings: Settings

    @property
    def session(self) -> Session:
        """The transaction that the effect is part of."""
        return self.command.session

    @property
    def model(self) -> str:
        """The model it is about, or "*" for all."""
        return self.action.model

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What was approved, as strings by name."""
        return self.action.arguments

    def note_before(self, **values: Any) -> None:  # noqa: ANN401
        """Keep with the action what was before it, beside what served."""
        self.action.before = {**self.action.before, **values}

    @property
    def channels(self) -> list[str]:
        """Where people are told."""
        return outbox.channels(self.settings)


def _fits(_case: Case) -> None:
    """Nothing more than every action's own checks."""


@dataclass(frozen=True)
class Effect:
    """What a kind of action does: `do` returns (after, inverse), `check` raises before it.

    `after` is kept with the action and shown; `inverse` is ``{kind, arguments}`` with a kind of
    `effects.INVERSES`, or empty where there is no way back (`effects.FINAL` says why).
    """

    do: Callable[[Case], tuple[Json, Json]]
    check: Callable[[Case], None] = _fits


@dataclass(frozen=True)
class Back:
    """One succeeded action that is taken back now, in `command`."""

    command: Command
    action: ActionRow
    reason: str
    channels: Sequence[str]

    @property
    def session(self) -> Session:
        """The transaction that the inverse is part of."""
        return self.command.session

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Those of the inverse, as its effect left them."""
        arguments: Mapping[str, Any] = self.action.inverse["arguments"]
        return arguments


@dataclass(frozen=True)
class Found:
    """One succeeded action as it stands at `now`, to ask whether it could be taken back."""

    session: Session
    action: ActionRow
    now: datetime

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Those of the inverse, as its effect left them."""
        arguments: Mapping[str, Any] = self.action.inverse["arguments"]
        return arguments


Still = Callable[[Found], None]
"""Raises `ConflictError` where events have overtaken an undo, in the words of the undo itself."""

Inverse = Callable[[Back], str]
"""Takes an action back, or proposes it, and says in a sentence what that did."""


def inverse(kind: str, /, **arguments: str) -> Json:
    """Return how an action is taken back, as it is kept with the action."""
    return {"kind": kind, "arguments": arguments}


def serving(release: Release | None) -> Json:
    """Return what serves, as it is kept with an action."""
    if release is None:
        return {"serves": "nothing", "release": 0}
    return {"serves": releases.label(release), "release": release.seq}
