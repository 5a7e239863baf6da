"""`pilothouse monitor MODEL --since`: the past judged window by window, with progress."""

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
) -> list[MonitorReport]:
    """Judge the past of a model from `since` on, and say what was found; Ctrl-C keeps what is done.

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
        _tell(name, found)
    return found


def _tell(name: str, found: list[MonitorReport]) -> None:
    for report in found:
        say(f"{report.window_end:%Y-%m-%d %H:%M}  {report.version}  {report.kind}  "
            f"{report.state}  {report.sentence}")  # fmt: skip
    drifts = [report for report in found if report.kind == "drift"]
    bad = sum(report.state in ("warn", "fail") for report in drifts)
    if drifts:
        say(f"{name}: {len(drifts):,} windows judged, {bad:,} of them drifted.")
    else:
        say(f"{name}: no window of the past is large enough to be judged.")
