"""A stream of approved actions, and a count of what became of each that asks no action row."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from core import recommendations, releases, specs
from core.access import Actor, Role, system
from core.recommendations import EVERYWHERE
from core.settings import ROOT
from core.tables.access import AuditEvent
from core.tables.entities import ActionRow, Recommendation, Release, Run
from core.tables.operational import Delivery, Job
from tests.conftest import version_row

SPEC = (ROOT / "specs" / "breast_cancer.yaml").read_text()
SYSTEM = system("agent")
APPROVER = Actor("apo", Role.APPROVER)


class Approvals:
    """Approves one action after the other, as long as it is asked to.

    Each model has at most one action under way, for a release would make another one stale; so has
    the number of replicas, which is nobody's and everybody's.
    """

    def __init__(self, db, models, kinds=("promote", "retrain", "notify", "scale")):
        self.db, self._kinds = db, kinds
        self._models = [f"m{number}" for number in range(models)]
        self._numbers, self._replicas, self._stop = count(), count(1), threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        for model in self._models:
            self._begin(model)

    def _begin(self, model):
        if "retrain" in self._kinds:
            specs.apply(self.db, SYSTEM, SPEC.replace("name: breast_cancer", f"name: {model}"))
        with self.db.keep() as session:  # nobody is there to mirror a release
            session.execute(insert(Job), [self._mirrored(model, n) for n in range(1, 201)])
        self._add_version(model, 1)
        with self.db.command(SYSTEM, "release.promote") as command:
            releases.promote(command, model, "1.0.0", replaces=0, reason="the first")

    def _mirrored(self, model, number):
        now, key = self.db.clock(), f"mirror:{model}:release {number}"
        told = {"id": f"{model}-{number}", "kind": "mirror", "payload": {}, "key": key}
        return told | {"state": "cancelled", "created_at": now, "run_after": now}

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _go_on(self):
        while not self._stop.wait(0.05):
            busy = self.under_way()
            for model in self._models:
                if model not in busy and not self._stop.is_set():
                    self.approve(model)

    def under_way(self):
        with self.db.read() as session:
            still = select(ActionRow.model).where(ActionRow.state.in_(("queued", "running")))
            return set(session.scalars(still))

    def approve(self, model):
        row = self.propose(model)
        recommendations.approve(self.db, APPROVER, row.id, digest=row.digest, solo=False)
        self._never_give_up()

    def propose(self, model):
        number = next(self._numbers)
        kind = self._kinds[number % len(self._kinds)]
        if kind == "scale" and EVERYWHERE in self.under_way():
            kind = self._kinds[0]
        model = EVERYWHERE if kind == "scale" else model
        return recommendations.propose(
            self.db,
            SYSTEM,
            model=model,
            kind=kind,
            arguments=self._arguments(kind, model, number),
            title=f"{kind} {number}",
            reasoning="because",
        )

    def _arguments(self, kind, model, number):
        if kind == "promote":
            self._add_version(model, number + 2)
            return {"version": f"{number + 2}.0.0"}
        if kind == "scale":
            return {"replicas": str(next(self._replicas))}
        if kind == "retrain":
            self._end_trainings(model)
        return {}

    def _add_version(self, model, number):
        with Session(self.db._writer) as session, session.begin():
            session.add(version_row(model, f"{number}.0.0", number, self.db.clock()))

    def _end_trainings(self, model):
        with self.db._writer.begin() as connection:
            over = "update {} set state = 'cancelled' where state in ('queued', 'running')"
            connection.execute(text(over.format("run") + " and model = :m"), {"m": model})
            connection.execute(text(over.format("job") + " and kind = 'train'"))

    def _never_give_up(self):
        """Let a job be begun as often as its workers are killed, one that runs already too."""
        with self.db._writer.begin() as connection:
            connection.execute(
                text(
                    "update job set max_attempts = 100000 where kind = 'execute' and max_attempts = 3"
                )
            )


@dataclass
class Tally:
    """How often each approved action had each of its effects; all should be once."""

    approved: int = 0
    states: Counter = field(default_factory=Counter)
    duplicated: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    calls: int = 0
    keys: int = 0
    reconciled: Counter = field(default_factory=Counter)

    def __str__(self):
        return (
            f"{self.approved} approved, {len(self.duplicated)} duplicated, {len(self.missing)}"
            f" missing; {self.calls} calls outside under {self.keys} keys;"
            f" {dict(self.states)}; found by who came next: {dict(self.reconciled)}"
        )


def tally(db, calls):
    """Count effects where they are: releases, trainings, calls outside, messages, audit rows."""
    told = Tally(calls=len(calls), keys=len({key for key, _ in calls}))
    with db.read() as session:
        effects = {
            "promote": Counter(session.scalars(select(Release.reason))),
            "retrain": Counter(session.scalars(select(Run.reason))),
            "scale": Counter(number for _, number in set(calls)),
        }
        messages = Counter(session.scalars(select(Delivery.subject)))
        effects["notify"] = messages
        ends, told.reconciled = _said(session)
        rows = session.execute(
            select(Recommendation, ActionRow).join(
                ActionRow, ActionRow.recommendation_id == Recommendation.id
            )
        )
        for row, action in rows:
            told.approved += 1
            told.states[row.kind, action.state, row.state] += 1
            name = row.arguments["replicas"] if row.kind == "scale" else row.title
            seen = {row.kind: effects[row.kind][name], "audit": ends[action.id]}
            if row.kind != "notify":  # which is a message itself
                seen["told"] = messages[f"Done: {row.title}"]
            told.duplicated += [(row.title, seen)] * any(n > 1 for n in seen.values())
            told.missing += [(row.title, seen)] * any(n < 1 for n in seen.values())
    return told


def _said(session):
    ends, found = Counter(), Counter()
    rows = session.scalars(select(AuditEvent).where(AuditEvent.outcome == "done"))
    for row in rows:
        if "after" in row.detail and row.action in ("action.execute", "action.finish"):
            ends[row.detail["action_id"]] += 1
        if row.action == "action.reconcile":
            found[row.detail.get("found", "nothing")] += 1
    return ends, found


def open_ones(db):
    """Return what is neither done nor failed yet."""
    with db.read() as session:
        actions = select(ActionRow.id).where(ActionRow.state.in_(("queued", "running")))
        approved = select(Recommendation.id).filter_by(state="approved")
        working = select(Job.id).where(Job.kind == "execute", Job.state.in_(("queued", "running")))
        return [*session.scalars(actions), *session.scalars(approved), *session.scalars(working)]
