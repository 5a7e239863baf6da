"""Playing a drill: quiet traffic, then the change, and the real checks of every 15 minutes."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from core import incidents, recommendations
from core.agent.investigate import investigate
from core.automation import watch
from core.automation.drill import scoring
from core.automation.drill.kinds import EXPECTED, Kind
from core.automation.drill.sandbox import Sandbox
from core.automation.drill.scoring import Diagnosis, Noticed
from core.automation.drill.traffic import Traffic
from core.clock import monotonic
from core.specs import ModelSpec
from core.tables.base import Json
from core.tables.entities import FactBook
from core.tables.telemetry import MonitorReport

EVERY = timedelta(minutes=15)
QUIET, CHANGED = 6, 16
MOST_ROWS = 20_000
Progress = Callable[[int, int, str], None]


def _silent(_done: int, _total: int, _note: str) -> None:
    return None


@dataclass
class _Story:
    """What happened so far."""

    noticed: list[Noticed] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    timeline: list[Json] = field(default_factory=list)
    diagnosis: Diagnosis | None = None


def play(
    box: Sandbox,
    kind: Kind,
    *,
    size: float,
    seed: int,
    quiet: int = QUIET,
    changed: int = CHANGED,
    progress: Progress = _silent,
) -> Json:
    """Play a drill in a sandbox and return its result as plain values.

    It ends after the check that noticed the change and asked the agent, or after `changed` checks
    with the change. The same seed plays the same rows.
    """
    began, traffic, story = monotonic(), Traffic(box, kind, size=size, seed=seed), _Story()
    n = rows_a_check(box.spec)
    for check in range(1, quiet + changed + 1):
        beyond = check > quiet
        note = f"check {check}, {'with the change' if beyond else 'quiet'}"
        progress(check - 1, quiet + changed, note)
        traffic.send(n, over=EVERY, changed=beyond)
        _look(box, story, check, quiet)
        after = [one for one in story.noticed if one.check > quiet]
        if scoring.caught(kind, after):  # and the agent was asked, in the same round
            break
    score = scoring.judge(
        kind,
        box.spec,
        story.noticed,
        story.diagnosis,
        quiet=quiet,
        changed=check - quiet,
        minutes=EVERY.total_seconds() / 60,
    )
    progress(quiet + changed, quiet + changed, score.sentence)
    return {
        "score": score.to_dict(),
        "incidents": [asdict(one) for one in story.noticed],
        "diagnosis": asdict(story.diagnosis) if story.diagnosis else None,
        "expected": asdict(EXPECTED[kind]),
        "timeline": story.timeline,
        "rows": n,
        "quiet": quiet,
        "minutes": EVERY.total_seconds() / 60,
        "seconds": round(monotonic() - began, 1),
    }


def rows_a_check(spec: ModelSpec) -> int:
    """Return how many rows arrive between two checks: enough for one window.

    >>> from core.settings import ROOT
    >>> from core.specs import parse
    >>> rows_a_check(parse((ROOT / "specs" / "sms_spam.yaml").read_text()))
    250
    """
    watched = spec.monitoring
    return min(MOST_ROWS, max(math.ceil(1.25 * watched.min_samples), watched.window_rows or 0))


def _look(box: Sandbox, story: _Story, check: int, quiet: int) -> None:
    """Check as the schedule does, ask the agent as it does, and write down what is new."""
    checked = watch.check(box.db, box.settings, box.spec.name)
    opened = _opened(box, story, check)
    ask = checked.incident is not None and (checked.needs_answer or bool(opened))
    if check > quiet and ask and checked.incident is not None:
        investigate(box.db, box.settings, box.spec.name, incident_id=checked.incident.id)
        story.diagnosis = _diagnosis(box)
    story.timeline.append(
        {
            "check": check,
            "hours": check * EVERY.total_seconds() / 3600,
            "changed": check > quiet,
            "reports": _newest(list(checked.reports)),
            "opened": [asdict(one) for one in opened],
            "resolved": [one.title for one in checked.resolved],
        }
    )


def _opened(box: Sandbox, story: _Story, check: int) -> list[Noticed]:
    with box.db.read() as session:
        found = incidents.all(session, box.spec.name)
    new = [one for one in reversed(found) if one.id not in story.seen]
    story.seen |= {one.id for one in new}
    noticed = [Noticed(one.cause, one.severity, one.title, check) for one in new]
    story.noticed += noticed
    return noticed


def _newest(found: list[MonitorReport]) -> dict[str, Json]:
    """Return the last report of each kind, as the timeline shows it."""
    return {
        report.kind: {
            "state": report.state,
            "score": report.score,
            "p_value": report.p_value,
            "n": report.n_current,
            "sentence": report.sentence,
        }
        for report in found
    }


def _diagnosis(box: Sandbox) -> Diagnosis | None:
    query = select(FactBook).filter_by(model=box.spec.name).order_by(FactBook.id.desc()).limit(1)
    with box.db.read() as session:
        book = session.scalars(query).first()
        waiting = recommendations.waiting(session)  # what was proposed a check ago is not again
    if book is None:
        return None
    verdict: dict[str, Any] = book.verdict
    kinds = [str(act["kind"]) for act in verdict.get("actions") or []]
    kinds += [one.kind for one in waiting]
    return Diagnosis(
        decision=str(verdict.get("decision", "")),
        severity=str(verdict.get("severity", "")),
        rule=str(verdict.get("rule", "")),
        title=str(verdict.get("title", "")),
        reasoning=" ".join(map(str, verdict.get("sentences") or [])),
        proposes=kinds[0] if kinds else None,
    )
