"""What a page may ask for: the panel and the signed-in person."""

from typing import Any

import streamlit as st

from core import logs
from core.access import Actor, may
from core.errors import ForbiddenError, InvalidInputError, UnauthenticatedError
from core.panel import Panel, build
from core.settings import Settings

ACTOR = "actor_of_this_run"


class NoAccessError(ForbiddenError):
    """The person may not open this page."""


@st.cache_resource(show_spinner=False)
def panel() -> Panel:
    """Return the one panel of this process. Raises: InvalidInputError (a bad setting)."""
    settings = _settings()
    logs.start("panel", settings)
    return build(settings)


def _settings() -> Settings:
    try:
        return Settings()
    except ValueError as error:
        problems: list[dict[str, Any]] = getattr(error, "errors", list)() or [{}]
        name = ".".join(str(part) for part in problems[0].get("loc", ("a setting",)))
        why = problems[0].get("msg", "look at the settings")
        raise InvalidInputError(f"{name} cannot be used: {why}") from None


def actor(action: str | None = None) -> Actor:
    """Return the signed-in person; with `action`, only somebody who may do it.

    Raises: UnauthenticatedError; NoAccessError.
    """
    person = st.session_state.get(ACTOR)
    if not isinstance(person, Actor):
        raise UnauthenticatedError("Please sign in.")
    if action is not None and not may(person, action):
        raise NoAccessError(f"Your role is {person.role}; this page needs a higher one.")
    return person
