"""Data, training and versions at the command line."""

import time
from pathlib import Path
from typing import Annotated

import typer

from core import jobs, outbox, recommendations, registry, releases, runs, specs
from core.cli.base import actor, app, fail, model_name, panel, print_json, say, stamped, table
from core.datasets import versions
from core.errors import NotFoundError
from core.panel import Panel

data_app = typer.Typer(help="Dataset versions.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@app.command("apply")
def apply_spec(file: Annotated[Path, typer.Option("-f", help="A model spec in YAML.")]) -> None:
    """Add a model, or a new version of its spec."""
    built = panel()
    if not file.is_file():
        raise NotFoundError(f"there is no file {file}")
    spec = specs.apply(built.db, actor(built), file.read_text(encoding="utf-8"))
    say(f"Model spec {spec.name} applied.")


@data_app.command("fetch")
def fetch(model: str) -> None:
    """Load a model's data from its source as a dataset version, and validate it."""
    built = panel()
    row = versions.load(built.db, actor(built), built.settings, model_name(built, model))
    say(f"{row.source}\n{row.n_rows} rows, {row.state}, digest {row.digest[:12]}")
    for problem in row.report.get("problems", []):
        say(f"  {problem['severity']}: {problem['sentence']}")
    if row.state == "rejected":
        raise typer.Exit(1)


@data_app.command("validate")
def validate(model: str) -> None:
    """Show the validation report of the newest training data."""
    built = panel()
    with built.db.read() as session:
        row = versions.latest(session, model_name(built, model), "train")
    print_json({"state": row.state, "rows": row.n_rows, "source": row.source, **row.report})


@data_app.command("list")
def list_data(model: str) -> None:
    """List the dataset versions of a model."""
    built = panel()
    with built.db.read() as session:
        rows = versions.history(session, model_name(built, model))
    cells = (
        (r.id[:13], r.role, r.state, r.n_rows, f"{r.at:%Y-%m-%d %H:%M}", r.source) for r in rows
    )
    table(("id", "role", "state", "rows", "at", "source"), cells)


@app.command()
def train(
    model: str,
    candidate: Annotated[list[str] | None, typer.Option(help="Only these candidates.")] = None,
    follow: Annotated[bool, typer.Option(help="Stay until the run has ended.")] = False,
    reason: str = "",
) -> None:
    """Ask for a training run; a worker carries it out."""
    built = panel()
    run = runs.request(
        built.db,
        actor(built),
        model_name(built, model),
        candidates=candidate,
        trigger="command line",
        reason=reason,
    )
    say(f"Run {run.id} is queued.")
    if follow:
        _follow(built, run.id)


def _follow(built: Panel, run_id: str) -> None:
    seen = ""
    while True:
        with built.db.read() as session:
            run = runs.get(session, run_id)
            for line in jobs.lines(session, run.job_id, after=seen):
                seen = line.id
                say(f"{line.at:%H:%M:%S}  {line.text}")
        if run.state == "finished":
            stamped(built, f"version {run.version} is registered")
            return
        if run.state in ("failed", "cancelled"):
            fail(f"the run {run.state}: {run.error or ''}".rstrip(": "))
        time.sleep(0.5)


@app.command("versions")
def list_versions(model: str, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List the versions of a model and what serves."""
    built = panel()
    name = model_name(built, model)
    with built.db.read() as session:
        rows = registry.versions(session, name)
        release = releases.find_current(session, name)
    serving = {arm.version: arm.weight / 10 for arm in releases.arms(release)} if release else {}
    content = [
        {
            "version": r.version,
            "state": r.state,
            "algorithm": r.algorithm,
            "accuracy": r.metrics.get("accuracy"),
            "f1": r.metrics.get("f1"),
            "serves_percent": serving.get(r.version, 0),
            "gate": r.gate.get("answer"),
        }
        for r in rows
    ]
    if as_json:
        print_json(content)
    else:
        head = ("version", "state", "algorithm", "accuracy", "f1", "serves_percent", "gate")
        table(head, ([_short(c[k]) for k in head] for c in content))


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) and value <= 1 else str(value)


@app.command()
def compare(model: str, first: str, second: str) -> None:
    """Compare two versions."""
    built = panel()
    with built.db.read() as session:
        print_json(registry.compare(session, model_name(built, model), first, second))


@app.command()
def promote(model: str, version: str, reason: Annotated[str, typer.Option()] = "") -> None:
    """Propose that a version serves everything; an approver decides in the inbox."""
    built = panel()
    name = model_name(built, model)
    made = recommendations.propose_promotion(
        built.db, built.settings, actor(built), model=name, version=version, reason=reason
    )
    if made is None:
        fail(f"the gate refuses {name} {version}; give a --reason to propose it all the same")
        return
    where = f"{built.settings.panel_address}/recommendation?id={made.id}"
    say(f"Proposed. It waits for a decision: {where}")


@app.command()
def rollback(model: str, reason: Annotated[str, typer.Option(help="Why; it is recorded.")]) -> None:
    """Serve again what served before."""
    built = panel()
    release = releases.roll_back(
        built.db,
        actor(built),
        model_name(built, model),
        reason=reason,
        channels=outbox.channels(built.settings),
    )
    say(f"{release.model} now serves {releases.label(release)}.")
