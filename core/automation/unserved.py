"""From "this release cannot be loaded", said by an api process, to an incident."""

from collections.abc import Mapping
from typing import Any

from core import incidents, outbox
from core.db import Database
from core.incidents import Finding, Opened
from core.settings import Settings

CAUSE = "serving"


def alarm(db: Database, settings: Settings, told: Mapping[str, Any]) -> Opened:
    """Open an incident for a release that an api process could not load, or extend the open one.

    `told`: the row of `core.serving.problems.record`. Several processes tell of the same release;
    it counts once. Nothing serves at all where `told["serves"]` is None: then it is critical.
    """
    model, version, serves = told["model"], told["version"], told["serves"]
    instead = f"release {serves} serves on" if serves else "nothing serves instead"
    return incidents.open(
        db,
        model=model,
        version=version,
        cause=CAUSE,
        severity="high" if serves else "critical",
        title=f"{model} {version} was released and cannot be served",
        finding=Finding(
            rule="release_cannot_serve",
            value=1.0,
            threshold=0.0,
            report_id=f"release:{told['seq']}:{told['why']}"[:200],
            sentence=f"Release {told['seq']}: {told['why']}; {instead}.",
        ),
        channels=outbox.channels(settings),
    )
