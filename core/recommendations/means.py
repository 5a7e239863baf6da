"""Whether what is set up here could carry a kind of proposal out at all."""

from collections.abc import Callable, Mapping

from sqlalchemy.orm import Session

from core import outbox
from core.db import settings_of
from core.errors import ConflictError
from core.recommendations import scaling

NO_CHANNEL = "no channel is set up, so nobody would hear it: set Slack, email or the webhook"


def check_means(session: Session, kind: str) -> None:
    """Raise `ConflictError` where nothing is set up that could carry `kind` out."""
    if kind in _NEEDS:
        _NEEDS[kind](session)


def has_means(session: Session, kind: str) -> bool:
    """Say whether `kind` could be carried out, as this process is set up."""
    try:
        check_means(session, kind)
    except ConflictError:
        return False
    return True


def _a_channel(session: Session) -> None:
    if not outbox.channels(settings_of(session)):
        raise ConflictError(NO_CHANNEL)


_NEEDS: Mapping[str, Callable[[Session], None]] = {
    "notify": _a_channel,
    "scale": scaling.check_set_up,
}
