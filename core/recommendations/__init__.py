"""Proposals and their decisions: sealed when made, decided once, by a person who may."""

from core.recommendations.arguments import check_arguments
from core.recommendations.batch import Decided, Decision, decide_each
from core.recommendations.beforehand import DECIDE, WhyNot, why_not
from core.recommendations.conversation import ask, conversation, unanswered
from core.recommendations.deciding import (
    approve,
    approve_in,
    check_seal,
    check_target,
    expire,
    move,
    outcome,
    reject,
    valid_until,
    withdraw,
)
from core.recommendations.editing import edit
from core.recommendations.gating import propose_gate
from core.recommendations.kinds import EVERYWHERE, KINDS, Kind, is_risky
from core.recommendations.means import has_means
from core.recommendations.preview import difference
from core.recommendations.promotion import propose_promotion
from core.recommendations.proposing import (
    LIFETIME,
    OWN,
    Basis,
    is_sealed,
    propose,
    propose_in,
    seal,
    tell_incident,
)
from core.recommendations.reading import (
    ALONE,
    acted_alone,
    action,
    approved_alone,
    approvers,
    authors,
    behind,
    changed,
    decided,
    edits,
    get,
    maybe_own,
    taken_back,
    waiting,
)
from core.recommendations.trial import propose_experiment
from core.recommendations.wording import title, verb

__all__ = [
    "ALONE",
    "DECIDE",
    "EVERYWHERE",
    "KINDS",
    "LIFETIME",
    "OWN",
    "Basis",
    "Decided",
    "Decision",
    "Kind",
    "WhyNot",
    "acted_alone",
    "action",
    "approve",
    "approve_in",
    "approved_alone",
    "approvers",
    "ask",
    "authors",
    "behind",
    "changed",
    "check_arguments",
    "check_seal",
    "check_target",
    "conversation",
    "decide_each",
    "decided",
    "difference",
    "edit",
    "edits",
    "expire",
    "get",
    "has_means",
    "is_risky",
    "is_sealed",
    "maybe_own",
    "move",
    "outcome",
    "propose",
    "propose_experiment",
    "propose_gate",
    "propose_in",
    "propose_promotion",
    "reject",
    "seal",
    "taken_back",
    "tell_incident",
    "title",
    "unanswered",
    "valid_until",
    "verb",
    "waiting",
    "why_not",
    "withdraw",
]
