"""Experiments: how one stands, and a new one whose start somebody approves."""

from typing import Annotated, Any

from fastapi import Query

from api import auth
from api.auth import Asking, Serving
from api.docs import guarded
from api.experiment_schemas import ExperimentBody, ExperimentDrafted, ExperimentStatus
from api.schemas import ExperimentName, ModelName
from core import outbox, recommendations
from core.specs import canonical

router = auth.router("read", tag="experiments")
operating = auth.router("operate", tag="experiments")


@router.get(
    "/experiments/{name}/status", response_model=ExperimentStatus, responses=guarded(404, 422, 503)
)
def status(
    service: Serving, name: ExperimentName, model: Annotated[ModelName | None, Query()] = None
) -> dict[str, Any]:
    """Return samples, metrics and the verdict; of two with one name the newest, or name a model."""
    from core.experiments import lifecycle  # loads scipy, which no other route needs

    with service.db.read() as session:
        found = lifecycle.find(session, name, canonical(model) if model else None)
        return {"name": found.name, "model": found.model, **lifecycle.status(session, found.id)}


@operating.post(
    "/api/v1/ab-testing/create",
    response_model=ExperimentDrafted,
    status_code=202,
    responses=guarded(404, 409, 413, 422, 503),
)
def create(body: ExperimentBody, service: Serving, caller: Asking) -> dict[str, Any]:
    """Draft a canary or a shadow, and propose its start; a person approves it."""
    from core.experiments import lifecycle  # loads scipy, which no other route needs

    share = body.traffic_split or 0.1 * (body.mode == "canary")
    row = lifecycle.draft(
        service.db,
        caller.actor,
        model=canonical(body.model_name),
        name=body.name,
        control=body.version_a.removeprefix("v"),
        treatment=body.version_b.removeprefix("v"),
        mode=body.mode,
        share=share,
        hypothesis=body.hypothesis,
        minimum_effect=body.minimum_effect,
        alpha=body.significance_level,
    )
    made = recommendations.propose(
        service.db,
        caller.actor,
        model=row.model,
        kind="start_experiment",
        arguments={"experiment_id": row.id},
        title=f"Start experiment {row.name}: {lifecycle.plan(row)}",
        reasoning=row.hypothesis,
        channels=outbox.channels(service.settings),
    )
    return {
        "status": "proposed",
        "id": row.id,
        "name": row.name,
        "planned_n": row.planned_n,
        "recommendation_id": made.id,
        "recommendation_url": f"{service.settings.panel_address}/recommendation?id={made.id}",
    }
