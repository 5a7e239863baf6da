"""Incidents: what a person should know about, from open to resolved, each with its timeline.

A model has at most one unresolved incident per cause; further alerts extend it. Monitor reports
raise and end alerts (`consider`), silences hold them back, and `look` follows the clock.
"""

from core.incidents.alerts import alerts
from core.incidents.consider import Considered, consider, gravest
from core.incidents.ending import settle
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
    "newest_resolved",
    "note_in",
    "open",
    "resolve",
    "settle",
]
