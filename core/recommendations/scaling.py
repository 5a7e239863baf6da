"""Proposals to change the number of replicas: whether it can be done here, and within what."""

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import settings_of
from core.errors import ConflictError, InvalidInputError
from core.settings import Settings
from core.tables.entities import ActionRow

_WHOLE = re.compile(r"[1-9][0-9]{0,3}")


def check(session: Session, replicas: str) -> int:
    """Return how many are asked for.

    Raises: ConflictError (nothing is set up that could do it); InvalidInputError (out of range).
    """
    check_set_up(session)
    settings = settings_of(session)
    if not _WHOLE.fullmatch(replicas) or int(replicas) > settings.scale_most:
        raise InvalidInputError(f"replicas are a whole number from 1 to {settings.scale_most}")
    return int(replicas)


def check_set_up(session: Session) -> None:
    """Raise `ConflictError` where nothing is set up that could scale."""
    if not _is_set_up(settings_of(session)):
        raise ConflictError(
            "scaling is not set up here: an admin sets PILOTHOUSE_SCALE_COMMAND"
            " or PILOTHOUSE_SCALE_WEBHOOK_URL"
        )


def newest(session: Session) -> ActionRow | None:
    """Return the action that set the replicas there are, or None before the first."""
    done = select(ActionRow).filter_by(kind="scale", state="succeeded")
    by_time = ActionRow.finished_at.desc(), ActionRow.id.desc()
    return session.scalars(done.order_by(*by_time).limit(1)).first()


def replicas(session: Session) -> int:
    """Return how many replicas there are as far as we know: as set last, else by the settings."""
    if row := newest(session):
        return int(row.arguments["replicas"])
    return settings_of(session).scale_replicas


def _is_set_up(settings: Settings) -> bool:
    url = settings.scale_webhook_url
    return bool(settings.scale_command or (url and url.get_secret_value()))
