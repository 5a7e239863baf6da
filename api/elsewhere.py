"""POST /api/v1/monitoring/log-prediction: what was predicted elsewhere, into the same log."""

from typing import Any

from pydantic import ValidationError

from api import auth, errors
from api.auth import Asking, Charge, Serving
from api.docs import guarded
from api.elsewhere_schemas import LoggedAnswer, LoggedBody, LoggedItem
from core.errors import ForbiddenError, InvalidInputError, PilothouseError, TooLargeError
from core.serving import elsewhere
from core.serving.elsewhere import Made

router = auth.router("predict", tag="predictions", many=True)


@router.post(
    "/api/v1/monitoring/log-prediction",
    response_model=LoggedAnswer,
    responses=guarded(404, 409, 413, 422, 503),
)
def log(body: LoggedBody, service: Serving, caller: Asking, charge: Charge) -> dict[str, Any]:
    """Take predictions of a released version that were made elsewhere, with labels if known.

    A bad one never fails the rest.
    """
    most = service.settings.max_batch
    if len(body.predictions) > most:
        raise TooLargeError(f"one request may hold at most {most:,} predictions")
    read = [_read(body.model_name, given) for given in body.predictions]
    made = [one for one in read if isinstance(one, Made)]
    if not caller.may("feedback") and any(one.true_label is not None for one in made):
        raise ForbiddenError("a true_label needs the scope feedback")
    charge(len(read))
    taken = iter(elsewhere.take(service, caller, made))
    found = [next(taken) if isinstance(one, Made) else one for one in read]
    refused = [
        {"index": index, "error": errors.problem(one)}
        for index, one in enumerate(found)
        if isinstance(one, PilothouseError)
    ]
    ids = [one if isinstance(one, str) else None for one in found]
    return {"status": "accepted", "prediction_ids": ids, "refused": refused}


def _read(model: str | None, given: Any) -> Made | InvalidInputError:  # noqa: ANN401 (JSON)
    try:
        return Made(model=model, **dict(LoggedItem.model_validate(given)))
    except ValidationError as error:
        problems = error.errors(include_input=False)
        return InvalidInputError(errors.sentence(problems, LoggedItem))
