"""The drift alarm: evidence of window after window against the budget of false alarms."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from core.monitoring import patience, sequential
from core.monitoring.checks.reference import WEEK_KEY
from core.monitoring.checks.subject import Subject
from core.monitoring.sequential import Followed
from core.monitoring.signals import Signal
from core.monitoring.tabular import TabularDrift
from core.monitoring.text import TextDrift
from core.monitoring.windows import Window
from core.settings import Settings
from core.tables.base import Json
from core.tables.telemetry import MonitorReport

MINUTES_A_MONTH = 30 * 24 * 60
MOST_AT_ONCE = 20
"""Windows that one check judges at most; further ones are left to the next check."""

_RAREST = 0.5  # a rate is a probability: however rare the checks, an alarm needs some evidence
_SHIFT = 0.2  # standard deviations: the change whose delay is told


def follow(
    of: Subject,
    window: Window,
    found: Mapping[str, TextDrift | TabularDrift],
    *,
    settings: Settings,
) -> Json:
    """Return the watch after one more window: see `figures["watch"]` of a drift report.

    `found`: the comparison with each reference by its key, the one that counts first.

    It goes on from the window before where that was of the same version in the same term of
    service and was compared with the same reference; a version that is released anew, also by a
    rollback, starts anew. Of a seasonal reference and the stored one, each has a watch of its own;
    only an alarm that stands is followed to its end whichever of the two counts.
    """
    kept, (counts, compared) = _kept(of), next(iter(found.items()))
    budget = false_alarms_a_check(of, window, settings)
    now = {
        key: sequential.follow(
            kept.get(key),
            one.evidence,
            n_reference=one.n_reference,
            n_current=one.n_current,
            false_alarms_a_check=budget,
        )
        for key, one in found.items()
        if key == counts or stands(kept.get(key))
    }
    followed = now.pop(counts)
    others = {key: state for key, state in kept.items() if key != counts}
    others |= {key: one.state for key, one in now.items()}
    return {
        "reference": counts,
        "state": followed.state,
        "others": others,
        "elsewhere": _elsewhere(others, now),
        "alarm": followed.alarm,
        "recovered": followed.recovered,
        "families": followed.families,
        "used": _used(followed),
        "checks": followed.checks,
        "leading": followed.leading,
        "sentence": followed.sentence,
        "false_alarms_a_check": budget,
        "delay": delay(compared, budget),
    }


def stands(state: object) -> bool:
    """Whether the state of a watch is that of an alarm which is not over."""
    return isinstance(state, dict) and bool(state.get("standing"))


def alarmed(watch: object) -> bool:
    """Whether an alarm stands by a report's `figures["watch"]`, against either reference."""
    return isinstance(watch, dict) and (
        bool(watch.get("alarm")) or any(map(stands, watch.get("others", {}).values()))
    )


def _elsewhere(others: Mapping[str, Any], now: Mapping[str, Followed]) -> str:
    """Say what became of an alarm against the reference that does not count now."""
    for key, state in others.items():
        if stands(state):
            name = "the same hours last week" if key == WEEK_KEY else "the stored reference"
            return f"The alarm against {name} still stands."
    return " ".join(one.sentence for one in now.values())


def _kept(of: Subject) -> dict[str, Any]:
    """Return the state of each reference's watch that may go on."""
    told = of.before.figures.get("watch") if of.before and of.contiguous else None
    if not isinstance(told, dict) or "reference" not in told:
        return {}
    states = {**told.get("others", {}), told["reference"]: told.get("state")}
    known = (WEEK_KEY, of.version.reference_dataset_id)
    return {key: state for key, state in states.items() if key in known}


def false_alarms_a_check(of: Subject, window: Window, settings: Settings) -> float:
    """Return the budget of one window: that of a month over the windows of a month.

    There is one every `monitor_minutes`, or as often as the size of windows has it.
    """
    minutes = max(settings.monitor_minutes, of.cut.minutes or 0.0)
    if of.cut.rows:
        start = of.after[0] if of.contiguous else of.since
        spent = (window.end[0] - start) / timedelta(minutes=1)
        minutes = max(minutes / MOST_AT_ONCE, spent)
    return min(_RAREST, of.spec.monitoring.false_alarms_a_month * minutes / MINUTES_A_MONTH)


def _used(followed: Followed) -> float:
    """Return which share of the way to an alarm the evidence has gone (0 to 1)."""
    return 1.0 if followed.alarm else max(followed.families.values(), default=0.0)


def delay(compared: TextDrift | TabularDrift, budget: float) -> str:
    """Say how long a small lasting shift of one column would stay unseen with these rows.

    Empty where no single columns are watched.
    """
    columns = sum(one.two_sided for one in compared.evidence)
    if not columns:
        return ""
    n, m = compared.n_current, compared.n_reference
    checks = patience.checks_needed(
        _SHIFT, columns=columns, n_reference=m, n_current=n, false_alarms_a_check=budget
    )
    what = f"A lasting shift of {_SHIFT:g} standard deviations in one column"
    if checks is None:
        return f"{what} is too small to be found with {n:,} rows against {m:,}."
    return f"{what} is found after about {checks:,} checks of {n:,} rows."


def told(compared: TextDrift | TabularDrift, watch: Json) -> str:
    """Return the finding of this window and where the alarm stands, in plain words."""
    about = watch["sentence"]
    if not watch["alarm"] and not watch["recovered"]:
        about = f"The alarm budget is used to {watch['used']:.0%}."
    return f"{compared.sentence} {about} {watch['elsewhere']}".strip()


def signal(report: MonitorReport, watch: Json) -> Signal:
    """Return what the watch tells the alert rules; the value is the share of the budget used.

    While an alarm stands against the reference that does not count now, nothing is known to be
    over.
    """
    return Signal(
        rule="drift",
        state="firing" if watch["alarm"] else "unknown" if alarmed(watch) else "ok",
        severity="high",
        value=round(watch["used"], 6),
        threshold=1.0,
        sentence=report.sentence,
        n=report.n_current,
    )
