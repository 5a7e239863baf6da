"""Builds the running application once; panel, worker and command line start here."""

from dataclasses import dataclass

from core.clock import Clock, utc_now
from core.db import Database
from core.settings import Settings


@dataclass(frozen=True)
class Panel:
    """Everything that a page, a runner or a command needs."""

    settings: Settings
    db: Database
    clock: Clock


def build(settings: Settings, clock: Clock = utc_now) -> Panel:
    """Wire the parts together."""
    return Panel(settings, Database(settings, clock), clock)
