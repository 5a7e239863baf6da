"""Messages to a Slack channel through an incoming webhook."""

from core.adapters.channels import TIMEOUT, text_of
from core.errors import UnavailableError
from core.settings import Settings
from core.tables.operational import Delivery


class SlackSender:
    """Posts a message with Slack's own client."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, delivery: Delivery) -> None:
        """Send one message. Raises: UnavailableError (with Slack's answer, never the address)."""
        from slack_sdk.webhook import WebhookClient

        url = self._settings.slack_webhook_url
        client = WebhookClient(url.get_secret_value() if url else "", timeout=int(TIMEOUT))
        try:
            answer = client.send(text=_escaped(text_of(delivery, self._settings)))
        except Exception as fault:
            raise UnavailableError(f"Slack cannot be reached: {type(fault).__name__}") from fault
        if answer.status_code != 200:
            raise UnavailableError(f"Slack answered {answer.status_code}: {answer.body[:200]}")


def _escaped(text: str) -> str:
    """Keep a model's or a stranger's words from becoming mentions or links.

    >>> _escaped("<!channel> a & b")
    '&lt;!channel&gt; a &amp; b'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
