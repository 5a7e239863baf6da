"""Models that were trained elsewhere, and why a model answers what it answers."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from core import registry, releases
from core.cli.base import actor, app, bytes_of, model_name, panel, print_json, say, table
from core.errors import InvalidInputError
from core.explain.answers import Answered
from core.panel import Panel
from core.serving.scorer import Input
from core.tables.entities import ModelVersion


@app.command()
def register(
    model: str,
    file: Annotated[Path, typer.Argument(help="A fitted pipeline, saved with skops.")],
    data: Annotated[str | None, typer.Option(help="The dataset whose rows judge it.")] = None,
    trained_on: Annotated[
        Path | None, typer.Option(help="The rows that it learnt: CSV or Parquet.")
    ] = None,
    name: Annotated[str, typer.Option(help="What to call its algorithm.")] = "",
    reason: str = "",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Register a scikit-learn pipeline that was trained elsewhere, through the same gate."""
    from core.datasets import uploads
    from core.training import registering

    built = panel()
    learnt = None
    if trained_on is not None:
        learnt = uploads.read(trained_on.name, bytes_of(trained_on), built.settings)
    version = registering.register(
        built.db,
        built.settings,
        actor(built),
        model_name(built, model),
        bytes_of(file),
        name=name,
        dataset_id=data,
        trained_on=learnt,
        reason=reason,
    )
    if as_json:
        print_json(_row(version))
        return
    accuracy, n = version.metrics["accuracy"], version.metrics["n_test"]
    say(f"Registered {version.model} {version.version}: accuracy {accuracy:.4f} on {n:,} rows.")
    say(f"The gate says {str(version.gate['answer']).replace('_', ' ')}:")
    for why in version.gate["reasons"]:
        say(f"  {why}")


@app.command("compile")
def compile_version(model: str, version: str, reason: str = "") -> None:
    """Compile a version of an earlier time, so that it serves without scikit-learn."""
    from core.serving import compiling

    built = panel()
    name = model_name(built, model)
    row = compiling.compile_again(
        built.db, actor(built), built.settings, name, version, reason=reason
    )
    say(f"{row.model} {row.version} serves with {row.plan_note}.")


def _row(version: ModelVersion) -> dict[str, Any]:
    names = ("model", "version", "state", "algorithm", "artifact", "gate")
    figures = {k: v for k, v in version.metrics.items() if isinstance(v, int | float)}
    return {**{name: getattr(version, name) for name in names}, "metrics": figures}


@app.command()
def explain(
    model: str,
    message: Annotated[str | None, typer.Option(help="A text to answer.")] = None,
    features: Annotated[str | None, typer.Option(help="Features as a JSON object.")] = None,
    entity_id: Annotated[str | None, typer.Option(help="Whose features are looked up.")] = None,
    prediction: Annotated[str | None, typer.Option(help="A stored prediction's id.")] = None,
    version: Annotated[str | None, typer.Option(help="Instead of what serves.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Say why a model answers as it does: one input, a stored prediction, or all in all."""
    built = panel()
    name = model_name(built, model)
    if message is None and features is None and prediction is None:
        _importance(_version(built, name, version), as_json=as_json)
        return
    found = _explained(
        built,
        name,
        version,
        prediction,
        message=message,
        features=features,
        entity_id=entity_id,
    )
    if as_json:
        print_json(found.to_dict())
        return
    said = found.explanation
    say(f"{found.model} {found.version}: {said.label} ({said.positive} {said.probability:.4f})")
    table(
        ("input", "value", said.positive),
        ((p.name, p.value, f"{p.contribution:+.4f}") for p in said.parts),
    )
    say(f"base {said.base:+.4f}, others {said.rest:+.4f}, {said.scale} {said.score:+.4f}")
    say(said.method)


def _explained(
    built: Panel,
    name: str,
    version: str | None,
    prediction: str | None,
    *,
    message: str | None,
    features: str | None,
    entity_id: str | None,
) -> Answered:
    from core.adapters import shap_explainer
    from core.explain import answers
    from core.serving import scorer
    from core.serving.features import completed

    sampler = shap_explainer.sampler()
    if prediction is not None:
        return answers.stored(built.db, built.settings, prediction, sampler=sampler)
    row = _version(built, name, version)
    given: Input = message if message is not None else _object(features or "")
    answers.check_kind(row, given)
    with built.db.read() as session:
        given = completed(session, row, given, entity_id=entity_id, now=built.clock())
        cut = releases.threshold(releases.find_current(session, row.model), row)
    checked = scorer.load(built.settings, row).check(given)
    return answers.explain(built.db, built.settings, row, checked, threshold=cut, sampler=sampler)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidInputError('features are a JSON object, like {"age": 63}') from error
    if not isinstance(found, dict):
        raise InvalidInputError('features are a JSON object, like {"age": 63}')
    return found


def _version(built: Panel, name: str, version: str | None) -> ModelVersion:
    with built.db.read() as session:
        if version is None:
            version = releases.champion(releases.current(session, name))
        return registry.get(session, name, version)


def _importance(row: ModelVersion, *, as_json: bool) -> None:
    kept = row.explanation or {"features": [], "why": "it was registered before this was measured"}
    if as_json:
        print_json({"model": row.model, "version": row.version, **kept})
    elif not kept["features"]:
        say(f"{row.model} {row.version}: {kept['why']}")
    else:
        say(f"{row.model} {row.version}, mean size of the contribution to the {kept['scale']}:")
        rows = ((one["name"], f"{one['importance']:.4f}") for one in kept["features"])
        table(("input", "importance"), rows)
