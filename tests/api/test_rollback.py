from pydantic import SecretStr

from core import outbox


def test_a_rollback_by_the_api_is_told_to_the_channels_that_are_set_up(client, serving, db):
    serving.settings.slack_webhook_url = SecretStr("http://127.0.0.1:9/hook")
    client.post("/models/rollback", json={"reason": "recall fell"})
    with db.read() as session:
        (told,) = outbox.recent(session)
    words = "sms_spam now serves 1.0.0 again (rolled back by key:all: recall fell)"
    assert (told.channel, told.subject) == ("slack", words)
