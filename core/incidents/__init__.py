"""Incidents: what a person should know about, from open to resolved, each with its timeline.

A model has at most one unresolved incident per cause; further alerts extend it. Monitor reports
raise and end alerts (`consider`), silences hold them back, and `look` follows the clock.
"""

from core.incidents.ending import over, settle
from core.incidents.engine import Considered, consider, gravest
from core.incidents.lifecycle import (
    Finding,
    Opened,
    acknowledge,
    all,
    find_open,
    get,
    newest_resolved,
    note_in,
    open,
    resolve,
)
from core.incidents.looking import look
from core.incidents.reading import alerts
from core.specs.alerts import SEVERITIES

__all__ = [
    "SEVERITIES",
    "Considered",
    "Finding",
    "Opened",
    "acknowledge",
    "alerts",
    "all",
    "consider",
    "find_open",
    "get",
    "gravest",
    "look",
    "newest_resolved",
    "note_in",
    "open",
    "over",
    "resolve",
    "settle",
]
