"""Carries out what was approved, exactly once, and takes it back where it can be.

What a kind of action does, and what its undo does, is in the table of `effects`.
"""

from core.actions.effects import final
from core.actions.ending import EXECUTOR
from core.actions.executing import execute, fail
from core.actions.external import Scaler
from core.actions.reading import get, inverse_of, recent
from core.actions.reconcile import reconcile
from core.actions.undoing import undo, why_no_undo

__all__ = [
    "EXECUTOR",
    "Scaler",
    "execute",
    "fail",
    "final",
    "get",
    "inverse_of",
    "recent",
    "reconcile",
    "undo",
    "why_no_undo",
]
