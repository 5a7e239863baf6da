"""One drill from the request to its record: sweep, copy, play, write down."""

from contextlib import suppress

from core.automation.drill import html, play, rows, sandbox
from core.automation.drill.play import Progress
from core.db import Database
from core.errors import NotFoundError
from core.settings import Settings
from core.tables.entities import Drill


def carry_out(db: Database, settings: Settings, drill_id: str, *, progress: Progress) -> Drill:
    """Play a drill that was asked for, keep its report, and return it as it ended.

    Raises: NotFoundError (no such drill; what serves cannot be copied). The caller records that.
    """
    tidy(db, settings, but=drill_id)  # a worker that had to go gave it back: it begins anew
    with db.read() as session:
        row = rows.get(session, drill_id)
    options = row.options
    with sandbox.opened(db, settings, row.model, name=row.id) as box:
        result = play.play(
            box,
            row.kind,  # type: ignore[arg-type]  # `request` took no other
            size=float(options["size"]),
            seed=int(options["seed"]),
            progress=progress,
        )
    ended = rows.finish(db, drill_id, result)
    html.keep(settings, ended)
    return ended


def tidy(db: Database, settings: Settings, *, but: str = "") -> None:
    """Remove what drills left whose process died, and say so on their record."""
    for name in sandbox.sweep(settings):
        if name != but:
            with suppress(NotFoundError):  # the sandbox of no drill on record: gone is enough
                rows.fail(db, name, "its process ended without a word")
