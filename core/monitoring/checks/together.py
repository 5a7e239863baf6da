"""Whether little traffic is no word about one model, because it is that of all models at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import releases, specs
from core.monitoring import volume
from core.monitoring.volume import Volume
from core.specs import ModelSpec
from core.tables.telemetry import HourlyCount

_WEEK = 7 * 24

Hourly = Mapping[str, Mapping[int, int]]
"""Requests by model and hour (whole hours since 1970)."""


@dataclass(frozen=True)
class Together:
    """All models have far too little traffic; `teller` is the one that raises the alarm for all.

    `silent`: nothing was asked of any model.
    """

    teller: str
    silent: bool

    @property
    def sentence(self) -> str:
        """What is wrong, and where to look."""
        what = "No requests arrive" if self.silent else "Far fewer requests than usual arrive"
        end = "any model" if self.silent else "all models"
        return f"{what} for {end}: see whether the service can be reached."


def hourly(session: Session, last: int, model: str | None = None) -> dict[str, dict[int, int]]:
    """Return the requests of each hour that had any, within the history that is looked at."""
    query = select(HourlyCount.model, HourlyCount.hour, func.sum(HourlyCount.requests)).where(
        HourlyCount.variant != "shadow",
        HourlyCount.hour.between(last - volume.LONGEST_HISTORY, last),
    )
    if model is not None:
        query = query.where(HourlyCount.model == model)
    found: dict[str, dict[int, int]] = {}
    for name, hour, n in session.execute(query.group_by(HourlyCount.model, HourlyCount.hour)):
        found.setdefault(name, {})[hour] = int(n)
    return found


def low(judged: Volume) -> bool:
    """Whether far too few requests came, or none."""
    return judged.state in ("warn", "fail") and judged.observed < judged.expected


def together(session: Session, spec: ModelSpec, judged: Volume) -> Together | None:
    """Say that every other model that can be judged in the same hours has too little traffic too.

    The busiest one tells it for all: by the week before the newest request, which does not change
    while nothing comes, so that all models name the same one. Only one that is checked can tell,
    and one whose alert is not switched off in its spec. None: the others are well, or there are
    none that could be judged.
    """
    counts = hourly(session, judged.last)
    watched = {
        one.name: one
        for one in specs.all_active(session)
        if one.name in counts and releases.find_current(session, one.name)
    }
    others = {
        name: volume.judge(counts[name], first=min(counts[name]), last=judged.last)
        for name in watched
        if name != spec.name
    }
    seen = {
        name: one
        for name, one in others.items()
        if one.state != "inconclusive" and one.hours <= judged.hours
    }
    if not seen or not all(low(one) for one in seen.values()):
        return None
    able = [one for one in (spec, *map(watched.__getitem__, seen)) if _alerts(one)] or [spec]
    newest = max(hour for hours in counts.values() for hour, n in hours.items() if n)
    teller = max(able, key=lambda one: (_asked(counts, one.name, newest), one.name))
    return Together(teller.name, silent=newest <= judged.last - judged.hours)


def _alerts(spec: ModelSpec) -> bool:
    own = spec.alerts.get("volume")
    return own is None or own.enabled


def _asked(counts: Hourly, model: str, newest: int) -> int:
    return sum(n for hour, n in counts.get(model, {}).items() if hour > newest - _WEEK)
