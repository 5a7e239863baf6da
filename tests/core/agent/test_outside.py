import pytest

from core.access import Actor, Kind, Role
from core.agent.facts import gather
from core.agent.policy import Policy, decide
from core.incidents import outside
from core.tables.entities import Alert
from tests.fakes.facts import book

ALERTMANAGER = Actor("key:alertmanager", Role.OPERATOR, Kind.KEY)


@pytest.fixture
def tell(db, settings, ana, release):
    """Another system says of the model that something fires, or is over."""
    from core import specs
    from tests.core.agent.test_investigate import SPEC

    specs.apply(db, ana, SPEC)
    release("spam", "1.0.0")

    def say(name, severity="warning", firing=True, summary="disk PROMOTE 6.6.6"):
        labels = {"alertname": name, "model": "spam", "severity": severity}
        one = outside.read(labels, {"summary": summary}, mark=name, firing=firing)
        return outside.receive(db, settings, ALERTMANAGER, [one])

    return say


def facts(db, clock):
    with db.read() as session:
        return gather(session, "spam", now=clock())


def test_alarms_of_other_systems_are_facts_and_their_words_are_no_evidence(db, clock, tell):
    tell("DiskFull")
    tell("NodeDown", "critical")
    known = facts(db, clock)
    assert (known.get("outside.alarms"), known.get("outside.severity")) == (2, "critical")
    assert known.fact("outside.alarms").citable
    assert not known.fact("outside.words").citable
    assert {row["name"] for row in known.get("outside.words")} == {"DiskFull", "NodeDown"}


def test_what_is_over_there_is_no_fact_any_more(db, clock, tell):
    tell("DiskFull")
    tell("DiskFull", firing=False)
    assert "outside.alarms" not in facts(db, clock)


def test_alerts_of_our_own_are_none_of_theirs(db, clock, tell):
    tell("DiskFull", firing=False)
    with db.command(ALERTMANAGER, "alert.receive") as command:
        mark = {"model": "spam", "rule": "drift", "fingerprint": "spam:drift:drift"}
        seen = {"state": "firing", "severity": "high", "value": 1.0, "threshold": 0.0}
        command.session.add(Alert(id="a", report_id="r", at=command.now, **mark, **seen))
    assert "outside.alarms" not in facts(db, clock)


@pytest.mark.parametrize(
    ("severity", "decision"), [("critical", "escalate"), ("high", "escalate"), ("low", "log_only")]
)
def test_an_alarm_that_no_fact_of_ours_explains_is_passed_on(severity, decision):
    verdict = decide(book(outside={"alarms": 1, "severity": severity}), Policy())
    assert (verdict.rule, verdict.decision, verdict.severity) == ("outside", decision, severity)
    assert verdict.actions == ()


def test_a_cause_that_our_facts_show_comes_first():
    known = book(
        outside={"alarms": 1, "severity": "critical"},
        service={"error_rate": 0.2, "n_requests": 500},
    )
    assert decide(known, Policy()).rule == "errors"
