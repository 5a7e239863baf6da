"""Proposals and their decisions: sealed when made, decided once, by a person who may."""

from core.recommendations.deciding import (
    approve,
    check_seal,
    check_target,
    expire,
    move,
    outcome,
    reject,
    valid_until,
)
from core.recommendations.kinds import EVERYWHERE, KINDS, Kind, is_risky
from core.recommendations.promotion import propose_promotion
from core.recommendations.proposing import (
    LIFETIME,
    OWN,
    Basis,
    check_arguments,
    propose,
    propose_in,
    seal,
    tell_incident,
)
from core.recommendations.reading import (
    approved_alone,
    decided,
    difference,
    get,
    same_person,
    waiting,
)

__all__ = [
    "EVERYWHERE",
    "KINDS",
    "LIFETIME",
    "OWN",
    "Kind",
    "Basis",
    "approve",
    "approved_alone",
    "check_arguments",
    "check_seal",
    "check_target",
    "decided",
    "difference",
    "expire",
    "get",
    "is_risky",
    "move",
    "outcome",
    "propose",
    "propose_in",
    "propose_promotion",
    "reject",
    "same_person",
    "seal",
    "tell_incident",
    "valid_until",
    "waiting",
]
