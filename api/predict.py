"""POST /predict and /predict/batch."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
from fastapi import Response
from pydantic import ValidationError

from api import auth, errors
from api.auth import Asking, Charge, Serving
from api.docs import guarded
from api.schemas import BatchAnswer, BatchBody, PredictBody, Prediction
from core.errors import InvalidInputError, PilothouseError, TooLargeError
from core.serving import predict
from core.serving.predict import Answer, Request

router = auth.router("predict", tag="predictions")
batches = auth.router("predict", tag="predictions", many=True)
_ERRORS = guarded(404, 409, 413, 422, 500, 503)


@router.post("/predict", response_model=Prediction, responses=_ERRORS)
async def predict_one(body: PredictBody, service: Serving, caller: Asking) -> Response:
    """Answer one input; the answer is in the log before you have it."""
    request = Request(**dict(body))
    if predict.is_quick(service, request.model):
        answer = predict.predict(service, caller, request)
    else:
        answer = await service.aside.run(partial(predict.predict, service, caller, request))
    return _json(answer)


@batches.post("/predict/batch", response_model=BatchAnswer, responses=_ERRORS)
async def predict_many(
    body: BatchBody, service: Serving, caller: Asking, charge: Charge
) -> Response:
    """Answer many inputs; a bad one gets an error of its own and never fails the rest."""
    bodies = _bodies(body, most=service.settings.max_batch)
    charge(len(bodies))
    service.board.find(body.model)
    good = [Request(**dict(one)) for one in bodies if isinstance(one, PredictBody)]
    answers = iter(await service.aside.run(partial(predict.predict_all, service, caller, good)))
    mixed = [next(answers) if isinstance(one, PredictBody) else one for one in bodies]
    return _json(_results(mixed))


def _bodies(body: BatchBody, *, most: int) -> list[PredictBody | InvalidInputError]:
    """Return each item as a request of its own, or what is wrong with it."""
    if (body.messages is None) == (body.batch_features is None):
        raise InvalidInputError("give either messages or batch_features")
    name, items = ("message", body.messages) if body.messages else ("features", body.batch_features)
    items = items or []
    if len(items) > most:
        raise TooLargeError(f"a batch may hold at most {most:,} items; /predict/stream takes more")
    users = _beside(items, "user_ids", body.user_ids)
    entities = _beside(items, "entity_ids", body.entity_ids)
    shared = {"model": body.model, "experiment_name": body.experiment_name}
    return [
        _parsed({name: item, "user_id": user, "entity_id": entity, **shared})
        for item, user, entity in zip(items, users, entities, strict=True)
    ]


def _beside(items: list[Any], name: str, given: list[Any] | None) -> list[Any]:
    if given is not None and len(given) != len(items):
        raise InvalidInputError(f"{name} must have one entry per item")
    return given if given is not None else [None] * len(items)


def _parsed(content: dict[str, Any]) -> PredictBody | InvalidInputError:
    try:
        return PredictBody.model_validate(content)
    except ValidationError as error:
        return InvalidInputError(errors.sentence(error.errors(include_input=False), PredictBody))


def _results(answers: Sequence[Answer | PilothouseError]) -> dict[str, Any]:
    failed = sum(isinstance(one, PilothouseError) for one in answers)
    results = [
        {"error": errors.problem(one)} if isinstance(one, PilothouseError) else one
        for one in answers
    ]
    return {"results": results, "succeeded": len(answers) - failed, "failed": failed}


def _json(content: Any) -> Response:  # noqa: ANN401 (plain values)
    return Response(orjson.dumps(content), media_type="application/json")
