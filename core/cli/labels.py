"""True labels at the command line: disputes, and their decision."""

from typing import Annotated

import typer

from core import labels
from core.cli.base import actor, app, model_name, panel, print_json, say, table
from core.labels import Dispute

labels_app = typer.Typer(help="True labels that clients sent.", no_args_is_help=True)
app.add_typer(labels_app, name="labels")


@labels_app.command("disputes")
def list_disputes(model: str, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List the predictions of which two sources say different things."""
    built = panel()
    with built.db.read() as session:
        found = labels.disputes(session, model_name(built, model))
    if as_json:
        print_json([_row(one) for one in found])
    elif not found:
        say("No label is disputed.")
    else:
        cells = ((one.prediction.id, one.prediction.label, _said(one)) for one in found)
        table(("prediction", "answered", "said"), cells)


def _row(one: Dispute) -> dict[str, object]:
    row = one.prediction
    return {"prediction_id": row.id, "at": row.at, "answered": row.label, "said": _said(one)}


def _said(one: Dispute) -> str:
    return "; ".join(str(word) for word in one.words)


@labels_app.command("resolve")
def resolve_dispute(
    prediction_id: str, label: str, reason: Annotated[str, typer.Option(help="Kept on record.")]
) -> None:
    """Decide what was true of a disputed prediction."""
    built = panel()
    row = labels.resolve(built.db, actor(built), prediction_id, label, reason=reason)
    say(f"{row.model} answered {row.label}; {label} is taken as true from now on.")
