"""The policy in force: built-in thresholds, under the spec's own, under versions people approved.

A version for one model lies over one for all models ("*"). Versions are proposed and approved like
actions (`change_policy`); what a decision was made by is kept with its facts. A version is drafted
over the one in force, holds all thresholds of its scope, and takes that one's place when approved.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, cast

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

from core import specs
from core.chain import canonical
from core.db import Command
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.specs.meanings import DEFAULTS, misfits
from core.specs.thresholds import Policy, layered
from core.tables.base import Json
from core.tables.decisions import PolicyVersion

ALL = "*"
BUILT_IN = "built in"
THE_SPEC = "the spec"
LONGEST_REASON = 1000
NAMES = tuple(DEFAULTS)

Changes = Mapping[str, float | None]
"""New values by name; None: as it lies underneath again."""


@dataclass(frozen=True)
class InForce:
    """The thresholds for a model; `approved`: people have approved at least a part of them."""

    policy: Policy
    name: str
    approved: bool


@dataclass(frozen=True)
class Value:
    """One threshold in force, and who says so: built in, the spec, or a version."""

    name: str
    value: float
    source: str


def in_force(session: Session, model: str) -> InForce:
    """Return the policy for a model. Raises: NotFoundError (no such model)."""
    return over(specs.active(session, model), _active_of(session, model))


def over(spec: specs.ModelSpec, versions: Mapping[str, PolicyVersion]) -> InForce:
    """Return the policy that versions by scope ("*", the model) make over a spec's own."""
    given = [versions[scope] for scope in (ALL, spec.name) if scope in versions]
    name = " + ".join(label(row) for row in given) or BUILT_IN
    policy = layered(spec, *(row.thresholds for row in given))
    return InForce(policy, name, approved=bool(given))


def judging(session: Session, spec: specs.ModelSpec) -> specs.ModelSpec:
    """Return a spec for those who judge by it: what people approved is its policy."""
    versions = _active_of(session, spec.name)
    if not versions:
        return spec
    now = asdict(over(spec, versions).policy)
    own = {"accuracy_floor": now.pop("accuracy_floor"), "overrides": now}
    return spec.model_copy(update={"policy": spec.policy.model_copy(update=own)})


def would_be(session: Session, model: str, scope: str, thresholds: Mapping[str, Any]) -> InForce:
    """Return the policy for a model if `thresholds` were all that `scope` says by itself.

    Raises: NotFoundError; InvalidInputError (a value cannot be).
    """
    draft = PolicyVersion(model=scope, version=0, thresholds=dict(thresholds))
    return over(specs.active(session, model), {**_active_of(session, model), scope: draft})


def values(session: Session, scope: str) -> list[Value]:
    """Return each threshold of a model, or of all ("*"), with where it comes from.

    Raises: NotFoundError.
    """
    found = {name: Value(name, value, BUILT_IN) for name, value in DEFAULTS.items()}
    if scope != ALL:
        spec = specs.active(session, scope)
        own = {"accuracy_floor": spec.policy.accuracy_floor, **spec.policy.overrides}
        stated = spec.policy.model_fields_set
        named = {n: v for n, v in own.items() if n != "accuracy_floor" or n in stated}
        found |= {name: Value(name, float(value), THE_SPEC) for name, value in named.items()}
    for row in _active_of(session, scope).values():
        found |= {n: Value(n, value, label(row)) for n, value in _known(row).items()}
    return list(found.values())


def remembered(recorded: Mapping[str, Any]) -> Policy:
    """Return a policy as it was recorded, also by a version with fewer or other thresholds."""
    return Policy(**{name: recorded[name] for name in NAMES if name in recorded})


def label(row: PolicyVersion) -> str:
    """Name a version.

    >>> label(PolicyVersion(model="*", version=2))
    'all models 2'
    """
    return f"{scope_words(row.model)} {row.version}"


def scope_words(scope: str) -> str:
    """Name a scope.

    >>> scope_words("*"), scope_words("spam")
    ('all models', 'spam')
    """
    return "all models" if scope == ALL else scope


def active(session: Session, scope: str) -> PolicyVersion | None:
    """Return the active version of a scope, or None."""
    return session.scalars(select(PolicyVersion).filter_by(model=scope, state="active")).first()


def history(session: Session, scope: str | None = None) -> list[PolicyVersion]:
    """Return the versions of a scope, or of all scopes, newest first."""
    query = select(PolicyVersion).order_by(PolicyVersion.at.desc(), PolicyVersion.version.desc())
    return list(session.scalars(query.filter_by(model=scope) if scope else query))


def get(session: Session, scope: str, version: int) -> PolicyVersion:
    """Return a version. Raises: NotFoundError."""
    if row := session.get(PolicyVersion, (scope, version)):
        return row
    raise NotFoundError(f"there is no policy version {version} for {scope_words(scope)}")


def seal(scope: str, thresholds: Mapping[str, Any]) -> str:
    """Return the digest (SHA-256) of what a version would put in force, and for whom."""
    return sha256(canonical({"scope": scope, "thresholds": dict(thresholds)})).hexdigest()


def merged(session: Session, scope: str, changes: Changes) -> dict[str, float]:
    """Return all thresholds of a scope after `changes` to those that its active version has.

    What equals what lies underneath a model's own is left out: it follows that from then on.

    Raises: NotFoundError (model); InvalidInputError (no such threshold, a value cannot be).
    """
    _check_names(changes)
    given = _own(session, scope) | {
        name: value for name, value in changes.items() if value is not None
    }
    beneath = _beneath(session, scope)
    after = {
        name: value
        for name, value in given.items()
        if changes.get(name, value) is not None and beneath.get(name) != value
    }
    check(session, scope, after)
    return after


def altered(session: Session, scope: str, changes: Changes) -> dict[str, float]:
    """Do what `merged` does. Raises: what that raises; InvalidInputError (nothing would change)."""
    after = merged(session, scope, changes)
    if after == _own(session, scope):
        raise InvalidInputError(f"nothing would change: {_told(session, scope, changes)}")
    return after


def changes_of(session: Session, row: PolicyVersion) -> list[tuple[str, float, float]]:
    """Return what putting a version in force would change now: (threshold, before, after)."""
    before = {one.name: one.value for one in values(session, row.model)}
    after = dict(DEFAULTS) | _beneath(session, row.model) | row.thresholds
    return [(name, was, after[name]) for name, was in before.items() if after[name] != was]


def draft_in(
    command: Command, *, scope: str, thresholds: Changes, reason: str, replay: Json | None = None
) -> PolicyVersion:
    """Draft a version from changes to the one in force; it takes the place of older drafts.

    `replay` is what proposing it was based on. Raises: NotFoundError; InvalidInputError.
    """
    session = command.session
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise InvalidInputError(f"say why, in at most {LONGEST_REASON:,} characters")
    own, base = altered(session, scope, thresholds), active(session, scope)
    newest = session.scalar(select(func.max(PolicyVersion.version)).filter_by(model=scope)) or 0
    session.execute(
        update(PolicyVersion).filter_by(model=scope, state="proposed").values(state="retired")
    )
    row = PolicyVersion(
        model=scope,
        version=newest + 1,
        base=base.version if base else 0,
        state="proposed",
        thresholds=own,
        digest=seal(scope, own),
        reason=reason.strip(),
        replay=replay or {},
        author=command.actor.name,
        at=command.now,
    )
    session.add(row)
    session.flush()
    command.note(policy=label(row), thresholds=own, digest=row.digest)
    return row


def activate_in(command: Command, scope: str, version: int) -> PolicyVersion:
    """Put a version in force: one that is proposed, or one that was in force before.

    Raises: NotFoundError; ConflictError (in force already, never approved, changed since it was
    drafted); InvalidInputError (a threshold that it names is gone or cannot be).
    """
    session, row = command.session, get(command.session, scope, version)
    if seal(scope, row.thresholds) != row.digest:
        raise ConflictError(f"policy {label(row)} is not what was drafted: its thresholds changed")
    if row.state == "active":
        raise ConflictError(f"policy {label(row)} is in force already")
    if row.state == "retired" and row.activated_at is None:
        raise ConflictError(f"policy {label(row)} gave way to a newer draft")
    check(session, scope, row.thresholds)
    before = active(session, scope)
    if row.state == "proposed" and row.base != (before.version if before else 0):
        now = label(before) if before else "none"
        raise ConflictError(
            f"policy {label(row)} was drafted over another version ({now} is in force); propose it"
            " again"
        )
    if before:
        _move(session, before, "active", "retired")
    _move(session, row, row.state, "active", activated_at=command.now)
    command.note(policy=label(row), before=label(before) if before else BUILT_IN)
    return row


def retire_in(command: Command, scope: str) -> PolicyVersion:
    """Take the version in force back, to what lies underneath.

    Raises: ConflictError (none is); InvalidInputError (what else is in force made sense only with
    it).
    """
    row = active(command.session, scope)
    if row is None:
        raise ConflictError(f"no policy version for {scope_words(scope)} is in force")
    check(command.session, scope, {})
    _move(command.session, row, "active", "retired")
    command.note(policy=label(row), after="what lies underneath")
    return row


def _move(session: Session, row: PolicyVersion, before: str, after: str, **more: Any) -> None:  # noqa: ANN401
    """Compare-and-set the state of a version."""
    where = (PolicyVersion.model == row.model, PolicyVersion.version == row.version)
    statement = update(PolicyVersion).where(*where, PolicyVersion.state == before)
    moved = session.execute(statement.values(state=after, **more))
    if cast("CursorResult[Any]", moved).rowcount != 1:
        raise ConflictError(f"policy {label(row)} is not {before} any more; look at it again")
    session.refresh(row)


def _own(session: Session, scope: str) -> dict[str, float]:
    row = active(session, scope)
    return _known(row) if row else {}


def _known(row: PolicyVersion) -> dict[str, float]:
    """Return a version's thresholds without those that only an older product knew."""
    return {name: value for name, value in row.thresholds.items() if name in DEFAULTS}


def _active_of(session: Session, model: str) -> dict[str, PolicyVersion]:
    """Return the active versions that count for a model, by scope, the widest first."""
    found = {scope: active(session, scope) for scope in dict.fromkeys((ALL, model))}
    return {scope: row for scope, row in found.items() if row}


def _beneath(session: Session, scope: str) -> dict[str, float]:
    """Return what a model's own version lies over; nothing is known to lie under one for all."""
    if scope == ALL:
        return {}
    versions = _active_of(session, scope)
    versions.pop(scope, None)
    return asdict(over(specs.active(session, scope), versions).policy)


def _check_names(changes: Changes) -> None:
    if not changes:
        raise InvalidInputError("name at least one threshold to change")
    if unknown := sorted(set(changes) - set(NAMES)):
        raise InvalidInputError(
            f"the policy has no setting {unknown[0][:60]}; it has {', '.join(sorted(NAMES))}"
        )


def check(session: Session, scope: str, own: Mapping[str, Any]) -> None:
    """Raise `InvalidInputError` unless every model of a scope can have `own` as its thresholds."""
    Policy.of(Policy.accuracy_floor, own)  # one that is gone cannot be put in force again
    models = [one.name for one in specs.all_active(session)] if scope == ALL else [scope]
    made = [(model, would_be(session, model, scope, own).policy) for model in models]
    if scope == ALL:
        made.insert(0, ("", Policy.of(Policy.accuracy_floor, own)))
    for model, policy in made:
        of = f" of {model}" if model else ""
        for words in misfits(policy):
            raise InvalidInputError(f"these thresholds{of} do not fit together: {words}")


def _told(session: Session, scope: str, changes: Changes) -> str:
    now = {one.name: one.value for one in values(session, scope)}
    return ", ".join(f"{name} is {now[name]:g} already" for name in sorted(changes))
