"""Each kind of change, put into the log of one model, is found by a check and told on its page."""

import re

import pytest

from tests.e2e import changes
from tests.e2e import panel_home as homes
from tests.e2e.house import House

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
TOLD = {
    "units": ["Drift in 1 column, most in 'pressure'", "The inputs themselves are broken"],
    "location": ["Drift in 1 column, most in 'age'", "What to do: an incident is open"],
    "category": ["'unheard' 0.0%", "What to do: an incident is open"],
    "missing": ["most in 'pulse' (missing 0.0%", "See below what changed"],
    "covariance": ["the relation of 'age' and 'pressure' changed", "rank correlation was"],
    "campaign": ["A new campaign: 60 near-copies", "Nearly the same message again and again"],
}


@pytest.fixture(scope="module")
def ward(browser, tmp_path_factory):
    """A panel on an installation whose models have changed in one way each."""
    panel = homes.open_home(tmp_path_factory.mktemp("ward"), people=["vic"])
    changed = changes.Changes(panel)
    for kind in changes.KINDS:
        changed.add(kind)
    house = House(browser, panel).start()
    house.me = house("vic")
    yield house
    house.close()


@pytest.fixture
def me(ward):
    yield ward.me
    ward.check()


@pytest.mark.parametrize("kind", TOLD)
def test_drift_of_each_kind_is_told_on_the_page(me, kind):
    me.moves(f"/drift?model={kind}")
    for words in TOLD[kind]:
        me.sees(words)


def test_flipped_labels_are_told_as_a_fallen_accuracy(me):
    me.moves("/performance?model=labels")
    me.sees(re.compile("surely under the floor"))
    me.sees("surely worse")
    me.sees(re.compile("points since registration"))


def test_slow_answers_are_told(me):
    me.moves("/performance?model=latency")
    me.sees(re.compile("latency|slow", re.IGNORECASE))


def test_a_cell_of_the_heat_map_opens_its_column_in_its_window(me):
    me.moves("/drift?model=location")
    plot = me.page.locator(".st-key-heat .nsewdrag").first

    def click():
        plot.scroll_into_view_if_needed()
        area = plot.bounding_box()  # anew each time: a chart above may be drawn only now
        place = area["x"] + area["width"] / 4, area["y"] + area["height"] * 0.6
        me.page.mouse.move(*place)
        me.page.locator(".st-key-heat .hovertext").first.wait_for(timeout=10_000)
        me.page.mouse.click(*place)

    me.repeat(click, lambda: me.sees("You look at an earlier window.", seconds=30))
    me.idle()
    assert re.search(r"column=pulse", me.page.url)
    assert re.search(r"report=[0-9a-f-]{36}", me.page.url)


def test_a_column_has_an_address(me):
    me.moves("/drift?model=missing&column=pulse")
    me.sees(re.compile(r"Missing: 0\.0% of the reference, [23]\d\.\d% now"))


def test_trends_and_the_live_feed_keep_their_state_in_the_address(me):
    me.moves("/performance?model=campaign&trends=true&per=Month&live=true")
    me.sees("Newest predictions")
    me.sees(re.compile("Claim your airdrop"))
    assert me.page.get_by_label("Per", exact=True).first.input_value() == "Month"
