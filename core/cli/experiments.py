"""Experiments at the command line: canary or shadow, from draft to result."""

from typing import Annotated

import typer

from core import recommendations
from core.cli.base import actor, app, model_name, panel, print_json, say
from core.experiments import lifecycle
from core.panel import Panel
from core.tables.entities import Experiment

experiment_app = typer.Typer(help="Canaries and shadows.", no_args_is_help=True)
_Called = Annotated[str, typer.Argument(help="Its name (the newest of that name), or its id.")]
app.add_typer(experiment_app, name="experiment")


@experiment_app.command("create")
def create_experiment(
    model: str,
    name: Annotated[str, typer.Option()],
    control: Annotated[str, typer.Option(help="The version that serves.")],
    treatment: Annotated[str, typer.Option(help="The version to try.")],
    hypothesis: Annotated[str, typer.Option(help="What you expect.")],
    mode: Annotated[str, typer.Option(help="canary or shadow")] = "canary",
    share: Annotated[float | None, typer.Option(help="Of the traffic, 0.001 to 0.999.")] = None,
    effect: Annotated[float, typer.Option(help="Smallest difference that matters.")] = 0.02,
) -> None:
    """Draft an experiment; a canary answers a share of the users, a shadow only the log."""
    built = panel()
    made = lifecycle.draft(
        built.db,
        actor(built),
        model=model_name(built, model),
        name=name,
        control=control,
        treatment=treatment,
        mode=mode,
        share=share if share is not None else 0.1 * (mode == "canary"),
        hypothesis=hypothesis,
        minimum_effect=effect,
    )
    say(f"{made.name} is drafted as {made.id}: {lifecycle.plan(made)};")
    say(f"{made.planned_n:,} labelled predictions are planned.")


@experiment_app.command("start")
def start_experiment(experiment: _Called) -> None:
    """Propose to start it; an approver decides."""
    built = panel()
    row = _row(built, experiment)
    title = f"Start experiment {row.name}: {lifecycle.plan(row)}"
    _propose(built, row, "start_experiment", title)


@experiment_app.command("widen")
def widen_experiment(
    experiment: _Called, share: Annotated[float, typer.Option(help="Of the traffic.")]
) -> None:
    """Propose another share of the traffic for a running canary; an approver decides."""
    built = panel()
    row = _row(built, experiment)
    title = f"Give {row.treatment} {share * 100:g} % of traffic ({row.name})"
    _propose(built, row, "widen_experiment", title, share=f"{share:.3f}")


@experiment_app.command("status")
def experiment_status(model: str) -> None:
    """Show the experiments of a model with their verdicts."""
    built = panel()
    with built.db.read() as session:
        rows = lifecycle.all(session, model=model_name(built, model))
        print_json([{"name": e.name, **lifecycle.status(session, e.id)} for e in rows])


@experiment_app.command("stop")
def stop_experiment(experiment: _Called, reason: Annotated[str, typer.Option()]) -> None:
    """Stop an experiment; all traffic goes back to the control."""
    built = panel()
    stopped = lifecycle.stop(built.db, actor(built), _row(built, experiment).id, reason=reason)
    say(f"{stopped.name} is stopped: {stopped.result}.")


def _row(built: Panel, called: str) -> Experiment:
    with built.db.read() as session:
        return lifecycle.find(session, called)


def _propose(built: Panel, row: Experiment, kind: str, title: str, **more: str) -> None:
    made = recommendations.propose(
        built.db,
        actor(built),
        model=row.model,
        kind=kind,
        arguments={"experiment_id": row.id, **more},
        title=title,
        reasoning=row.hypothesis,
    )
    say(f"It waits for an approver: {built.settings.panel_address}/recommendation?id={made.id}")
