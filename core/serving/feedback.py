"""True labels from clients: checked, written to the log, joined to predictions by their id."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core import predictions
from core.datasets.values import category
from core.errors import InvalidInputError, UnavailableError
from core.serving import records
from core.serving.service import Service
from core.truth import PEOPLE, REVIEW

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

    A label must be a class of the model that answered. The prediction may still be on its way to
    the database: until it is there, a class of any served model is taken, and counted only where
    it turns out to fit (see `core.truth`).

    Raises: UnavailableError (the log cannot be written: then nothing was taken).
    """
    known = service.board.labels()
    truths = [replace(truth, label=category(truth.label) or "") for truth in truths]
    answered = _classes(service, truths)
    problems = [_problem(truth, answered.get(truth.prediction_id), known) for truth in truths]
    now = service.clock()
    accepted = [
        records.label(truth.prediction_id, truth.label, source=truth.source, at=now)
        for truth, problem in zip(truths, problems, strict=True)
        if problem is None
    ]
    if accepted:
        service.spool.append(accepted)
    return problems


def _classes(service: Service, truths: Sequence[Truth]) -> dict[str, set[str]]:
    """Return the classes of the versions that answered, as far as that matters and is known now.

    Labels that every served version has are not asked about. While the database is away, only
    what this process remembers is known.
    """
    versions = [one for served in service.board.served.values() for one in served.scorers.values()]
    everywhere = set.intersection(*(set(one.labels) for one in versions)) if versions else set()
    ids = {truth.prediction_id for truth in truths if truth.label not in everywhere}
    found = {
        key: set(earlier[1]["probabilities"])
        for key in ids
        if (earlier := service.replays.get(key)) is not None
    }
    unknown = sorted(key for key in ids - found.keys() if _ID.fullmatch(key))
    if not unknown:
        return found
    try:
        with service.db.read() as session:
            return found | predictions.classes(session, unknown)
    except UnavailableError:
        return found


def _problem(truth: Truth, answered: set[str] | None, known: set[str]) -> InvalidInputError | None:
    if truth.source == REVIEW or truth.source.startswith(PEOPLE):
        return InvalidInputError(
            "this source stands for what people say in the panel; name another"
        )
    if not _ID.fullmatch(truth.prediction_id):
        return InvalidInputError("a prediction_id is a UUID, as POST /predict answered it")
    if answered is not None:
        return None if truth.label in answered else _foreign(answered)
    if truth.label not in known:
        classes = ", ".join(sorted(known)[:20]) or "none, because nothing is released"
        return InvalidInputError(f"no model answers with this label; known are: {classes}")
    return None


def _foreign(answered: set[str]) -> InvalidInputError:
    classes = ", ".join(sorted(answered)[:20])
    return InvalidInputError(f"the model that answered does not know this label, only: {classes}")
