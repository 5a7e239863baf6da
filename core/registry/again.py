"""Which versions that lacked evidence may be judged again, and asking for it."""

from datetime import datetime
from math import ceil

from sqlalchemy.orm import Session

from core import jobs, predictions, releases
from core.access import Actor
from core.db import Database
from core.errors import ConflictError
from core.registry.stages import verdict
from core.registry.versions import get, versions
from core.tables.entities import ModelVersion
from core.tables.operational import Job

FEWEST = 50
"""So many labels have to arrive before the product itself asks again."""


def looks(version: ModelVersion) -> int:
    """Return how often the gate has judged a version against what serves.

    >>> looks(ModelVersion(gate={"answer": "not_enough_evidence", "look": 2}))
    2
    """
    return max(1, int(version.gate.get("look") or 0))


def judged_at(version: ModelVersion) -> datetime:
    """Return when the gate judged a version last."""
    at = version.gate.get("at")
    return datetime.fromisoformat(at) if at else version.at


def new_labels(session: Session, version: ModelVersion) -> int:
    """Return of how many predictions the truth became known since it was judged."""
    return predictions.labels_since(session, version.model, judged_at(version))


def lacks_evidence(version: ModelVersion) -> bool:
    """Say whether the gate left a version undecided in a way that more rows may settle."""
    undecided = version.gate.get("answer") == "not_enough_evidence" and version.state == "candidate"
    return undecided and not version.overridden and version.gate.get("overlap") != "unknown"


def check(session: Session, version: ModelVersion) -> None:
    """Raise `ConflictError` unless judging a version again may tell something new."""
    name = f"{version.model} {version.version}"
    if version.gate.get("overlap") == "unknown":
        raise ConflictError(f"it is not known which rows {name} has learnt; it is not judged again")
    if not lacks_evidence(version):
        raise ConflictError(
            f"of {name} {verdict(version)}; only what lacks evidence is judged again"
        )
    if not new_labels(session, version):
        raise ConflictError(f"no label has arrived since {name} was judged")


def due(session: Session, model: str) -> ModelVersion | None:
    """Return the newest undecided version that is newer than what serves, if it is time.

    That is when a quarter of the rows that it lacked, and at least 50, were labelled since.
    """
    release = releases.find_current(session, model)
    if release is None:
        return None
    serving = get(session, model, releases.champion(release))
    newer = (one for one in versions(session, model) if one.number > serving.number)
    found = next((one for one in newer if lacks_evidence(one)), None)
    if found is None:
        return None
    needed = max(FEWEST, ceil((found.gate.get("more_rows_needed") or 0) / 4))
    return found if new_labels(session, found) >= needed else None


def ask(db: Database, version: ModelVersion) -> Job:
    """Queue judging a version that is due; after a failure at most once a day."""
    now = db.clock()
    key = f"due_{_key(version)}:{now.date()}"
    with db.keep() as session:
        return jobs.enqueue(session, "judge_again", _payload(version), now=now, key=key)


def request(db: Database, actor: Actor, model: str, version: str) -> Job:
    """Queue judging a version again for a person; its job under way is returned.

    Raises: ForbiddenError; NotFoundError; ConflictError (there is nothing new to judge).
    """
    with db.read() as session:
        row = get(session, model, version)
        check(session, row)
    return jobs.request(db, actor, "judge_again", _payload(row), key=_key(row))


def _payload(version: ModelVersion) -> dict[str, object]:
    return {"model": version.model, "version": version.version, "look": looks(version) + 1}


def _key(version: ModelVersion) -> str:
    return f"judge_again:{version.model}:{version.version}:{looks(version)}"
