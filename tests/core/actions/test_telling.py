import pytest

from core import actions, label_requests, outbox, recommendations
from core.errors import ConflictError
from tests.state_kit import APO

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_message_goes_to_every_channel_once_with_title_and_reasoning(world):
    action = world.do("notify")
    with world.db.read() as session:
        (told,) = outbox.recent(session)
    assert (told.channel, told.subject) == ("slack", f"notify {world.name}")
    assert told.payload["text"] == "because"
    assert told.payload["path"] == f"/recommendation?id={action.recommendation_id}"
    assert action.after == {"told": "slack"}


def test_a_message_cannot_be_taken_back_and_says_so(world):
    action = world.do("notify")
    assert actions.final(action) == "a message that was sent cannot be taken back; send another one"
    with pytest.raises(ConflictError, match="send another one"):
        world.undo(action)


def test_a_message_that_nobody_would_hear_is_not_sent(world):
    row = world.propose("notify")
    world.settings = world.settings.model_copy(update={"slack_webhook_url": None})  # the worker's
    with pytest.raises(ConflictError, match="no channel is set up, so nobody would hear it"):
        world.approve(row)


def test_without_a_channel_a_message_cannot_even_be_approved(world):
    row = world.propose("notify")
    world.settings.slack_webhook_url = None
    with pytest.raises(ConflictError, match="no channel is set up, so nobody would hear it"):
        world.approve(row)
    with world.db.read() as session:
        assert recommendations.get(session, row.id).state == "proposed"


def test_labels_are_asked_for_until_it_is_undone(world):
    action = world.do("collect_labels", rows="20")
    assert action.after["rows"] == 20
    assert world.undo(action).startswith(f"no more labels of {world.name} are asked for")
    with world.db.read() as session:
        assert label_requests.open_of(session, world.name) is None


def test_a_request_that_was_closed_by_hand_is_not_undone(world):
    action = world.do("collect_labels", rows="20")
    label_requests.close(world.db, APO, action.after["label_request"], reason="enough")
    with pytest.raises(ConflictError, match="closed already: enough"):
        world.undo(action)
