import re

import pytest
from hypothesis import example, given, strategies

from core.serving.plans.format import Text
from core.serving.plans.words import terms_of, without_accents, words_of

USUAL = [r"(?u)\b\w+\b|[£$€!?]", r"(?u)\b\w\w+\b", r"(?u)\b\w+\b", r"(?u)\b\w\w+\b|[!#]"]
ODD = [r"(?u)\b\w+\b|[a!]", r"[a-z]+", r"(?u)\b\w+\b|[+-9]", r"\b\w+\b"]
ASCII = strategies.text(strategies.characters(max_codepoint=127), max_size=60)


def column(pattern, *, lowercase=True, shortest=1, longest=2):
    return Text(None, lowercase, True, pattern, shortest, longest, {}, {}, True, True)


@pytest.mark.parametrize("pattern", USUAL + ODD)
@pytest.mark.parametrize("lowercase", [True, False])
@given(text=ASCII | strategies.text(max_size=30))
@example(text="WIN $1,000!!! a_b x\x00y\x1cz don't É£5")
def test_words_are_those_that_the_pattern_finds(pattern, lowercase, text):
    plain = without_accents(text.lower() if lowercase else text)
    assert words_of(column(pattern, lowercase=lowercase))(text) == re.findall(pattern, plain)


def test_terms_are_runs_of_one_to_three_words():
    cut = terms_of(column(USUAL[0], longest=3))
    assert cut("Call me now") == ["call", "me", "now", "call me", "me now", "call me now"]
    assert terms_of(column(USUAL[0], shortest=2))("a b c") == ["a b", "b c"]
