"""Why a model answers what it answers."""

import asyncio
import threading
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Path

from api import auth
from api.auth import Serving
from api.docs import guarded
from api.schemas import ExplainBody, Explanation, JobId, ModelName
from core import registry, specs
from core.errors import InvalidInputError, UnavailableError
from core.explain import answers
from core.explain.answers import Answered
from core.serving import features, scorer
from core.serving.scorer import Input
from core.serving.service import Service

asking = auth.router("predict", tag="explanations")
reading = auth.router("read", tag="explanations")
MOST_SECONDS = 15.0
_ERRORS = guarded(404, 409, 413, 422, 503)
_free = threading.BoundedSemaphore(2)


@asking.post("/api/v1/models/{name}/explain", response_model=Explanation, responses=_ERRORS)
async def explain(name: ModelName, body: ExplainBody, service: Serving) -> dict[str, Any]:
    """Say what each input adds to the answer; nothing is logged or counted."""
    given = _given(body, longest=service.settings.max_message_chars)
    return await _aside(lambda: _explained(service, name, body, given))


@reading.get(
    "/api/v1/predictions/{prediction_id}/explain", response_model=Explanation, responses=_ERRORS
)
async def explain_stored(
    prediction_id: Annotated[JobId, Path()], service: Serving
) -> dict[str, Any]:
    """Explain a prediction of the log with the version that answered it."""
    return await _aside(lambda: answers.stored(service.db, service.settings, prediction_id))


def _explained(service: Service, name: str, body: ExplainBody, given: Input) -> Answered:
    with service.db.read() as session:
        model = specs.active(session, specs.canonical(name)).name
        version = body.version or service.board.find(model).champion.version
        row = registry.get(session, model, version)
        answers.check_kind(row, given)
        given = features.completed(
            session, row, given, entity_id=body.entity_id, now=service.clock()
        )
    served = service.board.served.get(model)
    warm = served.scorers.get(row.version) if served else None
    asked = warm or scorer.load(service.settings, row)
    checked = asked.check(given)
    return answers.explain(service.db, service.settings, row, checked, threshold=asked.threshold)


def _given(body: ExplainBody, *, longest: int) -> Input:
    if (body.message is None) == (body.features is None):
        raise InvalidInputError("give either message or features")
    if body.message is None:
        return dict(body.features or {})
    if len(body.message) > longest:
        raise InvalidInputError(f"a message may have at most {longest:,} characters")
    return body.message


async def _aside(work: Callable[[], Answered]) -> dict[str, Any]:
    """Compute in a thread, two at a time and within a bound; predictions have theirs apart."""

    def one() -> dict[str, Any]:
        try:
            return work().to_dict()
        finally:
            _free.release()

    if not _free.acquire(blocking=False):
        raise UnavailableError(
            "two explanations are being computed already; ask again", retry_after=1
        )
    try:
        return await asyncio.wait_for(asyncio.to_thread(one), MOST_SECONDS)
    except TimeoutError as error:
        raise UnavailableError("explaining took too long; ask again later") from error
