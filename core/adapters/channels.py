"""Every way of telling people that is set up, and the words that all of them use."""

from collections.abc import Callable

from core import outbox
from core.outbox import Sender
from core.settings import Settings
from core.tables.operational import Delivery

TIMEOUT = 5.0
"""Seconds that a channel may take; a slow one is tried again later."""


def senders(settings: Settings) -> dict[str, Sender]:
    """Return the sender of each channel that is set up."""
    from core.adapters.slack import SlackSender
    from core.adapters.smtp import SmtpSender
    from core.adapters.webhook import WebhookSender

    makers: dict[str, Callable[[Settings], Sender]] = {
        "slack": SlackSender,
        "email": SmtpSender,
        "webhook": WebhookSender,
    }
    return {name: makers[name](settings) for name in outbox.channels(settings)}


def text_of(delivery: Delivery, settings: Settings) -> str:
    """Return the message in plain text: what happened, why, and where to look."""
    payload = delivery.payload
    facts = [
        f"{name}: {payload[key]}"
        for key, name in (("model", "Model"), ("severity", "Severity"))
        if payload.get(key)
    ]
    lines = [delivery.subject, " · ".join(facts), str(payload.get("text") or "")]
    return "\n".join([*(line for line in lines if line), link(delivery, settings)])


def link(delivery: Delivery, settings: Settings) -> str:
    """Return the panel's page that the message is about."""
    path = str(delivery.payload.get("path") or "/")
    if incident := delivery.payload.get("incident_id"):
        path = f"/incidents?id={incident}"
    return f"{settings.panel_address.rstrip('/')}{path}"
