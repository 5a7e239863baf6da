"""What strangers wrote stays text in a real browser: it is read as it is, and leads nowhere."""

import pytest

from tests.e2e import panel_home as homes

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
WORDS = "Read https://evil.example/a?b=1, www.evil.example or mail me@evil.example"
ADDRESSES = "() => [...document.querySelectorAll('a')].map(one => one.href)"


def test_no_address_in_a_strangers_words_becomes_a_link(house):
    more = {"model": "breast_cancer", "why": WORDS}
    row = homes.put(house.panel, "notify", f"Tell: {WORDS}", **more)
    me = house("ana")
    for path in ("/?of=breast_cancer", f"/recommendation?id={row.id}"):
        me.moves(path)
        me.sees(WORDS)
        me.sees(f"Tell: {WORDS}")
        assert not [one for one in me.page.evaluate(ADDRESSES) if "evil.example" in one]
    house.check()
