"""POST /feedback: true labels, single or many, repeatable without effect."""

from typing import Any

from api import auth, errors
from api.auth import Asking, Serving
from api.docs import guarded
from api.schemas import FeedbackAnswer, FeedbackBody
from core.errors import InvalidInputError, TooLargeError
from core.serving import feedback
from core.serving.feedback import Truth

router = auth.router("feedback", tag="predictions")


@router.post("/feedback", response_model=FeedbackAnswer, responses=guarded(413, 422, 503))
def take_labels(body: FeedbackBody, service: Serving, _caller: Asking) -> dict[str, Any]:
    """Take what was true; of many labels, a bad one never fails the rest."""
    truths = _truths(body, most=service.settings.max_batch)
    problems = feedback.take(service, truths)
    if body.items is None and problems[0] is not None:
        raise problems[0]
    refused = [
        {"index": index, "error": errors.problem(problem)}
        for index, problem in enumerate(problems)
        if problem is not None
    ]
    return {"status": "accepted", "accepted": len(truths) - len(refused), "refused": refused}


def _truths(body: FeedbackBody, *, most: int) -> list[Truth]:
    single = body.prediction_id is not None and body.label is not None
    if single == (body.items is not None):
        raise InvalidInputError("give prediction_id and label, or items")
    if body.items is None:
        return [Truth(body.prediction_id or "", body.label or "", body.source)]
    if len(body.items) > most:
        raise TooLargeError(f"one request may hold at most {most:,} labels")
    return [Truth(item.prediction_id, item.label, item.source) for item in body.items]
