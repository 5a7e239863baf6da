"""Strangers' words are read as they were written, and none of them becomes a link."""

import re

import pytest

from app import ui

SPAN = re.compile(r":color\[\\(.)\]")
ESCAPE = re.compile(r"\\([^\w\s])")
BARE = re.compile(r"(https?://|www\.)[-.\w]+|[-.\w+]+@[-\w]+(\.[-\w]+)+", re.IGNORECASE)
"""What remark-gfm makes a link of, once the escapes of a piece of text are taken away."""

WORDS = [
    "see https://evil.example/x?a=1&b=(2)",
    "HTTP://WWW.evil.example, www.www.evil.example",
    "write to me@evil.example or mailto:a@@b.example",
    r"https\://evil.example and www\.evil.example and https&#58;//evil.example",
    "![x](http://evil.example/x.png) <https://evil.example>",
]


def pieces(shown):
    """The pieces of text that are left of Markdown: spans part them, escapes do not."""
    return [ESCAPE.sub(r"\1", piece) for piece in re.split(r":color\[\\.\]", shown)]


@pytest.mark.parametrize("helper", [ui.plain, ui.unlinked])
@pytest.mark.parametrize("words", WORDS)
def test_a_bare_address_stays_text_and_is_read_as_it_was_written(helper, words):
    shown = helper(words)
    assert not any(BARE.search(piece) for piece in pieces(shown))
    assert ESCAPE.sub(r"\1", SPAN.sub(r"\1", shown)) == words


@pytest.mark.parametrize("helper", [ui.plain, ui.unlinked])
@pytest.mark.parametrize("words", [":material/delete: gone", "well :smile:"])
def test_what_would_become_a_picture_stays_a_word(helper, words):
    assert not re.search(r"(?<!\\):\w+[:/]", SPAN.sub("", helper(words)))
    assert ":color[" in helper(words)


def test_a_time_and_a_name_are_left_as_they_are():
    assert ui.plain("12:30 local:ana").replace("\\", "") == "12:30 local:ana"
