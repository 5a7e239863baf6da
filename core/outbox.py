"""Messages on their way out: written in the transaction of what they report, sent afterwards."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import Actor
from core.db import Command, Database
from core.errors import NotFoundError, PilothouseError
from core.ids import new_id
from core.settings import Settings
from core.tables.operational import Delivery

log = logging.getLogger("outbox")
MAX_ATTEMPTS = 8
Sender = Callable[[Delivery], None]
"""Sends one message or raises `PilothouseError` with the reason."""


def channels(settings: Settings) -> list[str]:
    """Return the channels that are set up: slack, email, webhook."""
    known = {
        "slack": settings.slack_webhook_url,
        "email": settings.smtp_host and (settings.alert_email_to or settings.alert_email),
        "webhook": settings.monitoring_webhook_url,
    }
    return [name for name, value in known.items() if value and _given(value)]


def _given(value: str | SecretStr) -> bool:
    return bool(value if isinstance(value, str) else value.get_secret_value())


def post(command: Command, channels: list[str], subject: str, **payload: Any) -> None:  # noqa: ANN401
    """Leave a message for each channel, inside the command's transaction."""
    for channel in channels:
        command.session.add(
            Delivery(
                id=new_id(command.now),
                channel=channel,
                subject=subject,
                payload=payload,
                state="pending",
                next_at=command.now,
                created_at=command.now,
            )
        )


def send_due(db: Database, senders: Mapping[str, Sender], *, limit: int = 20) -> int:
    """Send what is due, each at least once; returns how many went out.

    A message that fails waits 2, 4, 8 … seconds (at most 10 minutes); after 8 attempts it is
    `dead`: it stays visible and can be sent again by hand.
    """
    sent = 0
    for _ in range(limit):
        with db.keep() as session:
            query = select(Delivery).where(
                Delivery.state == "pending",
                Delivery.next_at <= db.clock(),
                Delivery.channel.in_(list(senders)),
            )
            query = query.order_by(Delivery.next_at).limit(1).with_for_update(skip_locked=True)
            delivery = session.scalars(query).first()
            if delivery is None:
                return sent
            delivery.attempts += 1
            delivery.next_at = db.clock() + _pause(
                delivery.attempts
            )  # a crash while sending waits too
        sent += _send(db, senders[delivery.channel], delivery)
    return sent


def _send(db: Database, sender: Sender, delivery: Delivery) -> bool:
    try:
        sender(delivery)
        error = None
    except PilothouseError as problem:
        error = str(problem)
    except Exception as fault:  # one sender's fault must not keep the other messages back
        log.exception("sending by %s broke", delivery.channel)
        error = f"an unexpected fault: {type(fault).__name__}"
    with db.keep() as session:
        row = session.get_one(Delivery, delivery.id)
        row.last_error = error
        if error is None:
            row.state, row.sent_at = "sent", db.clock()
        elif row.attempts >= MAX_ATTEMPTS:
            row.state = "dead"
    return error is None


def _pause(attempts: int) -> timedelta:
    return timedelta(seconds=min(600, 2**attempts))


def resend(db: Database, actor: Actor, delivery_id: str) -> None:
    """Put a dead message back into the queue. Raises: NotFoundError, ForbiddenError."""
    with db.command(actor, "delivery.resend") as command:
        row = command.session.get(Delivery, delivery_id)
        if row is None:
            raise NotFoundError(f"there is no message {delivery_id}")
        row.state, row.attempts, row.next_at = "pending", 0, command.now
        command.note(delivery=delivery_id, channel=row.channel)


def recent(session: Session, *, limit: int = 50) -> list[Delivery]:
    """Return the newest messages, newest first."""
    return list(session.scalars(select(Delivery).order_by(Delivery.id.desc()).limit(limit)))
