"""The gate of a model at the command line: what it asks for, and proposing another one."""

from typing import Annotated

import typer

from core import outbox, recommendations, specs
from core.cli.base import actor, app, model_name, panel, print_json, say, table
from core.errors import InvalidInputError
from core.specs import gates

AsJson = Annotated[bool, typer.Option("--json", help="For a script.")]
Model = Annotated[str, typer.Argument(help="The model.")]

gate_app = typer.Typer(help="What a version must show to be released.", no_args_is_help=True)
app.add_typer(gate_app, name="gate")


@gate_app.command("show")
def show(model: Model, as_json: AsJson = False) -> None:
    """Show what the gate of a model asks for."""
    built = panel()
    name = model_name(built, model)
    with built.db.read() as session:
        found = gates.words(specs.active(session, name).gate)
    if as_json:
        print_json(found)
    else:
        table(("gate", "value"), found.items())


@gate_app.command("propose")
def propose(
    model: Model,
    reason: Annotated[str, typer.Option(help="Kept on record.")],
    values: Annotated[list[str], typer.Option("--set", help="NAME=VALUE; as often as needed.")],
    as_json: AsJson = False,
) -> None:
    """Propose another gate; an approver other than you decides."""
    built = panel()
    row = recommendations.propose_gate(
        built.db,
        actor(built),
        model=model_name(built, model),
        changes=_given(values),
        reason=reason,
        channels=outbox.channels(built.settings),
    )
    if as_json:
        print_json({"recommendation": row.id, "state": row.state, "title": row.title})
    else:
        say(f"Proposed: {row.title}. Another person decides in the inbox: {row.id}")


def _given(values: list[str]) -> dict[str, str]:
    given = {}
    for one in values:
        name, found, value = one.partition("=")
        if not found:
            raise InvalidInputError(f"'{one[:60]}' is not NAME=VALUE")
        given[name.strip()] = value.strip()
    return given
