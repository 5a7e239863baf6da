"""Deciding at the command line: the agent, and messages to people."""

import typer

from core.cli.base import actor, app, model_name, panel, say

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
