"""True labels from clients: checked, written to the log, joined to predictions by their id."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.datasets.values import category
from core.errors import InvalidInputError
from core.serving import records
from core.serving.service import Service

SOURCE = "client"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Truth:
    """What was true of one prediction, and who says so."""

    prediction_id: str
    label: str
    source: str = SOURCE


def take(service: Service, truths: Sequence[Truth]) -> list[InvalidInputError | None]:
    """Log labels, and say per label why it was refused, or None.

    The prediction may still be on its way to the database, so its existence is not asked for.

    Raises: UnavailableError (the log cannot be written: then nothing was taken).
    """
    known = service.board.labels()
    truths = [replace(truth, label=category(truth.label) or "") for truth in truths]
    problems = [_problem(truth, known) for truth in truths]
    now = service.clock()
    accepted = [
        records.label(truth.prediction_id, truth.label, source=truth.source, at=now)
        for truth, problem in zip(truths, problems, strict=True)
        if problem is None
    ]
    if accepted:
        service.spool.append(accepted)
    return problems


def _problem(truth: Truth, known: set[str]) -> InvalidInputError | None:
    if not _ID.fullmatch(truth.prediction_id):
        return InvalidInputError("a prediction_id is a UUID, as POST /predict answered it")
    if truth.label not in known:
        classes = ", ".join(sorted(known)[:20]) or "none, because nothing is released"
        return InvalidInputError(f"no model answers with this label; known are: {classes}")
    return None
