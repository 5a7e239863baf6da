from contextlib import contextmanager
from email import message_from_bytes, policy

import pytest
from aiosmtpd.smtp import AuthResult

from core.adapters.smtp import SmtpSender
from core.errors import UnavailableError
from tests.fakes.senders import (
    Mailbox,
    SenderContract,
    free_port,
    mail_server,
    message,
    secret,
    settings,
)


def sender(port, **more):
    given = {
        "smtp_tls": False,
        "alert_email": "from@example.org",
        "alert_email_to": "to@example.org",
    }
    return SmtpSender(settings(smtp_host="127.0.0.1", smtp_port=port, **{**given, **more}))


def parsed(mailbox):
    return [message_from_bytes(e.content, policy=policy.default) for e in mailbox.mails]


class TestSmtp(SenderContract):
    @contextmanager
    def up(self, refuses=False):
        mailbox = Mailbox(refuses)
        with mail_server(mailbox) as port:
            yield (
                sender(port),
                lambda: [f"{m['subject']}\n{m.get_content()}" for m in parsed(mailbox)],
            )

    def refusing(self):
        return self.up(refuses=True)

    def away(self):
        return sender(free_port())


def test_a_retry_carries_the_same_message_id():
    mailbox, mail = Mailbox(), message()
    with mail_server(mailbox) as port:
        for _ in range(2):
            sender(port)(mail)
    assert {m["message-id"] for m in parsed(mailbox)} == {f"<{mail.id}@pilothouse>"}


def test_a_subject_cannot_add_headers():
    mailbox, mail = Mailbox(), message()
    mail.subject = "Hello\r\nBcc: eve@example.org"
    with mail_server(mailbox) as port:
        sender(port)(mail)
    assert parsed(mailbox)[0]["bcc"] is None
    assert mailbox.mails[0].rcpt_tos == ["to@example.org"]


def test_without_tls_on_the_server_nothing_is_sent_where_tls_is_asked_for():
    mailbox = Mailbox()
    with mail_server(mailbox) as port, pytest.raises(UnavailableError, match="STARTTLS"):
        sender(port, smtp_tls=True)(message())
    assert mailbox.mails == []


def signed_in_as(name, password):
    def check(_server, _session, _envelope, _mechanism, data):
        return AuthResult(success=(data.login, data.password) == (name, password), handled=False)

    return {"authenticator": check, "auth_require_tls": False}


def test_it_signs_in_with_the_configured_password():
    mailbox = Mailbox()
    with mail_server(mailbox, **signed_in_as(b"from@example.org", b"right")) as port:
        sender(port, alert_email_password=secret("right"))(message())
        with pytest.raises(UnavailableError, match="refused the sign-in"):
            sender(port, alert_email_password=secret("wrong"))(message())
    assert len(mailbox.mails) == 1
