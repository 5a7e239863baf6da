"""The three ways of telling people, each against a real local server: one contract for all."""

import socket
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from core.errors import UnavailableError
from core.settings import Settings
from core.tables.operational import Delivery
from tests.fakes.http import Receiver


def message(**payload):
    return Delivery(
        id=str(uuid.uuid4()),
        channel="any",
        subject="Decision needed: Retrain spam",
        payload={
            "model": "spam",
            "severity": "high",
            "text": "Words changed.",
            "path": "/recommendation?id=r1",
            **payload,
        },
        state="pending",
        created_at=datetime(2030, 1, 1, tzinfo=UTC),
    )


def settings(**more):
    return Settings(_env_file=None, env="test", panel_url="https://panel.example", **more)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Mailbox:
    """A mail server's handler that keeps what it takes, or refuses everything."""

    def __init__(self, refuses=False):
        self.refuses, self.mails = refuses, []

    async def handle_DATA(self, _server, _session, envelope):
        if self.refuses:
            return "554 no, thank you"
        self.mails.append(envelope)
        return "250 taken"


@contextmanager
def mail_server(mailbox, **options):
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


class SenderContract:
    """What every sender does. A subclass gives `up()`, `refusing()`, `away()` and `SECRET`.

    The first two are context managers that yield (sender, texts): `texts()` are what arrived.
    """

    SECRET = "no-such-secret"

    def test_a_message_arrives_with_what_why_and_where(self):
        with self.up() as (send, texts):
            send(message())
            arrived = texts()
        assert len(arrived) == 1
        for words in ("Retrain spam", "Words changed.", "spam", "high"):
            assert words in arrived[0]
        assert "https://panel.example/recommendation?id=r1" in arrived[0]

    def test_a_refusal_is_a_reason_to_try_again(self):
        with self.refusing() as (send, _), pytest.raises(UnavailableError) as error:
            send(message())
        assert str(error.value)

    def test_a_server_that_is_away_is_a_reason_to_try_again(self):
        with pytest.raises(UnavailableError):
            self.away()(message())

    def test_no_reason_holds_a_secret(self):
        with pytest.raises(UnavailableError) as error:
            self.away()(message())
        assert self.SECRET not in str(error.value)

    def test_a_message_about_nothing_in_particular_arrives_too(self):
        with self.up() as (send, texts):
            plain = message()
            plain.payload = {"text": "It works."}
            send(plain)
            assert "It works." in texts()[0]

    def test_words_of_any_language_and_odd_characters_arrive(self):
        with self.up() as (send, texts):
            send(message(text="Grüße 你好 \u202e"))
            assert len(texts()) == 1


@contextmanager
def web(make, status=200):
    """Yield (sender, receiver) for a sender that posts to a local web server."""
    with Receiver(lambda _: (status, {}, b"ok" if status == 200 else b"no_service")) as receiver:
        yield make(receiver.url), receiver


def secret(text):
    return SecretStr(text)
