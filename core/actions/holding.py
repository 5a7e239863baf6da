"""Kinds that hold something back for some hours: a freeze of changes, a silence of alerts."""

from textwrap import shorten

from core import notes
from core.actions.cases import Back, Case, Effect, Found, inverse
from core.incidents import silences
from core.recommendations import EVERYWHERE
from core.tables.base import Json


def _freeze(case: Case) -> tuple[Json, Json]:
    row = notes.write_in(
        case.command,
        model=case.model,
        text=_words(case),
        freeze=True,
        hours=float(case.arguments["hours"]),
        author=_by(case),
    )
    after = {"note": row.id, "until": row.ends_at.isoformat()}
    return after, inverse("end_freeze", note=row.id)


def _thaw(back: Back) -> str:
    row = notes.end_in(back.command, back.arguments["note"])
    back.action.state = "reverted"
    return f"changes of {_whose(row.model)} are free again"


def _silence(case: Case) -> tuple[Json, Json]:
    matchers = {"cause": case.arguments["cause"]}
    if case.model != EVERYWHERE:
        matchers["model"] = case.model
    row = silences.create_in(
        case.command,
        matchers=matchers,
        hours=float(case.arguments["hours"]),
        comment=_words(case),
        author=_by(case),
    )
    after = {"silence": row.id, "until": row.ends_at.isoformat()}
    return after, inverse("end_silence", silence=row.id)


def _speak(back: Back) -> str:
    row = silences.end_in(back.command, back.arguments["silence"], back.reason)
    back.action.state = "reverted"
    return f"{silences.describe(row.matchers)} are heard again"


def _words(case: Case) -> str:
    """Return why it was proposed, as short as a note has to be: what holds, it shows itself."""
    said = case.row.reasoning.strip() or case.row.title
    return shorten(said, notes.LONGEST_TEXT, placeholder=" …")


def _by(case: Case) -> str:
    """Return the person who approved it; nobody, where the product acts alone."""
    return case.row.decided_by or case.command.actor.name


def _whose(model: str) -> str:
    return "all models" if model == EVERYWHERE else model


EFFECTS = {"freeze": Effect(_freeze), "silence": Effect(_silence)}


def _is_frozen(found: Found) -> None:
    notes.check_counts(notes.get(found.session, found.arguments["note"]), found.now)


def _is_silent(found: Found) -> None:
    silences.check_counts(silences.get(found.session, found.arguments["silence"]), found.now)


INVERSES = {"end_freeze": _thaw, "end_silence": _speak}

STILL = {"end_freeze": _is_frozen, "end_silence": _is_silent}
