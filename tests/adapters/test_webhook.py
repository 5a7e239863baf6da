import base64
import hashlib
import hmac
import json
from contextlib import contextmanager

import pytest

from core.adapters import webhook
from core.adapters.channels import senders
from core.adapters.webhook import WebhookSender
from core.errors import UnavailableError
from tests.fakes.http import Receiver
from tests.fakes.senders import SenderContract, free_port, message, secret, settings, web

KEY = "whsec_" + base64.b64encode(b"a signing key of 24 byte").decode()


def sender(url, allow=True):
    return WebhookSender(
        settings(
            monitoring_webhook_url=secret(f"{url}/hook?token=token-x"),
            webhook_secret=secret(KEY),
            webhook_allow_private=allow,
        )
    )


class TestWebhook(SenderContract):
    SECRET = "token-x"

    @contextmanager
    def up(self, status=200):
        with web(sender, status) as (send, receiver):
            yield send, lambda: [json.dumps(r.json["data"]) for r in receiver.received]

    def refusing(self):
        return self.up(status=503)

    def away(self):
        return sender(f"http://127.0.0.1:{free_port()}")


def test_the_receiver_can_check_the_signature_and_retries_keep_the_id():
    mail = message()
    with web(sender) as (send, receiver):
        send(mail)
        send(mail)
    for got in receiver.received:
        signed = f"{mail.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
        proof = hmac.new(b"a signing key of 24 byte", signed, hashlib.sha256).digest()
        assert got.headers["webhook-signature"] == "v1," + base64.b64encode(proof).decode()
        assert got.headers["webhook-id"] == mail.id
        assert got.path == "/hook?token=token-x"


def test_a_redirect_is_not_followed():
    with Receiver() as inside:
        answer = (302, {"location": f"{inside.url}/secret"}, b"")
        with Receiver(lambda _: answer) as outside, pytest.raises(UnavailableError, match="302"):
            sender(outside.url)(message())
        assert inside.received == []


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch):
    with Receiver() as proxy, web(sender) as (send, receiver):
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        send(message())
        assert (len(receiver.received), proxy.received) == (1, [])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
        "198.18.0.1",
    ],
)
def test_an_address_inside_is_refused(host):
    with pytest.raises(UnavailableError, match="inside a private network|is not known"):
        sender(f"http://{host}:9", allow=False)(message())


@pytest.mark.parametrize("host", ["1.1.1.1", "[2606:4700::1111]", "[64:ff9b::101:101]"])
def test_an_address_of_the_open_internet_is_accepted(host):
    parts = webhook.split(f"https://{host}/x")
    assert webhook.checked_address(parts, allow_private=False)


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://x", "http://", "http://[::1", "x"]
)
def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(UnavailableError, match="must be an http or https address"):
        webhook.split(url)


def test_one_private_address_among_several_refuses_all(monkeypatch):
    def resolve(*_args, **_options):
        return [(2, 1, 6, "", ("1.1.1.1", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]

    monkeypatch.setattr(webhook.socket, "getaddrinfo", resolve)
    with pytest.raises(UnavailableError, match="inside a private network"):
        sender("http://hooks.example", allow=False)(message())


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    """A name that answers differently the second time (rebinding) is asked only once."""
    with Receiver() as receiver:
        port, asked = int(receiver.url.rpartition(":")[2]), []

        def resolve(host, *_args, **_options):
            asked.append(host)
            return [(2, 1, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(webhook.socket, "getaddrinfo", once_then_real(resolve))
        sender(f"http://hooks.example:{port}")(message())
        assert asked == ["hooks.example"]
        assert receiver.received[0].headers["host"] == f"hooks.example:{port}"


def once_then_real(resolve):
    real = webhook.socket.getaddrinfo

    def ask(host, *args, **options):
        return resolve(host) if host == "hooks.example" else real(host, *args, **options)

    return ask


def test_only_the_channels_that_are_set_up_have_a_sender():
    assert senders(settings()) == {}
    chosen = senders(
        settings(
            slack_webhook_url=secret("https://hooks.slack.com/x"),
            smtp_host="mail.example",
            alert_email="me@example.org",
            monitoring_webhook_url=secret("https://hooks.example"),
        )
    )
    assert sorted(chosen) == ["email", "slack", "webhook"]
    assert list(senders(settings(smtp_host="mail.example"))) == []
