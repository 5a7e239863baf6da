"""Every kind of action is whole: what it does, what it would change, who decides, in words."""

import re

import pytest

from app import cards
from core.actions import effects, external
from core.recommendations import is_risky, preview
from core.recommendations.kinds import KINDS
from core.settings import ROOT

ROW = re.compile(r"^\| \*\*(\w+)\*\*(?: \((.*?)\))? \| .* \| (an operator|two people) \| ", re.M)
TABLE = {one[1]: one for one in ROW.finditer((ROOT / "docs" / "actions.md").read_text())}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_does_something_and_says_before_what_it_would_change(kind):
    assert (kind in effects.EFFECTS) is not (kind in external.KINDS)
    assert kind in preview._KINDS
    assert kind in cards.CONSEQUENCE
    assert kind in cards.EXPECTED


def test_the_page_about_actions_lists_every_kind_with_who_decides():
    told = {kind: one[3] == "two people" for kind, one in TABLE.items()}
    assert told == {kind: is_risky(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", [kind for kind, one in KINDS.items() if len(one.arguments) < 7])
def test_the_page_about_actions_names_the_arguments(kind):
    named = re.findall(
        r"[a-z_]{2,}", re.sub(r",? ?(at most [\d,]+)| to [\d,.]+", "", TABLE[kind][2] or "")
    )
    assert set(named) == KINDS[kind].arguments
