"""Which reports a page is about: the one in its address, and what is known of what serves now."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import streamlit as st
from sqlalchemy.orm import Session

from app import ui
from core import releases
from core.errors import NotFoundError
from core.monitoring import reports
from core.tables.telemetry import MonitorReport


@dataclass(frozen=True, slots=True)
class Serving:
    """The version that a model trusts most, and since when it serves without a break."""

    model: str
    version: str
    since: datetime

    def unchecked(self, now: datetime) -> str:
        """Say that no check has told of it yet."""
        return f"{self.version} serves since {ui.when(self.since, now)}, not checked yet."


def serving(session: Session, model: str) -> Serving | None:
    """Return what serves, or None where nothing was ever released."""
    release = releases.find_current(session, model)
    if release is None:
        return None
    return Serving(model, releases.champion(release), releases.serving_since(session, model))


def newest(
    session: Session, of: Serving | None, kind: str, *, judged: bool = False
) -> MonitorReport | None:
    """Return the newest live report on what serves, made since it serves; None before the first.

    With `judged` the newest whose window was compared. What was found before a rollback, or comes
    of a backfill, says nothing of what serves now.
    """
    if of is None:
        return None
    if judged:
        found = reports.judged(session, of.model, of.version, kind, limit=1, since=of.since)
    else:
        found = reports.reports(
            session, of.model, kind, 1, version=of.version, origin=reports.LIVE, since=of.since
        )
    return next(iter(found), None)


def asked(session: Session, model: str, kinds: Collection[str]) -> MonitorReport | None:
    """Return the report that the address names as `?report=`, if it names one.

    Raises: NotFoundError (there is none, or it is none of this model and page).
    """
    wanted = st.query_params.get("report")
    if not wanted:
        return None
    report = reports.get(session, wanted)
    if report.model != model or report.kind not in kinds:
        raise NotFoundError(f"there is no such report of {model} on this page")
    return report
