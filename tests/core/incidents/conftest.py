"""A model with alert rules, and monitor reports that say what a test wants them to say."""

from datetime import timedelta

import pytest

from core import incidents, specs
from core.access import system
from core.ids import new_id
from core.incidents.reading import found
from core.monitoring import signals
from core.monitoring.signals import Signal
from core.specs.alerts import RULES
from core.tables.operational import Delivery
from core.tables.telemetry import MonitorReport

SPEC = """
name: spam
title: Messages
task: text
target: {column: label, positive: spam, negative: ham}
input: {text: message}
candidates: [{kind: logistic_regression}]
"""


class Told:
    """Tells the alert engine of reports, a quarter of an hour apart, and shows what followed."""

    def __init__(self, db, settings, clock):
        self.db, self.clock = db, clock
        self.settings = settings.model_copy(
            update={"smtp_host": "mail", "alert_email_to": "ops@example.com"}
        )
        self.spec = specs.apply(db, system("bootstrap"), SPEC)

    def change(self, alerts):
        self.spec = specs.apply(self.db, system("bootstrap"), f"{SPEC}alerts: {alerts}\n")

    def report(self, rule="drift", state="firing", severity="high", *, version="1.0.0", n=500):
        signal = Signal(rule, state, severity, 0.6, 0.5, f"{rule} is {state}", n)
        now = self.clock()
        return MonitorReport(
            id=new_id(now),
            model="spam",
            version=version,
            kind=RULES[rule].kind,
            origin="live",
            at=now,
            figures=signals.figures(signal),
        )

    def consider(self, report):
        return incidents.consider(self.db, self.settings, self.spec, report)

    def say(self, *args, times=1, minutes=15, **fields):
        for _ in range(times):
            self.clock.now += timedelta(minutes=minutes)
            considered = self.consider(self.report(*args, **fields))
        return considered

    def alerts(self, **which):
        with self.db.read() as session:
            return found(session, **which)

    def states(self):
        return [alert.state for alert in reversed(self.alerts())]

    def incidents(self, **which):
        with self.db.read() as session:
            return incidents.all(session, **which)

    def lines(self, number=0):
        return [line["what"] for line in self.incidents()[number].timeline]

    def messages(self):
        with self.db.read() as session:
            rows = session.query(Delivery).order_by(Delivery.id).all()
        return [row.subject for row in rows]


@pytest.fixture
def told(db, settings, clock):
    return Told(db, settings, clock)
