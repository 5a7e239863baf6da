"""`pilothouse monitor MODEL --since`: the past judged window by window, with progress."""

from collections.abc import Iterator

from core.cli.bar import Bar
from core.cli.base import actor, model_name, say
from core.ids import new_id
from core.monitoring import backfill
from core.panel import Panel
from core.tables.telemetry import MonitorReport


def judge(
    built: Panel,
    asked: str,
    *,
    since: str,
    rows: int | None,
    minutes: float | None,
    quiet: bool,
) -> Iterator[MonitorReport]:
    """Judge the past of a model from `since` on, and say what was found; Ctrl-C keeps what is done.

    Returns the reports, read a few at a time: they may be too many to hold at once.

    Raises: NotFoundError, InvalidInputError, ConflictError (another one is at it).
    """
    name, now = model_name(built, asked), built.clock()
    begin = backfill.moment(since, now=now)
    with built.db.command(actor(built), "report.request") as command:
        command.note(model=name, what="monitor --since", since=begin.isoformat())
    bar = Bar(silent=quiet)
    try:
        found = backfill.backfill(
            built.db,
            built.settings,
            name,
            since=begin,
            rows=rows,
            minutes=minutes,
            run=new_id(now),
            progress=bar.show,
        )
    except KeyboardInterrupt:
        bar.end()
        say(f"{name}: interrupted; the windows that were judged are kept.")
        raise
    bar.end()
    if not quiet:
        _tell(built, name, found)
    return backfill.stored(built.db, name, found.run)


def _tell(built: Panel, name: str, found: backfill.Judged) -> None:
    for report in backfill.stored(built.db, name, found.run):
        say(f"{report.window_end:%Y-%m-%d %H:%M}  {report.version}  {report.kind}  "
            f"{report.state}  {report.sentence}")  # fmt: skip
    if found.windows:
        say(f"{name}: {found.windows:,} windows judged, {found.drifted:,} of them drifted.")
    else:
        say(f"{name}: no window of the past is large enough to be judged.")
