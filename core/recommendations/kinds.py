"""What can be proposed: each kind's arguments, and what its decision and execution rest on."""

from dataclasses import dataclass

from core.errors import InvalidInputError
from core.specs import gates


@dataclass(frozen=True)
class Kind:
    """One kind of action.

    `risky`: an approver decides, never the proposer alone while somebody else could.
    `serving`: it is about what serves, so another release meanwhile makes the proposal stale.
    `frozen`: a freeze holds it back. `alone`: it may be left to the product (`core/autonomy`).
    """

    arguments: frozenset[str] = frozenset()
    risky: bool = False
    serving: bool = True
    frozen: bool = True
    alone: bool = False


def _kind(*arguments: str, **how: bool) -> Kind:
    return Kind(frozenset(arguments), **how)


KINDS: dict[str, Kind] = {
    "retrain": _kind(alone=True),
    "promote": _kind("version", risky=True),
    "rollback": _kind("to", frozen=False, alone=True),
    "change_weights": _kind("version", "share", risky=True),
    "set_threshold": _kind("threshold", risky=True),
    "start_experiment": _kind("experiment_id", risky=True),
    "widen_experiment": _kind("experiment_id", "share", risky=True),
    "stop_experiment": _kind("experiment_id", frozen=False, alone=True),
    "collect_labels": _kind("rows", frozen=False, alone=True),
    "freeze": _kind("hours", serving=False, frozen=False),
    "silence": _kind("cause", "hours", serving=False, frozen=False, alone=True),
    "notify": _kind(serving=False, frozen=False, alone=True),
    "scale": _kind("replicas", serving=False, frozen=False, alone=True),
    "change_policy": _kind("version", risky=True, serving=False, frozen=False),
    "change_gate": _kind(*gates.NAMES, risky=True, serving=False, frozen=False),
    "grant_autonomy": _kind("kind", risky=True, serving=False),
}

EVERYWHERE = "*"
"""Stands for all models in a proposal, a policy or a note."""


def of(name: str) -> Kind:
    """Return a kind by its name. Raises: InvalidInputError."""
    if name not in KINDS:
        raise InvalidInputError(f"'{name[:40]}' cannot be proposed; one of {', '.join(KINDS)} can")
    return KINDS[name]


def is_risky(name: str) -> bool:
    """Say whether an approver decides; a kind of an older version of the product counts as risky.

    >>> is_risky("promote"), is_risky("rollback")
    (True, False)
    """
    return name not in KINDS or KINDS[name].risky
