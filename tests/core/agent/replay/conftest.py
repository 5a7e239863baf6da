"""A month in the life of a model: what happened, and what was decided at each look."""

import random
import shutil
from datetime import timedelta

import pytest
from sqlalchemy import select

from core import incidents, policies, recommendations, releases, specs
from core.access import Actor, Role, system
from core.agent.investigate import investigate
from core.db import Database
from core.ids import new_id
from core.settings import ROOT
from core.tables.entities import Incident, Recommendation
from tests.conftest import FakeClock, settings_for, version_row
from tests.core.agent.test_facts import count, predictions, report

SPEC = (
    (ROOT / "specs" / "breast_cancer.yaml").read_text().replace("name: breast_cancer", "name: spam")
)
WORKER, EXECUTOR, BOOT = system("worker"), system("executor"), system("bootstrap")
ANA = Actor("ana", Role.OPERATOR)
LOOKS = 72


class Story:
    """An installation with a month behind it."""

    def __init__(self, home, template):
        for file in template.iterdir():
            shutil.copy(file, home)
        self.settings = settings_for(f"sqlite:///{home}/pilothouse.db", home)
        self.clock = FakeClock()
        self.db = Database(self.settings, self.clock)
        self.chance = random.Random(5)
        self.begun, self.number, self.now = self.clock.now, 0, ""
        specs.apply(self.db, BOOT, SPEC)

    def release(self):
        version = self.now = self.register("promote")
        with self.db.command(WORKER, "release.promote") as command:
            newest = releases.find_current(command.session, "spam")
            seq = newest.seq if newest else 0
            releases.promote(command, "spam", version, replaces=seq, reason="test")

    def register(self, answer):
        self.number += 1
        row = version_row("spam", f"{self.number}.0.0", self.number, self.clock.now)
        row.metrics, row.gate = {"accuracy": 0.97, "n_test": 1000}, {"answer": answer}
        with self.db.command(WORKER, "version.register") as command:
            command.session.add(row)
        return row.version

    def drifts(self):
        state, score = self.chance.choice(["fail", "fail", "warn", "pass"]), self.chance.random()
        terms = [{"term": "bit\u202ecoin", "share_current": 0.2}]
        figures = {"vocabulary_drift": score / 2, "tfidf_drift": 0.1, "new_terms": terms}
        report(self.db, self.clock, state=state, version=self.now, score=score, **figures)

    def labels(self):
        n = self.chance.choice([20, 60, 200])
        wrong = int(n * self.chance.choice([0.01, 0.1, 0.4]))
        tag = f"{self.clock.now.timestamp()}-"
        predictions(self.db, self.clock, n - wrong, wrong, version=self.now, tag=tag)

    def fails(self):
        n, share = self.chance.choice([40, 300]), self.chance.choice([0.0, 0.015, 0.2])
        slow = {"5": n // 2, self.chance.choice(["10", "400", "1000"]): n - n // 2}
        more = {"requests": n, "errors": int(n * share), "buckets": slow}
        with self.db.append() as session:
            count(session, self.clock, version=self.now, **more)

    def loses_values(self):
        share = self.chance.choice([0.0, 0.0, 0.7])
        lost = [{"name": "age", "missing": share, "missing_reference": 0.0}]
        state = "fail" if share else "pass"
        report(self.db, self.clock, state, "quality", version=self.now, columns=lost)

    def trains(self):
        self.register(self.chance.choice(["promote", "refuse"]))

    def people_decide(self):
        with self.db.read() as session:
            found = session.scalars(select(Recommendation).filter_by(state="proposed")).all()
        for row in found:
            if row.expires_at > self.clock.now and self.chance.random() < 0.5:
                recommendations.reject(self.db, ANA, row.id, reason="not now")

    def goes_wrong(self):
        cause = self.chance.choice(["accuracy", "drift", "errors"])
        with self.db.command(WORKER, "incident.open") as command:
            known = select(Incident.id).filter_by(cause=cause).where(Incident.state != "resolved")
            if command.session.scalar(known):
                return
            row = Incident(
                **{"id": new_id(command.now), "model": "spam", "version": self.now},
                **{"state": "open", "severity": "high", "cause": cause, "title": "t"},
                **{"timeline": [], "opened_at": command.now},
            )
            command.session.add(row)
        self.incident = row.id

    def is_over(self):
        with self.db.read() as session:
            found = session.scalars(select(Incident.id).where(Incident.state != "resolved")).all()
        for key in found:
            incidents.resolve(self.db, ANA, key, "seen to")

    def tell(self):
        self.release()
        self.incident = None
        happens = (self.drifts, self.labels, self.fails, self.loses_values, self.trains)
        happens += (self.goes_wrong, self.people_decide)
        for look in range(LOOKS):
            self.chance.choice(happens)()
            if look % 24 == 23:
                self.release()
                self.is_over()
            if look == LOOKS // 2:
                approve(self, drift_retrain=0.35, min_labels=30, min_new_rows=0)
            self.clock.forward(hours=self.chance.choice([1, 5, 14]))
            investigate(self.db, self.settings, "spam", incident_id=self.incident)
        return self


def approve(story, scope="spam", **thresholds):
    with story.db.command(ANA, "recommendation.propose") as command:
        row = policies.draft_in(command, scope=scope, thresholds=thresholds, reason="a try")
    with story.db.command(EXECUTOR, "action.execute") as command:
        return policies.activate_in(command, scope, row.version)


@pytest.fixture(scope="module")
def story(sqlite_template, tmp_path_factory):
    """Read it; what a test changes, the next one sees."""
    told = Story(tmp_path_factory.mktemp("month"), sqlite_template).tell()
    told.until = told.clock.now + timedelta(hours=1)
    yield told
    told.db.engine.dispose()
