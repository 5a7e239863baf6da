"""Data and training at the command line."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from core import jobs, registry, runs, specs
from core.cli.base import (
    actor,
    app,
    fail,
    model_name,
    panel,
    print_json,
    say,
    stamped,
    table,
    text_of,
)
from core.datasets import copies, ranking, suites, versions
from core.errors import InvalidInputError, NotFoundError
from core.panel import Panel
from core.tables.base import Json
from core.tables.entities import DatasetVersion, Run

AsJson = Annotated[bool, typer.Option("--json")]
data_app = typer.Typer(help="Dataset versions.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@app.command("apply")
def apply_spec(file: Annotated[Path, typer.Option("-f", help="A model spec in YAML.")]) -> None:
    """Add a model, or a new version of its spec."""
    built = panel()
    spec = specs.apply(built.db, actor(built), text_of(file))
    say(f"Model spec {spec.name} applied.")


@data_app.command("fetch")
def fetch(model: str) -> None:
    """Load a model's data from its source as a dataset version, and validate it."""
    from core.adapters.expectations import GreatExpectations

    built = panel()
    name = model_name(built, model)
    row = versions.load(built.db, actor(built), built.settings, name, validator=GreatExpectations())
    _say_data(row)
    if row.state == "rejected":
        raise typer.Exit(1)


def _say_data(row: DatasetVersion) -> None:
    say(f"{row.source}\n{row.n_rows} rows, {row.state}, digest {row.digest[:12]}")
    _say_findings(row.report)


def _say_findings(report: Json) -> None:
    for problem in report.get("problems", []):
        say(f"  {problem['severity']}: {problem['sentence']}")
    for one in report.get("failed", []):
        say(f"  {'error' if one['severity'] == 'hard' else 'warning'}: {one['sentence']}")


@data_app.command("validate")
def validate(model: str, as_json: AsJson = False) -> None:
    """Judge uploads that wait for it, then show the report of the newest training data."""
    from core.automation import data_checks

    built = panel()
    name = model_name(built, model)
    with built.db.read() as session:
        waiting = versions.pending(session, name)
    for row in waiting:
        data_checks.judge(built, row.id)
    with built.db.read() as session:
        rows = [row for row in versions.history(session, name) if row.role == "train"]
    if not rows:
        raise NotFoundError(f"{name} has no data yet: `pilothouse data fetch {name}`")
    row = rows[0]
    if as_json:
        known = {"id": row.id, "state": row.state, "rows": row.n_rows, "source": row.source}
        print_json({**known, **row.report})
    else:
        _say_data(row)
    if row.state == "rejected":
        raise typer.Exit(1)


@data_app.command("list")
def list_data(
    model: str, every: Annotated[bool, typer.Option("--all", help="Of every role.")] = False
) -> None:
    """List the training data of a model, the best to train on first, with its score."""
    built = panel()
    name = model_name(built, model)
    with built.db.read() as session:
        rows, spec = versions.history(session, name), specs.active(session, name)
    kept = [row for row in rows if every or row.role == "train"]
    found = ranking.ranked(kept, spec, built.settings, now=built.clock())
    head = ("id", "role", "state", "rows", "score", *ranking.WEIGHTS, "at", "note", "source")
    table(head, (_ranked_cells(one) for one in found))


def _ranked_cells(one: ranking.Ranked) -> tuple[object, ...]:
    row = one.row
    parts = (f"{one.parts[name]:.2f}" for name in ranking.WEIGHTS)
    note = one.why_not if one.why_not != row.state else ""
    score = "-" if one.why_not else f"{one.score:.3f}"
    when = f"{row.at:%Y-%m-%d %H:%M}"
    return (row.id, row.role, row.state, row.n_rows, score, *parts, when, note, row.source)


@data_app.command("compare")
def compare_data(first: str, second: str) -> None:
    """Compare two dataset versions: columns, counts, classes, drift per column."""
    from core.monitoring import datasets

    built = panel()
    print_json(datasets.compare(built.db, built.settings, first, second).to_dict())


@data_app.command("archive")
def archive(
    dataset: str,
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    undo: Annotated[bool, typer.Option("--undo", help="Use it again.")] = False,
) -> None:
    """Keep a dataset version from being used again, or undo that."""
    built = panel()
    change = versions.restore if undo else versions.archive
    row = change(built.db, actor(built), dataset, reason)
    say(f"Data set {row.id} is {row.state}.")


@data_app.command("suite")
def suite(
    model: str,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A JSON list.")] = None,
    reason: Annotated[str, typer.Option(help="Why it changes; it is recorded.")] = "",
) -> None:
    """Show what is expected of a model's data as JSON, or put an edited list in force."""
    built = panel()
    name = model_name(built, model)
    if file is not None:
        row = suites.edit(built.db, actor(built), name, _json_list(file), reason=reason)
        say(f"Suite {row.version} of {name} is in force: {len(row.expectations)} expectations.")
        return
    with built.db.read() as session:
        current = suites.current(session, name)
    if current is None:
        raise NotFoundError(f"{name} has no suite yet: its first good data generates one")
    print_json(current.expectations)


def _json_list(file: Path) -> list[dict[str, object]]:
    try:
        content = json.loads(text_of(file))
    except ValueError as error:
        raise InvalidInputError(f"{file.name} is no JSON: {error}") from error
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise InvalidInputError(f"{file.name} must hold a list, as `pilothouse data suite` shows")
    return content


@data_app.command("push")
def push(dataset: str) -> None:
    """Copy a dataset version to the DVC store that PILOTHOUSE_DVC_REMOTE names."""
    from core.adapters.dvc_store import DvcStore

    built = panel()
    row = copies.push(built.db, actor(built), built.settings, dataset, DvcStore(built.settings))
    say(f"Data set {row.id} is kept as {row.kept_at}.")


@data_app.command("pull")
def pull(dataset: str) -> None:
    """Bring the rows of a dataset version back from the store, and verify them."""
    from core.adapters.dvc_store import DvcStore

    built = panel()
    row = copies.pull(built.db, built.settings, dataset, DvcStore(built.settings))
    say(f"Data set {row.id} is in the data folder: {row.n_rows} rows, digest verified.")


@app.command()
def train(
    model: str,
    candidate: Annotated[list[str] | None, typer.Option(help="Only these candidates.")] = None,
    follow: Annotated[bool, typer.Option(help="Stay until the run has ended.")] = False,
    reason: str = "",
    trials: Annotated[int | None, typer.Option(help="Search this often per candidate.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Search no longer than this.")] = None,
    metric: Annotated[str | None, typer.Option(help="What decides which is best.")] = None,
    threshold: Annotated[
        str | None, typer.Option(help="even, f1, accuracy, balanced_accuracy or cost.")
    ] = None,
) -> None:
    """Ask for a training run; a worker carries it out."""
    given = {
        "trials": trials,
        "seconds": seconds,
        "selection_metric": metric,
        "threshold": threshold,
    }
    built = panel()
    run = runs.request(
        built.db,
        actor(built),
        model_name(built, model),
        candidates=candidate,
        trigger="command line",
        reason=reason,
        options={name: value for name, value in given.items() if value is not None},
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
            stamped(built, _outcome(built, run))
            return
        if run.state in ("failed", "cancelled"):
            fail(f"the run {run.state}: {run.error or ''}".rstrip(": "))
        time.sleep(0.5)


def _outcome(built: Panel, run: Run) -> str:
    """Say what won and what the gate says of it."""
    with built.db.read() as session:
        row = registry.get(session, run.model, run.version or "")
    figures = ", ".join(f"{name} {row.metrics[name]:.4f}" for name in ("accuracy", "f1"))
    return (
        f"version {row.version} ({row.algorithm}) is registered: {figures}; {registry.verdict(row)}"
    )
