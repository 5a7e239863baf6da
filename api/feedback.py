"""POST /feedback and /feedback/csv: true labels, repeatable without effect."""

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api import auth, errors
from api.auth import Asking, Serving
from api.docs import guarded
from api.feedback_schemas import FileAnswer
from api.schemas import FeedbackAnswer, FeedbackBody, FeedbackItem
from core.errors import InvalidInputError, TooLargeError
from core.serving import feedback
from core.serving.feedback import Truth
from core.serving.service import Service

router = auth.router("feedback", tag="predictions")
_REQUIRED = frozenset({"prediction_id", "label"})
_COLUMNS = _REQUIRED | {"source"}
_BATCHES = 10  # a file may hold as many labels as so many requests

_FILE = {
    "required": True,
    "content": {
        "text/csv": {
            "schema": {"type": "string"},
            "example": "prediction_id,label,source\n"
            "0197f3a2-6b1c-7d3e-9a55-0f6f2f4c1b2a,spam,back-office\n",
        }
    },
}


@router.post("/feedback", response_model=FeedbackAnswer, responses=guarded(413, 422, 503))
def take_labels(body: FeedbackBody, service: Serving, _caller: Asking) -> dict[str, Any]:
    """Take what was true; of many labels, a bad one never fails the rest.

    A label may come before its prediction is in the database; one for an id that never comes
    counts nowhere.
    """
    given = dict(enumerate(_given(body, most=service.settings.max_batch)))
    refused = _taken(service, given)
    if body.items is None and refused:
        raise refused[0]
    named = [{"index": index, "error": errors.problem(refused[index])} for index in sorted(refused)]
    return {"status": "accepted", "accepted": len(given) - len(refused), "refused": named}


def _taken(
    service: Service, given: Mapping[int, Truth | InvalidInputError]
) -> dict[int, InvalidInputError]:
    """Take what is a label; return by number what was refused, and why."""
    truths = {number: one for number, one in given.items() if isinstance(one, Truth)}
    problems = zip(truths, feedback.take(service, list(truths.values())), strict=True)
    unread = {number: one for number, one in given.items() if not isinstance(one, Truth)}
    return unread | {number: why for number, why in problems if why is not None}


@router.post(
    "/feedback/csv",
    response_model=FileAnswer,
    responses=guarded(413, 422, 503),
    openapi_extra={"requestBody": _FILE},
)
async def take_file(request: Request, service: Serving, _caller: Asking) -> dict[str, Any]:
    """Take a CSV file in UTF-8 with the columns prediction_id, label and, if you like, source."""
    return await run_in_threadpool(_take_file, service, await request.body())


def _take_file(service: Service, content: bytes) -> dict[str, Any]:
    given = dict(_rows(content, most=_BATCHES * service.settings.max_batch))
    refused = _taken(service, given)
    lines = [{"line": line, "error": errors.problem(refused[line])} for line in sorted(refused)]
    return {"status": "accepted", "accepted": len(given) - len(refused), "refused": lines}


def _rows(content: bytes, *, most: int) -> Iterator[tuple[int, Truth | InvalidInputError]]:
    """Yield each row's line and what it says, or what is wrong with it."""
    try:
        reader = csv.DictReader(StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        _check_head(reader.fieldnames)
        for number, row in enumerate(reader, 1):
            if number > most:
                raise TooLargeError(f"a file may hold at most {most:,} labels")
            yield reader.line_num, _parsed(row)
    except UnicodeDecodeError:
        raise InvalidInputError("the file is not UTF-8") from None
    except csv.Error:
        raise InvalidInputError("the file is not CSV: a quote or a field has no end") from None


def _check_head(names: Any) -> None:  # noqa: ANN401 (what the reader found)
    found = [*names] if names else []
    if not _REQUIRED <= set(found) <= _COLUMNS or len(set(found)) < len(found):
        raise InvalidInputError("the first line names the columns: prediction_id,label,source")


def _parsed(row: dict[Any, Any]) -> Truth | InvalidInputError:
    if None in row or None in row.values():
        return InvalidInputError("the line has not as many fields as the first one")
    return _truth({name: value for name, value in row.items() if value or name != "source"})


def _truth(content: Any) -> Truth | InvalidInputError:  # noqa: ANN401 (what a client sent)
    try:
        item = FeedbackItem.model_validate(content)
    except ValidationError as error:
        problems = error.errors(include_input=False)
        return InvalidInputError(errors.sentence(problems, FeedbackItem))
    return Truth(item.prediction_id, item.label, item.source)


def _given(body: FeedbackBody, *, most: int) -> list[Truth | InvalidInputError]:
    single = body.prediction_id is not None and body.label is not None
    if single == (body.items is not None):
        raise InvalidInputError("give prediction_id and label, or items")
    if body.items is None:
        return [Truth(body.prediction_id or "", body.label or "", body.source)]
    if len(body.items) > most:
        raise TooLargeError(
            f"one request may hold at most {most:,} labels; /feedback/csv takes {_BATCHES * most:,}"
        )
    return [_truth(item) for item in body.items]
