import pytest
from sqlalchemy import select

from core import audit, autonomy, incidents, outbox, outcomes
from core.access import system
from core.db import Database
from core.errors import ConflictError
from core.outcomes import due
from core.outcomes.grading import Graded
from core.tables.decisions import Outcome
from core.tables.entities import Recommendation
from tests.outcomes_kit import Served, candidate, done, graded, traffic

BAD = Graded("bad", "Surely worse.")


@pytest.fixture
def key(db, settings, apo, clock):
    """A promotion that was carried out."""
    model = Served(db, settings, clock)
    model.release("1.0.0")
    candidate(model)
    return done(db, settings, apo, version="2.0.0")


def keep(db, settings, key, found):
    with db.command(due.GRADER, "outcome.grade") as command:
        return due._keep(command, settings, key, found)


def test_of_two_workers_that_know_the_grade_one_writes_it(db, settings, clock, key):
    other = Database(settings, clock)
    assert keep(db, settings, key, BAD)
    with pytest.raises(ConflictError, match="graded at the same moment"):
        keep(other, settings, key, BAD)
    other.engine.dispose()
    with db.read() as session:
        assert len(session.scalars(select(Outcome)).all()) == 1


def test_only_the_product_itself_grades(db, settings, apo, key):
    from core.errors import ForbiddenError

    with pytest.raises(ForbiddenError), db.command(apo, "outcome.grade"):
        pass


def test_a_bad_outcome_says_that_a_leave_counts_no_more(db, settings, key):
    from pydantic import SecretStr

    told = settings.model_copy(update={"slack_webhook_url": SecretStr("http://127.0.0.1:9")})
    with db.command(system("executor"), "action.execute") as command:
        command.session.get_one(Recommendation, key).kind = "rollback"
        autonomy.grant_in(command, model="spam", kind="rollback", reason="r", by="apo")
    keep(db, told, key, BAD)
    with db.read() as session:
        message, row = outbox.recent(session)[0], audit.tail(session)[0]
    fallen = "From now on a person decides to roll back spam again until 11 outcomes in a row"
    assert fallen in message.payload["text"]
    assert row.detail["autonomy"] == "fallen back"


def test_the_incident_behind_it_tells_the_outcome(db, settings, apo, clock):
    model = Served(db, settings, clock)
    model.release("1.0.0")
    finding = incidents.Finding("drift", 0.3, 0.01, "m1", "words changed")
    opened = incidents.open(
        db, model="spam", version="1.0.0", cause="drift", severity="high", title="drift",
        finding=finding,
    ).incident.id  # fmt: skip
    candidate(model)
    key = done(db, settings, apo, version="2.0.0", incident_id=opened)
    model.version = "2.0.0"
    traffic(model, 20)
    clock.forward(days=14)
    assert graded(db, settings, key).grade == "neutral"
    with db.read() as session:
        assert incidents.get(session, opened).timeline[-1]["what"].startswith("outcome: neutral.")


def test_what_was_not_carried_out_has_no_outcome(db, settings, apo, clock):
    from core import recommendations

    model = Served(db, settings, clock)
    model.release("1.0.0")
    row = recommendations.propose(
        db, system("agent"), model="spam", kind="retrain", arguments={}, title="t", reasoning="r"
    )
    recommendations.approve(db, apo, row.id, digest=row.digest, solo=False)
    clock.forward(days=20)
    assert outcomes.grade_due(db, settings) == 0


def test_what_was_carried_out_long_ago_is_neither_graded_nor_told(db, settings, clock, key):
    from pydantic import SecretStr

    told = settings.model_copy(update={"slack_webhook_url": SecretStr("http://127.0.0.1:9")})
    clock.forward(days=31)
    keep(db, told, key, BAD)
    with db.read() as session:
        assert not [one for one in outbox.recent(session) if one.subject.startswith("Bad outcome")]
    clock.forward(days=150)
    with db.read() as session:
        assert due._due(session, clock.now) == []


def test_the_worker_grades(db, settings, clock, key):
    import threading

    from core import worker
    from core.panel import Panel

    stop = threading.Event()
    stop.set()  # it does not wait for the next minute
    clock.forward(days=14)
    worker.review_once(Panel(settings, db, clock), stop)
    with db.read() as session:
        assert outcomes.of(session, key).grade == "neutral"


def test_one_that_cannot_be_graded_takes_no_grade_from_the_others(
    db, settings, key, monkeypatch, caplog
):
    def broken(_session, recommendation_id, _now):
        if recommendation_id == key:
            raise ValueError("a value nobody expected")
        return BAD

    monkeypatch.setattr(due, "_due", lambda *_: [key, "another"])
    monkeypatch.setattr(due, "_look", broken)
    monkeypatch.setattr(due, "_keep", lambda *_: True)
    assert outcomes.grade_due(db, settings) == 1
    assert "broke" in caplog.text
