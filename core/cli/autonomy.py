"""What the product may do without asking, at the command line."""

from typing import Annotated

import typer

from core import autonomy, outbox
from core.autonomy import Rung
from core.cli.base import actor, app, model_name, panel, print_json, say, table
from core.recommendations.wording import verb

AsJson = Annotated[bool, typer.Option("--json", help="For a script.")]
Model = Annotated[str, typer.Argument(help="The model.")]
Kind = Annotated[str, typer.Argument(help="retrain, rollback, stop_experiment, collect_labels …")]
Reason = Annotated[str, typer.Option(help="Kept on record.")]

autonomy_app = typer.Typer(help="What may be done without asking a person.", no_args_is_help=True)
app.add_typer(autonomy_app, name="autonomy")


@autonomy_app.command("list")
def list_rungs(
    model: Annotated[str | None, typer.Option(help="Of this model only.")] = None,
    as_json: AsJson = False,
) -> None:
    """List how every kind of action stands: off, earning, acts alone or fallen back."""
    built = panel()
    name = model_name(built, model) if model else None
    with built.db.read() as session:
        found = [one for one in autonomy.ladder(session) if name in (None, one.model)]
    if as_json:
        print_json([_plain(one) for one in found])
        return
    head = ("model", "kind", "state", "good", "bad", "neutral", "in a row", "bound", "more needed")
    table(head, (_cells(one) for one in found))
    if found:
        say(f"Ceiling: {found[0].ceiling}.")


def _cells(one: Rung) -> tuple[object, ...]:
    seen = one.record
    counts = (seen.good, seen.bad, seen.neutral, seen.streak, f"{seen.low:.2f}")
    more = "never" if one.more is None else one.more
    return (one.model, one.kind, one.state, *counts, more)


def _plain(one: Rung) -> dict[str, object]:
    seen = one.record
    return {
        "model": one.model,
        "kind": one.kind,
        "state": one.state,
        "sentence": one.sentence,
        "good": seen.good,
        "bad": seen.bad,
        "neutral": seen.neutral,
        "good_in_a_row": seen.streak,
        "lower_bound": seen.low,
        "more_needed": one.more,
        "ceiling": one.ceiling,
        "since": one.since,
        "fell_by": one.bad,
    }


@autonomy_app.command("propose")
def propose(model: Model, kind: Kind, reason: Reason, as_json: AsJson = False) -> None:
    """Propose that a kind of action may be done without asking; another person decides."""
    built = panel()
    row = autonomy.propose(
        built.db,
        actor(built),
        model=model,
        kind=kind,
        reason=reason,
        channels=outbox.channels(built.settings),
    )
    if as_json:
        print_json({"recommendation": row.id, "state": row.state, "title": row.title})
    else:
        say(f"Proposed: {row.title}. Another person decides in the inbox: {row.id}")


@autonomy_app.command("withdraw")
def withdraw(model: Model, kind: Kind, reason: Reason, as_json: AsJson = False) -> None:
    """Take a leave away at once: from then on a person decides."""
    built = panel()
    row = autonomy.withdraw(
        built.db,
        actor(built),
        model=model,
        kind=kind,
        reason=reason,
        channels=outbox.channels(built.settings),
    )
    if as_json:
        print_json({"model": row.model, "kind": row.kind, "state": row.state})
    else:
        say(f"A person decides again to {verb(row.kind)} {row.model}.")
