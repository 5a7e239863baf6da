"""Words from data, made safe to show: what a stranger typed must not steer a page or a prompt."""

import re
import unicodedata

LONGEST = 24

# Blank or zero-width characters that Unicode does not class as control or format.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def clean(text: str) -> str:
    r"""NFKC form on one line, without control and invisible characters.

    >>> clean("free\u200bmoney\tnow\x07")
    'freemoney now'
    """
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    if not text.isprintable():
        spaced = (" " if character.isspace() else character for character in text)
        text = "".join(c for c in spaced if unicodedata.category(c)[0] != "C")
    return " ".join(_INVISIBLE.sub("", text).split())


def short(text: str, limit: int = LONGEST) -> str:
    """`clean`, cut to `limit` characters.

    >>> short("abcdefghij", 4)
    'abc…'
    """
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
