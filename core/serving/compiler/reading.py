"""How fitted objects are read: by the name of their type, so that none has to be imported."""

from typing import Any


class NoPlan(Exception):
    """Why a pipeline cannot be compiled; scikit-learn serves it then."""


def kind(thing: Any) -> str:  # noqa: ANN401
    """Return the name of a fitted object's type."""
    return type(thing).__name__


def need(condition: bool, why: str) -> None:
    """Raise `NoPlan` unless the condition holds."""
    if not condition:
        raise NoPlan(why)
