"""Who may do what: one table from action to the roles that may do it."""

from dataclasses import dataclass
from enum import StrEnum

from core.errors import ForbiddenError


class Role(StrEnum):
    """What a person may do; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


class Kind(StrEnum):
    """What stands behind an actor."""

    PERSON = "person"  # signed in; the role is read from the database at each command
    KEY = "key"  # an API key; never decides
    LOCAL = "local"  # the command line without a sign-in; operator's rights and upkeep
    SYSTEM = "system"  # the product itself: worker, schedule, agent, executor


@dataclass(frozen=True, slots=True)
class Actor:
    """The person, key or part of the product on whose behalf something happens."""

    name: str
    role: Role
    kind: Kind = Kind.PERSON


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may do one action: people from `people` upwards, and which others."""

    people: Role | None
    key: bool = False
    local: bool = False
    system: bool = False


def _all(people: Role) -> Permission:
    return Permission(people, key=True, local=True, system=True)


def _upkeep(people: Role) -> Permission:
    return Permission(people, local=True)


_SYSTEM = Permission(None, system=True)
_DECISION = Permission(Role.OPERATOR)
_ASKED = Permission(Role.OPERATOR, key=True, local=True)  # the product itself proposes it instead

ACTIONS: dict[str, Permission] = {
    "action.execute": _SYSTEM,
    "action.finish": _SYSTEM,
    "action.reconcile": _SYSTEM,
    "action.undo": _DECISION,
    "agent.decide": _SYSTEM,
    "agent.evaluate": _upkeep(Role.OPERATOR),
    "alert.test": _upkeep(Role.OPERATOR),
    "alert.fire": _SYSTEM,
    "alert.receive": Permission(Role.OPERATOR, key=True, system=True),
    "audit.export": _upkeep(Role.OPERATOR),
    "autonomy.act": _SYSTEM,
    "autonomy.withdraw": Permission(Role.OPERATOR, local=True, system=True),
    "dataset.load": _all(Role.OPERATOR),
    "dataset.archive": _upkeep(Role.OPERATOR),
    "delivery.resend": _upkeep(Role.OPERATOR),
    "drill.finish": _SYSTEM,
    "drill.request": _all(Role.OPERATOR),
    "expectation.edit": Permission(Role.OPERATOR, local=True, system=True),
    "experiment.draft": _all(Role.OPERATOR),
    "experiment.start": _SYSTEM,
    "experiment.stop": _ASKED,
    "feature.define": Permission(Role.OPERATOR, local=True),
    "feature.load": _all(Role.OPERATOR),
    "incident.acknowledge": Permission(Role.OPERATOR, local=True),
    "incident.open": _SYSTEM,
    "incident.resolve": Permission(Role.OPERATOR, local=True, system=True),
    "key.create": _upkeep(Role.ADMIN),
    "key.limit": _upkeep(Role.ADMIN),
    "key.revoke": _upkeep(Role.ADMIN),
    "label.resolve": Permission(Role.OPERATOR, local=True),
    "label.tell": Permission(Role.OPERATOR, local=True),
    "label_request.close": Permission(Role.OPERATOR, local=True, system=True),
    "note.end": Permission(Role.OPERATOR, local=True),
    "note.write": Permission(Role.OPERATOR, local=True),
    "outcome.grade": _SYSTEM,
    "policy.change": Permission(Role.APPROVER),
    "recommendation.answer": _SYSTEM,
    "recommendation.ask": _DECISION,
    "recommendation.decide": _DECISION,
    "recommendation.edit": _DECISION,
    "recommendation.expire": _SYSTEM,
    "recommendation.propose": _all(Role.OPERATOR),
    "release.experiment": _SYSTEM,
    "release.first": _SYSTEM,
    "release.promote": _SYSTEM,
    "release.rollback": _ASKED,
    "report.request": _all(Role.OPERATOR),
    "run.begin": _SYSTEM,
    "run.cancel": _all(Role.OPERATOR),
    "run.finish": _SYSTEM,
    "run.request": _all(Role.OPERATOR),
    "schedule.change": Permission(Role.OPERATOR, local=True, system=True),
    "session.end": Permission(Role.VIEWER),
    "session.start": Permission(Role.VIEWER),
    "silence.create": _ASKED,
    "silence.end": _ASKED,
    "spec.apply": Permission(Role.OPERATOR, local=True, system=True),
    "user.change": _upkeep(Role.ADMIN),
    "user.create": Permission(Role.ADMIN, local=True, system=True),
    "user.password": Permission(Role.VIEWER, local=True),
    "version.archive": _upkeep(Role.OPERATOR),
    "version.compile": _upkeep(Role.OPERATOR),
    "version.export": _upkeep(Role.OPERATOR),
    "version.import": _upkeep(Role.OPERATOR),
    "version.judge": _SYSTEM,
    "version.override": Permission(Role.APPROVER),
    "version.register": Permission(Role.OPERATOR, local=True, system=True),
    "version.stage": _ASKED,
}

_RANK = {role: rank for rank, role in enumerate(Role)}


def at_least(role: Role, minimum: Role) -> bool:
    """Say whether `role` includes `minimum`.

    >>> at_least(Role.ADMIN, Role.APPROVER), at_least(Role.VIEWER, Role.OPERATOR)
    (True, False)
    """
    return _RANK[role] >= _RANK[minimum]


def may(actor: Actor, action: str) -> bool:
    """Say whether the actor may do `action`; an unknown action is nobody's."""
    permission = ACTIONS.get(action)
    if permission is None:
        return False
    if actor.kind is Kind.SYSTEM:
        return permission.system
    if actor.kind is Kind.LOCAL:
        return permission.local
    if actor.kind is Kind.KEY and not permission.key:
        return False
    return permission.people is not None and at_least(actor.role, permission.people)


def require(actor: Actor, action: str) -> None:
    """Raise `ForbiddenError` unless the actor may do `action`.

    >>> require(Actor("vic", Role.VIEWER), "release.rollback")
    Traceback (most recent call last):
    core.errors.ForbiddenError: vic (viewer) may not do release.rollback
    """
    if not may(actor, action):
        raise ForbiddenError(f"{actor.name} ({actor.role}) may not do {action}")


def system(name: str) -> Actor:
    """Return a part of the product as an actor, for example ``system("worker")``."""
    return Actor(name, Role.VIEWER, Kind.SYSTEM)


def local(os_user: str) -> Actor:
    """Return the command line's actor for somebody who has not signed in."""
    return Actor(f"local:{os_user}", Role.OPERATOR, Kind.LOCAL)
