"""How each model is, in one line: what serves, what is wrong, and two sparklines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import streamlit as st
from sqlalchemy.orm import Session

from app import series, ui
from app.ui import Color
from core import heartbeat, incidents, predictions, registry, releases, specs
from core.incidents import outside
from core.specs import ModelSpec
from core.statistics.intervals import Estimate, wilson
from core.tables.entities import Incident

HOURS = 24
NEWEST = 100
_COLORS: dict[str, Color] = {"critical": "red", "high": "orange"}


@dataclass(frozen=True)
class Health:
    """One model at a glance; `newest` is the accuracy of the newest labelled answers."""

    name: str
    title: str
    serves: str | None
    versions: int
    color: Color
    words: str
    traffic: list[int]
    accuracy: list[float]
    newest: Estimate | None


def of_all(session: Session, now: datetime) -> list[Health]:
    """Return every model, those in trouble first."""
    unresolved = incidents.all(session, open_only=True)
    found = [_of(session, spec, unresolved, now) for spec in specs.all_active(session)]
    order: list[Color] = ["red", "orange", "blue", "green", "gray"]
    return sorted(found, key=lambda one: order.index(one.color))


def _of(session: Session, spec: ModelSpec, unresolved: list[Incident], now: datetime) -> Health:
    release = releases.find_current(session, spec.name)
    own = [incident for incident in unresolved if incident.model == spec.name]
    counts = predictions.volume(session, spec.name, HOURS, now=now)
    labelled = predictions.newest_outcomes(session, spec.name, limit=400)
    last = labelled[:NEWEST]
    color, words = _words(own, served=release is not None)
    return Health(
        name=spec.name,
        title=spec.title,
        serves=releases.label(release) if release else None,
        versions=registry.count(session, spec.name),
        color=color,
        words=words,
        traffic=[hour.requests for hour in series.hourly(counts, HOURS, now)],
        accuracy=[one.value for one in series.accuracy(labelled, bins=12)],
        newest=wilson(sum(row.correct for row in last), len(last)) if last else None,
    )


def _words(own: list[Incident], *, served: bool) -> tuple[Color, str]:
    if own:
        severities = {incident.severity for incident in own}
        color: Color = next((_COLORS[s] for s in _COLORS if s in severities), "blue")
        more = f" and {len(own) - 1} more" if len(own) > 1 else ""
        return color, f"{own[0].title}{more}"
    return ("green", "no open incident") if served else ("gray", "nothing is released yet")


def card(one: Health) -> None:
    """Show one model: health, what serves, traffic and accuracy."""
    with st.container(border=True, key=f"model-{one.name}"):
        st.markdown(f"{ui.dot(one.color)} **{ui.plain(one.title)}**: {ui.plain(one.words)}")
        if one.serves or sum(one.traffic):
            _figures(one)
        if one.serves:
            ui.link("releases", f"Serves {one.serves}", model=one.name)
        elif one.versions:
            words = f"{ui.count(one.versions, 'version')}, none serves yet: look"
            ui.link("models", words, model=one.name)
        else:
            ui.link("training", "Train a first version", model=one.name)


def _figures(one: Health) -> None:
    traffic, right = st.columns(2)
    requests = sum(one.traffic)
    traffic.metric("Requests, 24 h", f"{requests:,}", chart_data=one.traffic, chart_type="bar")
    known = f"{one.newest.value:.1%}" if one.newest else "no labels"
    words = f"Accuracy, newest {one.newest.n} labels" if one.newest else "Accuracy"
    right.metric(words, known, chart_data=one.accuracy if len(one.accuracy) > 1 else None)
    if one.newest:
        st.caption(f"95 % interval {one.newest.low:.1%} to {one.newest.high:.1%}")


def worker_lives(session: Session, now: datetime) -> bool:
    """Say whether a worker was heard of lately; without one nothing runs by itself."""
    heard = [row for row in heartbeat.all(session) if row.process.startswith("worker")]
    return any(now - row.at < heartbeat.SILENT_AFTER for row in heard)


def everywhere(session: Session) -> list[Incident]:
    """Return the open incidents that are about all models."""
    return incidents.all(session, model=outside.ALL, open_only=True)


def links(rows: Sequence[Incident]) -> None:
    """Show the way to each incident, with how grave it is."""
    for one in rows:
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(one.severity)
            ui.link("incidents", one.title, id=one.id)


def beside(rows: Sequence[Incident], finding: str, tone: Color) -> tuple[str, Color]:
    """Put the incidents of all models before what was found."""
    if not rows:
        return finding, tone
    return f"{ui.count(len(rows), 'incident')} of all models; {finding}", "red"
