"""Shared features at the command line: define, list, load values."""

from pathlib import Path
from typing import Annotated, cast

import typer

from core import features
from core.cli.base import actor, app, panel, say, table
from core.errors import InvalidInputError, NotFoundError
from core.features import values
from core.features.definitions import How, Type
from core.features.functions import REGISTERED

features_app = typer.Typer(help="Features that models share.", no_args_is_help=True)
app.add_typer(features_app, name="features")


@features_app.command("define")
def define(
    name: str,
    type: Annotated[str, typer.Option(help="numeric, category or text.")] = "numeric",
    expression: Annotated[str, typer.Option(help='For example "debt / income".')] = "",
    function: Annotated[str, typer.Option(help="A function of `features functions`.")] = "",
    input: Annotated[
        list[str] | None, typer.Option(help="A column that it reads: debt, or city:category.")
    ] = None,
    lookup_by: Annotated[str, typer.Option(help="The entity whose value it is.")] = "",
    max_age_days: Annotated[float | None, typer.Option(help="Older values do not count.")] = None,
) -> None:
    """Define a feature; what differs from the newest version becomes the next one."""
    given = [("expression", expression), ("function", function), ("lookup", lookup_by)]
    chosen = [(how, text) for how, text in given if text]
    if len(chosen) != 1:
        raise InvalidInputError("Give one of --expression, --function and --lookup-by.")
    how, body = chosen[0]
    if how == "lookup":
        body = "" if max_age_days is None else f"{max_age_days:g}"
    built = panel()
    made = features.define(
        built.db,
        actor(built),
        name,
        type=cast(Type, type),
        how=cast(How, how),
        body=body,
        inputs=_inputs(input or []),
        entity=lookup_by or None,
    )
    say(f"{made.label}: {made.words}")


def _inputs(given: list[str]) -> dict[str, Type]:
    pairs = [one.rpartition(":") if ":" in one else (one, ":", "numeric") for one in given]
    return {name: cast(Type, type) for name, _colon, type in pairs}


@features_app.command("list")
def list_features() -> None:
    """List the newest version of every feature, and how many values are loaded."""
    built = panel()
    with built.db.read() as session:
        found, loaded = features.newest(session), values.summary(session)
    rows = ((d.label, d.type, d.words, loaded.get(d.label, ("",))[0]) for d in found)
    table(("feature", "type", "value", "loaded"), rows)


@features_app.command("functions")
def list_functions() -> None:
    """List the functions that a feature may name."""
    rows = ((one.name, one.takes, one.gives, one.words) for one in REGISTERED.values())
    table(("function", "reads a", "yields", "what it does"), rows)


@features_app.command("load")
def load(file: Path) -> None:
    """Load values from a CSV file with the columns feature, entity_id, at, value."""
    built = panel()
    if not file.is_file():
        raise NotFoundError(f"there is no file {file}")
    done = values.load_file(built.db, actor(built), file)
    say(f"{done.new:,} values are new, {done.known:,} were known already.")
