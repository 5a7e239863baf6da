"""Alerts, silences and incidents at the command line."""

from typing import Annotated

import typer

from core import incidents, outbox
from core.adapters import channels
from core.cli.base import actor, app, fail, model_name, panel, print_json, say, table
from core.errors import InvalidInputError, NotFoundError
from core.incidents import reading, rows, silences
from core.tables.entities import Alert, Incident

AsJson = Annotated[bool, typer.Option("--json", help="For a script.")]
Model = Annotated[str | None, typer.Option(help="Of this model only.")]
Reason = Annotated[str, typer.Option(help="Kept on record.")]

alerts_app = typer.Typer(help="Alerts, silences, and messages to people.", no_args_is_help=True)
app.add_typer(alerts_app, name="alerts")
incidents_app = typer.Typer(help="What is wrong, and who has it.", no_args_is_help=True)
app.add_typer(incidents_app, name="incidents")


@alerts_app.command("list")
def list_alerts(
    model: Model = None,
    state: Annotated[
        str | None, typer.Option(help="pending, firing, suppressed, resolved.")
    ] = None,
    severity: Annotated[str | None, typer.Option(help="critical, high, medium, low.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the alerts that have not ended, or those in a state; and the silences that hold."""
    built = panel()
    name = model_name(built, model) if model else None
    if state is not None and state not in reading.STATES:
        raise InvalidInputError(f"there is no state {state}; there is {', '.join(reading.STATES)}")
    with built.db.read() as session:
        found = reading.found(
            session, model=name, state=state, severity=severity, live=state is None
        )
        quiet = silences.all(session)
    now = built.clock()
    holding = [row for row in quiet if silences.state(row, now) != "expired"]
    if as_json:
        silent = [rows.silence(row, now) for row in holding]
        print_json({"alerts": [rows.alert(row) for row in found], "silences": silent})
        return
    _show(found, state)
    for row in holding:
        until = f"until {row.ends_at:%Y-%m-%d %H:%M} UTC"
        say(f"Silence {row.id} ({silences.state(row, now)}): {silences.describe(row.matchers)}")
        say(f"  {until}; {row.author}: {row.comment}")


def _show(found: list[Alert], state: str | None) -> None:
    if not found:
        say(f"No alert is {state or 'live'}.")
        return
    head = ("model", "rule", "severity", "state", "value", "threshold", "reports", "since")
    table(
        head,
        (
            (row.model, row.rule, row.severity, row.state, f"{row.value:.4g}",
             f"{row.threshold:.4g}", row.fired, f"{row.at:%Y-%m-%d %H:%M}")
            for row in found
        ),
    )  # fmt: skip


@alerts_app.command("silence")
def silence(
    hours: Annotated[float, typer.Option(help="For how long; at most 720 (30 days).")],
    comment: Reason,
    model: Model = None,
    rule: Annotated[str | None, typer.Option(help="drift, latency, volume …")] = None,
    cause: Annotated[str | None, typer.Option(help="drift, accuracy, errors …")] = None,
    severity: Annotated[str | None, typer.Option(help="critical ones only where named.")] = None,
    preview: Annotated[bool, typer.Option(help="Say what it would cover; make none.")] = False,
    as_json: AsJson = False,
) -> None:
    """Silence the alerts that match: they are noted, and tell nobody until it ends."""
    built = panel()
    given = {"model": model, "rule": rule, "cause": cause, "severity": severity}
    matchers = {name: value for name, value in given.items() if value}
    with built.db.read() as session:
        shown = silences.preview(session, matchers, built.clock())
    if preview:
        print_json(rows.preview(shown)) if as_json else say(shown.sentence)
        return
    row = silences.create(built.db, actor(built), matchers=matchers, hours=hours, comment=comment)
    if as_json:
        print_json(rows.silence(row, built.clock()))
        return
    say(shown.sentence)
    say(f"Silent until {row.ends_at:%Y-%m-%d %H:%M} UTC: silence {row.id}")


@alerts_app.command("unsilence")
def unsilence(silence_id: str, reason: Reason, as_json: AsJson = False) -> None:
    """End a silence early; what still fires is told within a minute."""
    built = panel()
    row = silences.end(built.db, actor(built), silence_id, reason)
    if as_json:
        print_json(rows.silence(row, built.clock()))
    else:
        say(f"The silence is over: {silences.describe(row.matchers)}")


@alerts_app.command("test")
def send_test(
    channel: Annotated[str, typer.Argument(help="slack, email or webhook")] = "",
    named: Annotated[str, typer.Option("--channel", help="The same.")] = "",
) -> None:
    """Send a test message now: slack, email or webhook."""
    built, channel = panel(), channel or named
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


@incidents_app.command("list")
def list_incidents(
    model: Model = None,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the open incidents, the newest first."""
    built = panel()
    name = model_name(built, model) if model else None
    with built.db.read() as session:
        found = incidents.all(session, model=name, open_only=not everything)
    if as_json:
        print_json([rows.incident(row) for row in found])
    elif not found:
        say("No incident is open.")
    else:
        cells = ((row.id, row.severity, row.state, row.owner or "-", row.title) for row in found)
        table(("incident", "severity", "state", "owner", "title"), cells)


@incidents_app.command("acknowledge")
def acknowledge(incident_id: str, as_json: AsJson = False) -> None:
    """Take charge of an open incident."""
    built = panel()
    row = incidents.acknowledge(built.db, actor(built), incident_id)
    _done(row, f"{row.owner} has taken: {row.title}", as_json=as_json)


@incidents_app.command("resolve")
def resolve(incident_id: str, reason: Reason, as_json: AsJson = False) -> None:
    """Close an incident, saying why it is over; its alerts stop firing."""
    built = panel()
    row = incidents.resolve(built.db, actor(built), incident_id, reason)
    _done(row, f"Resolved: {row.title}", as_json=as_json)


def _done(row: Incident, words: str, *, as_json: bool) -> None:
    print_json(rows.incident(row)) if as_json else say(words)
