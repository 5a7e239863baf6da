"""What the arguments of each kind may be: exactly its own, in range, naming what exists."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from core import policies, registry, releases, specs
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.incidents import silences
from core.recommendations import kinds, scaling
from core.recommendations.kinds import EVERYWHERE, KINDS
from core.specs import gates
from core.tables.decisions import PolicyVersion
from core.tables.entities import Experiment, ModelVersion

LONGEST = 100
BUILT_IN = "0"
"""The policy version that stands for none: what lies underneath is in force again."""

_WHOLE = re.compile(r"[0-9]{1,9}")


def check_arguments(session: Session, model: str, kind: str, arguments: Mapping[str, Any]) -> None:
    """Raise unless `kind` is known and `arguments` are exactly its own and name what exists.

    Raises: InvalidInputError; NotFoundError; ConflictError (a shadow has no share to widen).
    """
    wanted_names = kinds.of(kind).arguments
    if set(arguments) != wanted_names:
        wanted = ", ".join(sorted(wanted_names)) or "no arguments"
        raise InvalidInputError(f"a proposal to {kind} takes {wanted}")
    for name, value in arguments.items():
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
            raise InvalidInputError(f"{name} must be 1 to {LONGEST} characters")
    _check_scope(session, model, kind)
    for name in sorted(arguments, key=[*_CHECKS].index):
        check = _OF_KIND.get((kind, name)) or _CHECKS[name]
        check(session, model, kind, arguments[name])


def _check_scope(session: Session, model: str, kind: str) -> None:
    if model == EVERYWHERE:
        if kinds.of(kind).serving or kind in ("grant_autonomy", "change_gate"):
            raise InvalidInputError(f"a proposal to {kind} is about one model: name it")
    elif kind in ("freeze", "silence", "change_gate"):
        specs.active_row(session, model)


def _version(session: Session, model: str, _kind: str, version: str) -> None:
    if session.get(ModelVersion, (model, version)) is None:
        raise NotFoundError(f"{model} has no version {version}")


def _weighted(session: Session, model: str, kind: str, version: str) -> None:
    """A version gets a share as it is released; one that has a share can lose it."""
    current = releases.find_current(session, model)
    if not (current and version in {arm.version for arm in releases.arms(current)}):
        _released(session, model, kind, version)


def _released(session: Session, model: str, kind: str, version: str) -> None:
    """A version serves only through the gate, or by an approver's word over it."""
    _version(session, model, kind, version)
    if not registry.releasable(session.get_one(ModelVersion, (model, version))):
        raise ConflictError(
            f"the gate has not let {model} {version} through; an approver may override it with a"
            " reason"
        )


def _policy_version(session: Session, model: str, _kind: str, version: str) -> None:
    whole = _WHOLE.fullmatch(version)
    row = session.get(PolicyVersion, (model, int(version))) if whole else None
    if row is None and version != BUILT_IN:
        whom = "all models" if model == EVERYWHERE else model
        raise NotFoundError(f"there is no policy version {version} for {whom}")
    if row is None:
        policies.check(session, model, {})


def _weight(_session: Session, _model: str, _kind: str, share: str) -> None:
    if _number(share) != 0 and not 0.001 <= _number(share) <= 0.999:
        raise InvalidInputError("a share is 0, which ends it, or lies between 0.001 and 0.999")


def _experiment(session: Session, model: str, kind: str, experiment_id: str) -> None:
    row = session.get(Experiment, experiment_id)
    if row is None or row.model != model:
        raise NotFoundError(f"{model} has no experiment {experiment_id}")
    if kind == "widen_experiment" and row.mode != "canary":
        raise ConflictError(
            f"experiment {row.name} runs in {row.mode}: no client meets {row.treatment},"
            " so there is no share to widen"
        )


def _cause(session: Session, _model: str, _kind: str, cause: str) -> None:
    known = silences.known_causes(session)
    if cause not in known:
        raise InvalidInputError(f"there is no cause {cause}; there is {', '.join(known)}")


def _kind_of_action(_session: Session, _model: str, _kind: str, given: str) -> None:
    alone = [name for name, one in KINDS.items() if one.alone]
    if given not in alone:
        raise InvalidInputError(
            f"{given} is never left to the product; these can be: {', '.join(alone)}"
        )


def _hours(session: Session, model: str, kind: str, hours: str) -> None:
    most = 168 if kind == "freeze" else 720
    if not 0 < _number(hours) <= most:
        raise InvalidInputError(f"a {kind} lasts more than 0 hours and at most {most}")


def _replicas(session: Session, _model: str, _kind: str, replicas: str) -> None:
    scaling.check(session, replicas)


def _within(least: float, most: float, sentence: str) -> "Check":
    def check(_session: Session, _model: str, _kind: str, given: str) -> None:
        if not least <= _number(given) <= most:
            raise InvalidInputError(sentence)

    return check


def _whole(least: int, most: int, what: str) -> "Check":
    def check(_session: Session, _model: str, _kind: str, given: str) -> None:
        if not _WHOLE.fullmatch(given) or not least <= int(given) <= most:
            raise InvalidInputError(f"{what} is a whole number from {least:,} to {most:,}")

    return check


def _number(given: str) -> float:
    """Return a number as it was typed; no number is NaN, which lies in no range."""
    try:
        return float(given)
    except ValueError:
        return math.nan


def _of_gate(name: str) -> "Check":
    def check(_session: Session, _model: str, _kind: str, given: str) -> None:
        gates.of({name: given})

    return check


Check = Callable[[Session, str, str, str], None]
"""Raises unless an argument (session, model, kind, value) can be."""

_CHECKS: Mapping[str, Check] = {
    "share": _within(0.001, 0.999, "a share lies between 0.001 and 0.999"),
    "threshold": _within(0.01, 0.99, "a threshold lies between 0.01 and 0.99"),
    "rows": _whole(10, 5_000, "the number of labels to collect"),
    "replicas": _replicas,
    "hours": _hours,
    "kind": _kind_of_action,
    "cause": _cause,
    "version": _version,
    "to": _version,
    "experiment_id": _experiment,
    **{name: _of_gate(name) for name in gates.NAMES},
}
"""By argument, in the order in which they are looked at."""

_OF_KIND: Mapping[tuple[str, str], Check] = {
    ("change_policy", "version"): _policy_version,
    ("change_weights", "share"): _weight,
    ("change_weights", "version"): _weighted,
    ("promote", "version"): _released,
}
"""Where an argument means something of its own to a kind."""
