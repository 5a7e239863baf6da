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
from core.recommendations.promotion import propose_promotion
from core.recommendations.proposing import (
    KINDS,
    LIFETIME,
    OWN,
    RISKY,
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
    "KINDS",
    "LIFETIME",
    "OWN",
    "RISKY",
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
