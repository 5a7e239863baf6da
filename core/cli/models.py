"""Versions at the command line: compare, stage, release, roll back, archive, move, look back."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from core import outbox, recommendations, registry, releases
from core.cli.base import actor, app, bytes_of, model_name, panel, print_json, say, table
from core.errors import InvalidInputError
from core.registry import again

Reason = Annotated[str, typer.Option(help="Why; it is recorded.")]
AsJson = Annotated[bool, typer.Option("--json")]


@app.command("versions")
def list_versions(model: str, as_json: AsJson = False) -> None:
    """List the versions of a model, their stage and what serves."""
    built = panel()
    name = model_name(built, model)
    with built.db.read() as session:
        rows = registry.versions(session, name)
        release = releases.find_current(session, name)
    serving = {arm.version: arm.weight / 10 for arm in releases.arms(release)} if release else {}
    content = [
        {
            "version": r.version,
            "stage": registry.stage(r, release),
            "state": r.state,
            "algorithm": r.algorithm,
            "accuracy": r.metrics.get("accuracy"),
            "f1": r.metrics.get("f1"),
            "serves_percent": serving.get(r.version, 0),
            "gate": r.gate.get("answer"),
            "overridden": bool(r.overridden),
        }
        for r in rows
    ]
    if as_json:
        print_json(content)
    else:
        head = ("version", "stage", "algorithm", "accuracy", "f1", "serves_percent", "gate")
        table(head, ([_short(c[k]) for k in head] for c in content))


def _short(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) and value <= 1 else str(value)


@app.command()
def compare(
    model: str,
    first: str,
    second: str,
    rows: Annotated[bool, typer.Option(help="Ask both and list the answers that differ.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare two versions; differences are second minus first."""
    built = panel()
    name = model_name(built, model)
    with built.db.read() as session:
        found = registry.compare(session, name, first, second)
    if rows:
        from core.training import versus

        found["rows"] = versus.look(built.db, built.settings, name, first, second).to_dict()
    if as_json:
        print_json(found)
    else:
        _say_comparison(found)


def _say_comparison(found: dict[str, Any]) -> None:
    rows = [
        (name, *map(_short, one["values"]), _short(one["difference"]))
        for name, one in found["metrics"].items()
        if one["values"] != [None, None]
    ]
    table(("metric", *found["versions"], "difference"), rows)
    if found["paired"] is None:
        say("They share no held-out rows, so their figures tell little about which is better.")
    else:
        say(f"On the same rows ({found['paired']['rows']}): {_paired(found)}")
    if asked := found.get("rows"):
        say(f"{asked['changed']:,} of {asked['n']:,} rows get another answer; --json lists them.")


def _paired(found: dict[str, Any]) -> str:
    paired, (first, second) = found["paired"], found["versions"]
    return (
        f"only {first} is right on {paired['only_first_right']:,}, "
        f"only {second} on {paired['only_second_right']:,}; accuracy {paired['difference']:+.4f} "
        f"({paired['level']:.0%} interval {paired['low']:+.4f} to {paired['high']:+.4f})"
    )


@app.command()
def stage(
    model: str, version: str, to: Literal["staging", "development"], reason: Reason = ""
) -> None:
    """Name a version the challenger of what serves, or take that name away."""
    built = panel()
    move = registry.promote_to_staging if to == "staging" else registry.back_to_development
    row = move(built.db, actor(built), model_name(built, model), version, reason=reason)
    say(f"{row.model} {row.version} is in {to}.")


@app.command()
def promote(model: str, version: str, reason: Reason = "") -> None:
    """Propose that a version serves everything; an approver decides in the inbox."""
    built = panel()
    name = model_name(built, model)
    made = recommendations.propose_promotion(
        built.db, built.settings, actor(built), model=name, version=version, reason=reason
    )
    link = f": {built.settings.panel_address}/recommendation?id={made.id}" if made else ""
    say(f"Proposed. It waits for a decision{link}")


@app.command()
def judge(model: str, version: str) -> None:
    """Judge a version again that lacked evidence; the worker does it with the labels since."""
    built = panel()
    name = model_name(built, model)
    job = again.request(built.db, actor(built), name, version)
    say(f"{name} {version} is judged again by the worker: job {job.id} is {job.state}.")


@app.command()
def override(
    model: str, version: str, reason: Annotated[str, typer.Option(help="Why; it is recorded.")]
) -> None:
    """Let a version be proposed although the gate does not say promote (approvers only)."""
    built = panel()
    row = registry.override(
        built.db, actor(built), model_name(built, model), version, reason=reason
    )
    say(f"{row.model} {row.version}: {registry.verdict(row)}.")


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


@app.command()
def history(
    model: str,
    at: Annotated[str, typer.Option(help="A date and time in UTC, such as 2026-11-17T14:00.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say what served when, by whom and why; with --at only what served then."""
    built = panel()
    name = model_name(built, model)
    with built.db.read() as session:
        past = [releases.served_at(session, name, _moment(at))] if at else []
        found = [one.to_dict() for one in past or releases.past(session, name)]
    if as_json:
        print_json(found)
        return
    head = ("release", "serves", "since", "until", "state", "by", "why")
    table(head, ([one[key] or "-" for key in head] for one in found))


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError("give --at as a date, such as 2026-11-17T14:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@app.command()
def archive(model: str, version: str, reason: Reason = "") -> None:
    """Put a version away that neither serves nor is the challenger."""
    built = panel()
    row = registry.archive(built.db, actor(built), model_name(built, model), version, reason=reason)
    say(f"{row.model} {row.version} is archived.")


@app.command()
def export(
    model: str,
    version: str,
    to: Annotated[Path, typer.Option("-o", "--to", help="The file to write.")],
    reason: Reason = "",
) -> None:
    """Write a version into one signed file."""
    from core.serving import transfer

    built = panel()
    name = model_name(built, model)
    content = transfer.export(built.db, actor(built), built.settings, name, version, reason=reason)
    to.write_bytes(content)
    say(f"{to} holds {name} {version}, {len(content):,} bytes.")


@app.command("import")
def import_version(file: Path, reason: Reason = "") -> None:
    """Register the version of a signed file as a new candidate."""
    from core.serving import transfer

    built = panel()
    content = bytes_of(file)
    row = transfer.import_file(built.db, actor(built), built.settings, content, reason=reason)
    say(f"{row.model} {row.version} is registered; {registry.verdict(row)}.")
