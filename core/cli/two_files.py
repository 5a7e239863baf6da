"""`pilothouse drift --reference A --current B`: what was found, in words or as JSON."""

from pathlib import Path

from core.cli.base import DRIFTED, UNTOLD, panel, print_json, say, table
from core.monitoring import two_files
from core.monitoring.two_files import Compared

_MOST_TERMS = 10


def compare(
    reference: Path, current: Path, *, alpha: float, text: str | None, columns: bool, as_json: bool
) -> int:
    """Print how two files differ; returns the exit code of who wants to end on drift.

    Raises: NotFoundError, InvalidInputError, TooLargeError (a sentence about the file).
    """
    settings = panel().settings
    frames = [two_files.read(path, settings) for path in (reference, current)]
    found = two_files.compare(frames[0], frames[1], alpha=alpha, text_column=text)
    code = DRIFTED if found.drifted else UNTOLD if found.lost or found.inconclusive else 0
    if as_json:
        print_json(found.to_dict())
        return code
    say(found.sentence)
    for note in found.notes:
        say(note)
    _columns(found, every=columns)
    _texts(found)
    return code


def _columns(found: Compared, *, every: bool) -> None:
    listed = found.table.columns if found.table is not None else ()
    shown = [one for one in listed if every or one.drifted]
    if shown:
        head = ("column", "change", "distance", "p", "detail")
        table(head, ((c.name, c.change, f"{c.distance:.3f}", f"{c.p_value:.3g}", c.detail)
                     for c in shown))  # fmt: skip


def _texts(found: Compared) -> None:
    if found.texts is None:
        return
    for words, terms in (("new", found.texts.new_terms), ("gone", found.texts.vanished_terms)):
        for term in terms[:_MOST_TERMS]:
            before, now = term.share_reference, term.share_current
            say(f"{words} word {term.term!r}: in {before:.1%} of the texts before, {now:.1%} now")
    for one in found.texts.campaigns:
        say(f"campaign: {one.size} near-copies ({one.share:.1%}), for example {one.example!r}")
