import pytest

from core import outbox
from core.errors import ForbiddenError, UnavailableError


def post(db, ana, channels=("slack",)):
    with db.command(ana, "alert.test") as command:
        outbox.post(command, list(channels), "Hello", text="it works")


def newest(db):
    with db.read() as session:
        return outbox.recent(session)[0]


def refuse(_delivery):
    raise UnavailableError("slack says 500")


def test_a_message_goes_out_once(db, ana):
    post(db, ana)
    sent = []
    assert outbox.send_due(db, {"slack": lambda d: sent.append(d.subject)}) == 1
    assert outbox.send_due(db, {"slack": lambda d: sent.append(d.subject)}) == 0
    assert (sent, newest(db).state) == (["Hello"], "sent")


def test_a_message_is_not_left_behind_when_the_command_fails(db, ana):
    with pytest.raises(UnavailableError), db.command(ana, "alert.test") as command:
        outbox.post(command, ["slack"], "Hello")
        raise UnavailableError("no")
    with db.read() as session:
        assert outbox.recent(session) == []


def test_a_refused_message_waits_longer_each_time_and_dies_visibly(db, ana, adm, clock):
    post(db, ana)
    outbox.send_due(db, {"slack": refuse})
    assert outbox.send_due(db, {"slack": refuse}) == 0
    assert newest(db).attempts == 1
    for _ in range(7):
        clock.forward(minutes=11)
        outbox.send_due(db, {"slack": refuse})
    assert (newest(db).state, newest(db).last_error) == ("dead", "slack says 500")


def test_a_dead_message_can_be_sent_again_by_an_operator_and_not_by_a_viewer(db, ana, vic, clock):
    post(db, ana)
    for _ in range(8):
        outbox.send_due(db, {"slack": refuse})
        clock.forward(minutes=11)
    with pytest.raises(ForbiddenError):
        outbox.resend(db, vic, newest(db).id)
    outbox.resend(db, ana, newest(db).id)
    assert outbox.send_due(db, {"slack": lambda _: None}) == 1


def test_a_message_of_a_channel_without_sender_waits(db, ana):
    post(db, ana, ["email"])
    assert outbox.send_due(db, {"slack": lambda _: None}) == 0
    assert newest(db).state == "pending"


def test_a_senders_fault_keeps_no_other_message_back(db, ana):
    post(db, ana, ["slack", "email"])
    sent = []

    def broken(_delivery):
        raise ZeroDivisionError

    outbox.send_due(db, {"slack": broken, "email": lambda d: sent.append(d.channel)})
    with db.read() as session:
        errors = {d.channel: d.last_error for d in outbox.recent(session)}
    assert sent == ["email"]
    assert errors == {"slack": "an unexpected fault: ZeroDivisionError", "email": None}
