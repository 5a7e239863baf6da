"""The demo from its first word to its last: five minutes, so `make test-extras` runs it."""

import re

import pytest

from tests.conftest import data_dir

pytestmark = [pytest.mark.extras, pytest.mark.processes, pytest.mark.timeout(900)]
STORY = [
    "Panel: ",
    "A new spam campaign begins",
    "Incident: ",
    "Waits for you in the Inbox: Retrain sms_spam",
    "A retrain is finished",
    "Waits for you in the Inbox: Release sms_spam 1.1.0",
    "sms_spam now serves 1.1.0",
    "After the release: ",
    "The story is over",
]


def test_the_demo_tells_its_story_in_five_minutes_and_ends(product_module, tmp_path):
    demo = product_module.Product(tmp_path, data_dir())
    demo.start("pilothouse", "demo", "--hands-free", "--end")
    assert demo.make.wait(800) == 0, demo.tail()
    told = demo.output.read_text()
    print(told)
    places = [told.find(words) for words in STORY]
    assert -1 not in places, STORY[places.index(-1)]
    assert places == sorted(places)
    assert "Incident: " not in told[: places[1]], "an alarm while nothing is wrong"
    minutes, seconds = re.findall(r"^  (\d):(\d\d)  ", told, re.MULTILINE)[-1]
    assert int(minutes) * 60 + int(seconds) <= 300
