"""Proposals over REST: what waits, what it rests on, and the decision of a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from fastapi import Query

from api import auth
from api.auth import Asking, Serving
from api.docs import guarded
from api.recommendation_schemas import ApproveBody, ProposalInFull, ProposalList, RejectBody
from api.schemas import JobId, ModelName
from core import recommendations
from core.errors import ForbiddenError
from core.keys import Caller
from core.serving.service import Service
from core.specs import canonical
from core.tables.entities import Recommendation

reading = auth.router("read", tag="recommendations")
deciding = auth.router("operate", tag="recommendations")
_COLUMNS = (
    "id", "model", "kind", "arguments", "state", "severity", "confidence", "title", "reasoning",
    "evidence", "expected", "reasoner", "digest", "proposed_by", "decided_by", "decision_reason",
)  # fmt: skip


@reading.get("/api/v1/recommendations", response_model=ProposalList, responses=guarded(422, 503))
def listed(
    service: Serving,
    state: Literal["waiting", "decided"] = "waiting",
    model: ModelName | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Return what waits for a decision, or what no longer does."""
    name = canonical(model) if model else None
    with service.db.read() as session:
        if state == "waiting":
            rows = recommendations.waiting(session, model=name)[:limit]
        else:
            rows = recommendations.decided(session, limit, model=name)
    return {"recommendations": [_told(service, row) for row in rows]}


@reading.get(
    "/api/v1/recommendations/{recommendation_id}",
    response_model=ProposalInFull,
    responses=guarded(404, 422, 503),
)
def one(recommendation_id: JobId, service: Serving, caller: Asking) -> dict[str, Any]:
    """Return a proposal with what it would change and whether you may decide it."""
    return _in_full(service, caller, recommendation_id)


@deciding.post(
    "/api/v1/recommendations/{recommendation_id}/approve",
    response_model=ProposalInFull,
    responses=guarded(404, 409, 413, 422, 503),
)
def approve(
    recommendation_id: JobId, body: ApproveBody, service: Serving, caller: Asking
) -> dict[str, Any]:
    """Approve exactly what `digest` seals; a worker carries it out, once. Only a person may."""
    with _by_a_person(caller):
        recommendations.approve(
            service.db,
            caller.actor,
            recommendation_id,
            digest=body.digest,
            solo=service.settings.solo,
            reason=body.reason,
        )
    return _in_full(service, caller, recommendation_id)


@deciding.post(
    "/api/v1/recommendations/{recommendation_id}/reject",
    response_model=ProposalInFull,
    responses=guarded(404, 409, 413, 422, 503),
)
def reject(
    recommendation_id: JobId, body: RejectBody, service: Serving, caller: Asking
) -> dict[str, Any]:
    """Reject a proposal with the reason that is kept with it. Only a person may."""
    with _by_a_person(caller):
        recommendations.reject(service.db, caller.actor, recommendation_id, reason=body.reason)
    return _in_full(service, caller, recommendation_id)


@contextmanager
def _by_a_person(caller: Caller) -> Iterator[None]:
    """Tell a key, whose attempt is refused and on record by then, who decides instead."""
    try:
        yield
    except ForbiddenError as refusal:
        if caller.role is not None:
            raise
        raise ForbiddenError(
            "a key never decides; send a person's token, from POST /auth/token with name and"
            " password"
        ) from refusal


def _told(service: Service, row: Recommendation) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in _COLUMNS},
        "risky": recommendations.is_risky(row.kind),
        "proposed_at": row.proposed_at.isoformat(),
        "expires_at": row.expires_at.isoformat(),
        "decided_at": row.decided_at.isoformat() if row.decided_at else None,
        "url": f"{service.settings.panel_address}/recommendation?id={row.id}",
    }


def _in_full(service: Service, caller: Caller, recommendation_id: str) -> dict[str, Any]:
    solo, now = service.settings.solo, service.clock()
    with service.db.read() as session:
        row = recommendations.get(session, recommendation_id)
        changes = recommendations.difference(session, row)
        action = recommendations.action(session, row.id)
        refused = recommendations.why_not(session, caller.actor, row, solo=solo, now=now)
    over = "" if row.state == "proposed" else f"decided already: {recommendations.outcome(row)}"
    return {
        **_told(service, row),
        "changes": [dict(zip(("what", "before", "after"), one, strict=True)) for one in changes],
        "action": {"id": action.id, "state": action.state, "error": action.error}
        if action
        else None,
        "refused": {
            "approve": over or refused.approve or None,
            "reject": over or refused.reject or None,
        },
    }
