"""Deciding at the command line: ask the agent now, and measure how well it decides."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from core.access import require
from core.cli.base import actor, app, model_name, panel, print_json, say, table
from core.errors import ConflictError
from core.settings import Settings

if TYPE_CHECKING:
    from core.agent.evaluation import Evaluation, Tally
    from core.agent.reasoners import Advisor

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


class Half(StrEnum):
    """Which scenarios."""

    OPEN = "open"
    HELD_OUT = "held-out"
    ALL = "all"


class Reasoner(StrEnum):
    """Who words the proposal."""

    RULES = "rules"
    MODEL = "model"


@agent_app.command("evaluate")
def evaluate_agent(
    half: Annotated[Half, typer.Option(help="Which scenarios.")] = Half.ALL,
    reasoner: Annotated[
        Reasoner, typer.Option(help="The rules, or the language model of OPENAI_API_KEY.")
    ] = Reasoner.RULES,
    missed: Annotated[bool, typer.Option("--missed", help="List what is not exact.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Keep it: the panel shows it.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Let the agent decide on labelled scenarios; exit code 1 when one answer would do harm."""
    from core.agent import evaluation, scenarios

    built = panel()
    who = actor(built)
    require(who, "agent.evaluate")
    advisor = _advisor(built.settings, reasoner)
    made = evaluation.evaluate(advisor, scenarios=scenarios.load(half))
    if save:
        with built.db.command(who, "agent.evaluate") as command:
            evaluation.save_in(command, made)
    if as_json:
        print_json(made.to_dict())
    else:
        _show(made, missed=missed)
    if made.total.forbidden:
        sys.exit(1)


def _advisor(settings: Settings, reasoner: Reasoner) -> "Advisor":
    from core.agent.budget import RULES
    from core.agent.evaluation import Rationed
    from core.agent.reasoners import RulesReasoner

    if reasoner is Reasoner.RULES:
        return RulesReasoner()
    from core.adapters.langchain_advisor import LangChainAdvisor

    model = LangChainAdvisor(settings)
    if model.name == RULES:
        raise ConflictError("no language model is set up: give OPENAI_API_KEY, or --reasoner rules")
    return Rationed(model, settings)


def _show(made: "Evaluation", *, missed: bool) -> None:
    halves = made.by_half if len(made.by_half) > 1 else {}
    rows = [(tag, one) for tag, one in made.by_tag.items()]
    rows += [(f"half: {half}", one) for half, one in halves.items()] + [("all", made.total)]
    table(("tag", "cases", "exact", "acceptable", "forbidden"), (_row(*row) for row in rows))
    told = made.to_dict()
    seconds, tokens, cost = told["seconds"], told["tokens"], told["cost"]
    say()
    say(
        f"{made.reasoner}: median {seconds['median'] * 1000:.1f} ms, 95 % within"
        f" {seconds['p95'] * 1000:.1f} ms; a case {tokens['a_case']:,.0f} tokens,"
        f" {cost['a_case']:.4f} of money; a model was asked {told['asked']} times"
    )
    for why, n in made.fallbacks.items():
        say(f"The rules' draft was taken {n} times: {why}")
    for case in made.missed if missed else ():
        say(f"{case.grade}: {case.id}: {case.decision} {', '.join(case.actions)}: {case.why}")


def _row(name: str, one: "Tally") -> tuple[object, ...]:
    from core.agent.evaluation import in_percent

    shares = (in_percent(part, one.n) for part in (one.exact, one.acceptable))
    return (name, one.n, *shares, one.forbidden)
