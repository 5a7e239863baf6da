"""Experiments: how one stands, its results, a new one whose start somebody approves, its end."""

from typing import Annotated, Any

from fastapi import Query

from api import auth
from api.auth import Asking, Serving
from api.docs import guarded
from api.experiment_schemas import (
    ConcludeBody,
    ExperimentBody,
    ExperimentDrafted,
    ExperimentResults,
    ExperimentStatus,
)
from api.schemas import ExperimentName, ModelName
from core import outbox, recommendations
from core.specs import canonical

router = auth.router("read", tag="experiments")
operating = auth.router("operate", tag="experiments")

OfModel = Annotated[ModelName | None, Query(description="Where several models have one so named.")]


@router.get(
    "/experiments/{name}/status", response_model=ExperimentStatus, responses=guarded(404, 422, 503)
)
def status(service: Serving, name: ExperimentName, model: OfModel = None) -> dict[str, Any]:
    """Return samples, metrics and the verdict; of two with one name the newest, or name a model."""
    from core.experiments import lifecycle, results  # load scipy, which no other route needs

    with service.db.read() as session:
        found = lifecycle.find(session, name, canonical(model) if model else None)
        told = results.of(session, found)
        return {**lifecycle.status(session, found.id), **told, "name": found.name}


@router.get(
    "/api/v1/ab-testing/results/{test}",
    response_model=ExperimentResults,
    responses=guarded(404, 422, 503),
)
def results(service: Serving, test: ExperimentName, model: OfModel = None) -> dict[str, Any]:
    """Return both arms, the difference with its interval, the winner and what to do next.

    `test` is a name or an id. Look as often as you like: the interval holds at every look.
    """
    from core.experiments import lifecycle, results  # load scipy, which no other route needs

    with service.db.read() as session:
        found = lifecycle.find(session, test, canonical(model) if model else None)
        return results.of(session, found)


@operating.post(
    "/api/v1/ab-testing/create",
    response_model=ExperimentDrafted,
    status_code=202,
    responses=guarded(404, 409, 413, 422, 503),
)
def create(body: ExperimentBody, service: Serving, caller: Asking) -> dict[str, Any]:
    """Draft a canary or a shadow and propose its start, both or neither; a person approves it."""
    channels = outbox.channels(service.settings)
    row, made = recommendations.propose_experiment(
        service.db, caller.actor, body.plan(), channels=channels
    )
    return {
        "status": "proposed",
        "id": row.id,
        "name": row.name,
        "planned_n": row.planned_n,
        "recommendation_id": made.id,
        "recommendation_url": f"{service.settings.panel_address}/recommendation?id={made.id}",
    }


@operating.post(
    "/api/v1/ab-testing/conclude/{test}",
    response_model=ExperimentResults,
    responses=guarded(404, 409, 413, 422, 503),
)
def conclude(
    service: Serving,
    caller: Asking,
    test: ExperimentName,
    model: OfModel = None,
    body: ConcludeBody | None = None,
) -> dict[str, Any]:
    """End a running experiment at once: all traffic goes to the control, the result is kept.

    A winner is not released by this: `…/promote` proposes that.
    """
    from core.experiments import lifecycle, results  # load scipy, which no other route needs

    with service.db.read() as session:
        found = lifecycle.find(session, test, canonical(model) if model else None)
    reason = (body or ConcludeBody()).reason
    stopped = lifecycle.stop(service.db, caller.actor, found.id, reason=reason)
    with service.db.read() as session:
        return results.of(session, stopped)
