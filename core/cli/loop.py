"""Deciding at the command line: the agent, and messages to people."""

import typer

from core import outbox
from core.adapters import channels
from core.cli.base import actor, app, fail, model_name, panel, say
from core.errors import NotFoundError

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
