"""The policy in force: built-in thresholds, under the spec's own, under versions people approved.

A version for one model lies over one for all models ("*"). Versions are proposed and approved like
actions (`change_policy`); what a decision was made by is kept with its facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import specs
from core.specs.thresholds import Policy
from core.tables.decisions import PolicyVersion

ALL = "*"
BUILT_IN = "built in"


@dataclass(frozen=True)
class InForce:
    """The thresholds for a model; `approved`: people have approved at least a part of them."""

    policy: Policy
    name: str
    approved: bool


def in_force(session: Session, model: str) -> InForce:
    """Return the policy for a model. Raises: NotFoundError (no such model)."""
    versions = [row for scope in (ALL, model) if (row := active(session, scope))]
    return over(specs.active(session, model), {row.model: row for row in versions})


def over(spec: specs.ModelSpec, versions: Mapping[str, PolicyVersion]) -> InForce:
    """Return the policy that versions by scope ("*", the model) make over a spec's own."""
    values: dict[str, Any] = {"accuracy_floor": spec.policy.accuracy_floor}
    values |= spec.policy.overrides
    given = [versions[scope] for scope in (ALL, spec.name) if scope in versions]
    for row in given:
        values |= row.thresholds
    floor = float(values.pop("accuracy_floor"))
    name = " + ".join(label(row) for row in given) or BUILT_IN
    return InForce(Policy.of(floor, values), name, approved=bool(given))


def label(row: PolicyVersion) -> str:
    """Name a version.

    >>> label(PolicyVersion(model="*", version=2))
    'all models 2'
    """
    return f"{'all models' if row.model == ALL else row.model} {row.version}"


def active(session: Session, scope: str) -> PolicyVersion | None:
    """Return the active version of a scope, or None."""
    return session.scalars(select(PolicyVersion).filter_by(model=scope, state="active")).first()
