import json
from contextlib import contextmanager

from core.adapters.slack import SlackSender
from tests.fakes.senders import SenderContract, free_port, message, secret, settings, web


def sender(url):
    return SlackSender(settings(slack_webhook_url=secret(f"{url}/services/T0/B0/token-x")))


class TestSlack(SenderContract):
    SECRET = "token-x"

    @contextmanager
    def up(self, status=200):
        with web(sender, status) as (send, receiver):
            yield send, lambda: [json.loads(r.body)["text"] for r in receiver.received]

    def refusing(self):
        return self.up(status=404)

    def away(self):
        return sender(f"http://127.0.0.1:{free_port()}")


def test_a_strangers_words_mention_nobody():
    with web(sender) as (send, receiver):
        send(message(text="<!channel> & <http://evil|click>"))
        text = json.loads(receiver.received[0].body)["text"]
    assert "<" not in text
    assert "&lt;!channel&gt; &amp;" in text
