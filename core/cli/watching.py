"""Watching at the command line: drift of a model or of two files, and checks at once."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from core import incidents, jobs, recommendations, releases
from core.automation import watch
from core.automation.runners import RUNNERS
from core.cli.base import (
    DRIFTED,
    UNTOLD,
    actor,
    app,
    fail,
    model_name,
    panel,
    print_json,
    print_json_list,
    say,
    stamped,
)
from core.cli.traffic import SHIFT, Client, Source
from core.datasets import generator
from core.errors import InvalidInputError
from core.monitoring import reports
from core.monitoring.checks import subject, watching
from core.panel import Panel
from core.tables.telemetry import MonitorReport

_MOST_SHOWN = 10
_CAMPAIGNS = f"texts: {', '.join(generator.CAMPAIGNS)}; rows of numbers: {SHIFT}"


@app.command()
def drift(  # noqa: PLR0913 (each one is an option)
    words: Annotated[list[str] | None, typer.Argument(help="MODEL, or: inject MODEL")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="A CSV, Parquet or JSON-lines file.")
    ] = None,
    current: Annotated[Path | None, typer.Option(help="A file to compare with it.")] = None,
    alpha: Annotated[
        float, typer.Option(min=0, max=0.5, help="Files: how often to alarm without a change.")
    ] = 0.01,
    text: Annotated[
        str | None, typer.Option(help="Files: the text column; guessed unless told.")
    ] = None,
    columns: Annotated[bool, typer.Option(help="Files: show every column.")] = False,
    fail_on_drift: Annotated[
        bool, typer.Option("--fail-on-drift", help="Exit with 1 on drift, 3 where none can tell.")
    ] = False,
    campaign: Annotated[str, typer.Option(help=f"inject: {_CAMPAIGNS}.")] = "crypto",
    share: Annotated[float, typer.Option(min=0, max=1, help="inject: its share.")] = 0.3,
    n: Annotated[int, typer.Option(min=1, max=100_000, help="inject: how many.")] = 700,
    labels: Annotated[float, typer.Option(min=0, max=1, help="inject: share labelled.")] = 0.5,
    seed: int = 1,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Show a model's drift, compare two files, or send drifted traffic (inject)."""
    no_files = reference is None and current is None
    match words or []:
        case ["inject", model] if no_files:
            _inject(panel(), model, campaign=campaign, share=share, n=n, labels=labels, seed=seed)
        case [model] if no_files:
            _end(_show(panel(), model, as_json=as_json), fail_on_drift=fail_on_drift)
        case [] if reference and current:
            from core.cli import two_files

            code = two_files.compare(
                reference, current, alpha=alpha, text=text, columns=columns, as_json=as_json
            )
            _end(code, fail_on_drift=fail_on_drift)
        case _:
            raise typer.BadParameter(
                "give MODEL, or inject MODEL, or both --reference and --current without a model"
            )


def _end(code: int, *, fail_on_drift: bool) -> None:
    if code and fail_on_drift:
        sys.exit(code)


def _show(built: Panel, model: str, *, as_json: bool) -> int:
    """Print the newest windows; returns what the alarm of what serves says, as an exit code."""
    name = model_name(built, model)
    with built.db.read() as session:
        found = reports.reports(session, name, "drift", _MOST_SHOWN)
        serves = releases.find_current(session, name) is not None
        of = subject.subject(session, name, "drift") if serves else None
    if as_json:
        print_json([_report(report) for report in found])
    elif not found:
        say("No window was compared yet: send traffic, then `pilothouse monitor --check-now`.")
    else:
        for report in found:
            at = f"{report.at:%Y-%m-%d %H:%M:%S}"
            say(f"{at}  {report.version}  {report.state}  {report.sentence}")
    return _code(of.before if of and of.contiguous else None)


def _code(newest: MonitorReport | None) -> int:
    """Return 0 where the newest window of what serves was judged and no alarm stands."""
    told = newest.figures if newest else {}
    if watching.alarmed(told.get("watch")):
        return DRIFTED
    judged = newest is not None and newest.state in reports.JUDGED
    return UNTOLD if told.get("lost") or not judged else 0


def _report(report: MonitorReport) -> dict[str, Any]:
    names = ("model", "version", "kind", "origin", "state", "p_value", "score", "n_current",
             "sentence", "figures")  # fmt: skip
    return {"at": report.at, **{name: getattr(report, name) for name in names}}


def _inject(
    built: Panel, model: str, *, campaign: str, share: float, n: int, labels: float, seed: int
) -> None:
    name = model_name(built, model)
    rows = Source(built, name, seed=seed).rows(n, campaign=campaign, share=share)
    taken = round(n * labels)
    with Client(built, actor(built), name="drift inject") as client:
        answers = client.predict(name, rows)
        labelled = client.label(answers[:taken], rows[:taken])
    say(
        f"Sent {n} rows to {name}, {share:.0%} of them from campaign {campaign}; {labelled} labels."
    )


@app.command()
def monitor(
    name: Annotated[str | None, typer.Argument(metavar="MODEL", help="Only this model.")] = None,
    check_now: Annotated[bool, typer.Option(help="Check now instead of waiting.")] = False,
    since: Annotated[
        str | None, typer.Option(help="Judge the past again: 7d, 12h, 2030-01-31 or a time.")
    ] = None,
    rows: Annotated[int | None, typer.Option(min=20, help="since: rows in a window.")] = None,
    minutes: Annotated[float | None, typer.Option(min=1, help="since: minutes of one.")] = None,
    model: Annotated[str | None, typer.Option(help="The same as MODEL.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Check the newest windows now, or judge the past again, and say what was found."""
    built, asked = panel(), name or model
    if since is not None:
        from core.cli import past

        if asked is None:
            raise typer.BadParameter("name the MODEL whose past is judged")
        found: Iterable[MonitorReport] = past.judge(
            built, asked, since=since, rows=rows, minutes=minutes, quiet=as_json
        )
    elif check_now:
        found = _check_now(built, asked, quiet=as_json)
    else:
        raise InvalidInputError("the worker checks by itself; say --check-now, or --since")
    if as_json:
        print_json_list(_report(report) for report in found)


def _check_now(built: Panel, asked: str | None, *, quiet: bool) -> list[MonitorReport]:
    with built.db.command(actor(built), "report.request") as command:
        command.note(model=asked, what="monitor --check-now")
    names = [model_name(built, asked)] if asked else _released(built)
    if not names:
        fail("no model is released yet; there is nothing to watch")
    return [report for one in names for report in _checked(built, one, quiet=quiet)]


def _released(built: Panel) -> list[str]:
    from core import specs

    with built.db.read() as session:
        names = [spec.name for spec in specs.all_active(session)]
        return [name for name in names if releases.find_current(session, name)]


def _checked(built: Panel, name: str, *, quiet: bool) -> list[MonitorReport]:
    """Work through the backlog of whole windows, then tell what the loop did about it."""
    tell = (lambda _built, _words: None) if quiet else stamped
    tell(built, f"{name}: checking")
    found: list[MonitorReport] = []
    while True:
        checked = watch.check(built.db, built.settings, name)
        found += checked.reports
        for report in checked.reports:
            tell(built, f"{name}: {report.kind} {report.state}: {report.sentence}")
        if (incident := checked.incident) is not None and checked.needs_answer:
            tell(built, f"{name}: incident {incident.severity}: {incident.title}")
            _ask(built, incident.id, name)
        if not any(r.kind == "drift" and r.state in reports.JUDGED for r in checked.reports):
            break
    if not quiet:
        with built.db.read() as session:
            _tell(built, session, name)
    return found


def _ask(built: Panel, incident_id: str, name: str) -> None:
    claim = jobs.Claim("check-now", "investigate", {"model": name, "incident_id": incident_id}, 0)
    RUNNERS["investigate"].work(built, claim)


def _tell(built: Panel, session: Session, name: str) -> None:
    for incident in incidents.all(session, model=name, open_only=True):
        stamped(built, f"{name}: incident {incident.state}: {incident.title}")
    waiting = [rec for rec in recommendations.waiting(session) if rec.model == name]
    address = built.settings.panel_address
    for rec in waiting:
        stamped(built, f"{name}: decision: proposed, {rec.severity} severity: {rec.title}")
        stamped(built, f"{name}: what follows: it waits for a person at {address}")
    if not waiting:
        stamped(built, f"{name}: decision: nothing waits for a person")
