"""`pilothouse drill`: see at once what the watch makes of a change, on a copy of a model."""

from typing import Annotated

import typer

from core.automation.drill import rows, run
from core.cli.bar import Bar
from core.cli.base import actor, app, model_name, panel, print_json, say
from core.errors import reason
from core.tables.entities import Drill


@app.command()
def drill(
    model: str,
    kind: Annotated[str, typer.Option(help="drift, labels, latency, missing or campaign.")],
    size: Annotated[
        float, typer.Option(min=0, max=1, help="The share of rows that change.")
    ] = rows.SIZE,
    seed: Annotated[int, typer.Option(min=0, help="The same seed plays the same rows.")] = (
        rows.SEED
    ),
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Inject a change into a copy of a model, and score what the watch makes of it."""
    built = panel()
    name = model_name(built, model)
    asked = rows.request(built.db, actor(built), name, kind, size=size, seed=seed, queue=False)

    bar = Bar(silent=as_json)
    try:
        ended = run.carry_out(built.db, built.settings, asked.id, progress=bar.show)
    except KeyboardInterrupt:
        bar.end()
        rows.fail(built.db, asked.id, "it was interrupted")
        raise
    except Exception as problem:  # its sandbox is gone: nothing else would end its record
        bar.end()
        rows.fail(built.db, asked.id, reason(problem))
        raise
    bar.end()
    if as_json:
        print_json({"id": ended.id, "model": ended.model, "version": ended.version,
                    "kind": ended.kind, **ended.options, **ended.result})  # fmt: skip
        return
    _tell(ended)
    say(f"Report: {rows.report_path(built.settings, ended.id)}")


def _tell(ended: Drill) -> None:
    say(f"{ended.model} {ended.version}, {ended.kind}: {ended.sentence}")
    for mark in ended.result["score"]["marks"]:
        say(f"  {'yes' if mark['good'] else 'no ':3}  {mark['what']}: {mark['sentence']}")
