"""Watching, deciding and comparing at the command line."""

from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from core import incidents, jobs, outbox, recommendations
from core.adapters import channels
from core.automation import watch
from core.automation.runners import RUNNERS
from core.cli.base import actor, app, fail, model_name, panel, print_json, say, stamped
from core.cli.traffic import Client, Source
from core.errors import InvalidInputError, NotFoundError
from core.monitoring import reports
from core.panel import Panel
from core.tables.telemetry import MonitorReport


@app.command()
def drift(
    words: Annotated[list[str] | None, typer.Argument(help="MODEL, or: inject MODEL")] = None,
    reference: Annotated[Path | None, typer.Option(help="A CSV or Parquet file.")] = None,
    current: Annotated[Path | None, typer.Option(help="A file to compare with it.")] = None,
    campaign: Annotated[str, typer.Option(help="inject: which campaign.")] = "crypto",
    share: Annotated[float, typer.Option(min=0, max=1, help="inject: its share.")] = 0.3,
    n: Annotated[int, typer.Option(min=1, max=100_000, help="inject: how many.")] = 700,
    labels: Annotated[float, typer.Option(min=0, max=1, help="inject: share labelled.")] = 0.5,
    seed: int = 1,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Show a model's drift, compare two files, or send drifted traffic (inject)."""
    match words or []:
        case ["inject", model]:
            _inject(panel(), model, campaign=campaign, share=share, n=n, labels=labels, seed=seed)
        case [model]:
            _show(panel(), model, as_json=as_json)
        case [] if reference and current:
            _compare_files(reference, current, as_json=as_json)
        case _:
            raise typer.BadParameter("give MODEL, or inject MODEL, or --reference and --current")


def _show(built: Panel, model: str, *, as_json: bool) -> None:
    with built.db.read() as session:
        found = reports.reports(session, model_name(built, model), "drift", 10)
    if as_json:
        print_json([_report(report) for report in found])
        return
    if not found:
        say("No window was compared yet: send traffic, then `pilothouse monitor --check-now`.")
    for report in found:
        say(f"{report.at:%Y-%m-%d %H:%M:%S}  {report.version}  {report.state}  {report.sentence}")


def _report(report: MonitorReport) -> dict[str, Any]:
    names = ("model", "version", "state", "p_value", "score", "n_current", "sentence", "figures")
    return {"at": report.at, **{name: getattr(report, name) for name in names}}


def _compare_files(reference: Path, current: Path, *, as_json: bool) -> None:
    from core.datasets import uploads
    from core.monitoring import tabular

    frames = []
    for path in (reference, current):
        if not path.is_file():
            raise NotFoundError(f"there is no file {path}")
        frames.append(uploads.read(path.name, path.read_bytes(), panel().settings))
    found = tabular.compare(frames[0], frames[1])
    if as_json:
        print_json(found.to_dict())
    else:
        say(found.sentence)


def _inject(
    built: Panel, model: str, *, campaign: str, share: float, n: int, labels: float, seed: int
) -> None:
    name = model_name(built, model)
    rows = Source(built, name, seed=seed).rows(n, campaign=campaign, share=share)
    client = Client(built, actor(built), name="drift inject")
    answers = client.predict(name, rows)
    taken = round(n * labels)
    labelled = client.label(answers[:taken], rows[:taken])
    say(
        f"Sent {n} rows to {name}, {share:.0%} of them from campaign {campaign}; {labelled} labels."
    )


@app.command()
def monitor(
    check_now: Annotated[bool, typer.Option(help="Check now instead of waiting.")] = False,
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
) -> None:
    """Check the newest windows now, and say line by line what was found and what followed."""
    if not check_now:
        raise InvalidInputError("the worker checks by itself; say --check-now to check at once")
    built = panel()
    with built.db.command(actor(built), "report.request") as command:
        command.note(model=model, what="monitor --check-now")
    names = [model_name(built, model)] if model else _released(built)
    if not names:
        fail("no model is released yet; there is nothing to watch")
    for name in names:
        _check_now(built, name)


def _released(built: Panel) -> list[str]:
    from core import releases, specs

    with built.db.read() as session:
        names = [spec.name for spec in specs.all_active(session)]
        return [name for name in names if releases.find_current(session, name)]


def _check_now(built: Panel, name: str) -> None:
    """Work through the backlog of whole windows, then tell what the loop did about it."""
    stamped(built, f"{name}: checking")
    while True:
        checked = watch.check(built.db, built.settings, name)
        for report in checked.reports:
            stamped(built, f"{name}: {report.kind} {report.state}: {report.sentence}")
        if checked.incident is not None and checked.needs_answer:
            _ask(built, checked.incident.id, name)
        if not any(r.kind == "drift" and r.state in reports.JUDGED for r in checked.reports):
            break
    with built.db.read() as session:
        _tell(built, session, name)


def _ask(built: Panel, incident_id: str, name: str) -> None:
    with built.db.read() as session:
        incident = incidents.get(session, incident_id)
    stamped(built, f"{name}: incident {incident.severity}: {incident.title}")
    claim = jobs.Claim("check-now", "investigate", {"model": name, "incident_id": incident_id}, 0)
    RUNNERS["investigate"].work(built, claim)


def _tell(built: Panel, session: Session, name: str) -> None:
    for incident in incidents.all(session, model=name, open_only=True):
        stamped(built, f"{name}: incident {incident.state}: {incident.title}")
    waiting = [rec for rec in recommendations.waiting(session) if rec.model == name]
    for rec in waiting:
        stamped(built, f"{name}: decision: {rec.decision} ({rec.severity}): {rec.title}")
        stamped(built, f"{name}: waits for a person: {built.settings.panel_address}")
    if not waiting:
        stamped(built, f"{name}: decision: nothing waits for a person")


agent_app = typer.Typer(help="The agent.", no_args_is_help=True)
app.add_typer(agent_app, name="agent")


@agent_app.command("run")
def run_agent(model: str) -> None:
    """Investigate a model now; print context, reasoning, decision, confidence and actions."""
    from core.adapters.langchain_advisor import LangChainAdvisor
    from core.agent.investigate import investigate

    built = panel()
    name = model_name(built, model)
    with built.db.command(actor(built), "report.request") as command:
        command.note(model=name, what="agent run")
    made = investigate(
        built.db, built.settings, name, incident_id=None, advisor=LangChainAdvisor(built.settings)
    )
    if made is None:
        say("Decision: nothing new to propose; what waits already is in the inbox.")
        return
    for fact in made.evidence:
        say(f"Context: {fact['label']}: {fact['value']}")
    say(f"Reasoning: {made.reasoning}")
    say(f"Decision: {made.decision} ({made.severity}), confidence {made.confidence:.2f}")
    say(f"Action: {made.kind} {made.arguments}; it waits for a decision in the inbox")


alerts_app = typer.Typer(help="Messages to people.", no_args_is_help=True)
app.add_typer(alerts_app, name="alerts")


@alerts_app.command("test")
def test_channel(channel: str) -> None:
    """Send a test message now: slack, email or webhook."""
    built = panel()
    senders = channels.senders(built.settings)
    if channel not in senders:
        raise NotFoundError(f"channel {channel} is not configured; see .env.example")
    with built.db.command(actor(built), "alert.test") as command:
        outbox.post(command, [channel], "Test message from Pilothouse", text="It works.")
        command.note(channel=channel)
    outbox.send_due(built.db, {channel: senders[channel]})
    with built.db.read() as session:
        newest = next(d for d in outbox.recent(session) if d.channel == channel)
    if newest.state != "sent":
        fail(f"{channel} did not take the message: {newest.last_error}")
    say(f"{channel} took the message.")
