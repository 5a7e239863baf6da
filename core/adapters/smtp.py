"""Messages by e-mail."""

import smtplib
import ssl
from email.message import EmailMessage

from core.adapters.channels import TIMEOUT, text_of
from core.errors import UnavailableError
from core.settings import Settings
from core.tables.operational import Delivery

TLS_PORT = 465


class SmtpSender:
    """Sends plain text from `ALERT_EMAIL`, with TLS unless a setting says otherwise.

    Port 465 speaks TLS from the first byte, any other starts it before the sign-in.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, delivery: Delivery) -> None:
        """Send one message. Raises: UnavailableError (with the server's answer)."""
        message = self._message(delivery)
        try:
            with self._connected() as server:
                self._introduce(server)
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as fault:
            raise UnavailableError(f"the mail server did not take it: {_reason(fault)}") from fault

    def _message(self, delivery: Delivery) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = " ".join(delivery.subject.split())[:200]
        sender = self._settings.alert_email or self._settings.alert_email_to
        message["From"] = sender
        message["To"] = self._settings.alert_email_to or sender
        message["Message-ID"] = f"<{delivery.id}@pilothouse>"  # the same over retries
        message.set_content(text_of(delivery, self._settings))
        return message

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        address = (settings.smtp_host, settings.smtp_port)
        if settings.smtp_tls and settings.smtp_port == TLS_PORT:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(*address, timeout=TIMEOUT, context=context)
        return smtplib.SMTP(*address, timeout=TIMEOUT)

    def _introduce(self, server: smtplib.SMTP) -> None:
        settings = self._settings
        if settings.smtp_tls and settings.smtp_port != TLS_PORT:
            server.starttls(context=ssl.create_default_context())
        password = settings.alert_email_password
        if password and password.get_secret_value():
            server.login(settings.alert_email, password.get_secret_value())


def _reason(fault: Exception) -> str:
    """Name the fault; a server's own words may hold an address but never our password."""
    if isinstance(fault, smtplib.SMTPAuthenticationError):
        return "it refused the sign-in"
    return f"{type(fault).__name__}: {str(fault)[:200]}"
