"""Proposals over REST: read by whoever may read, decided by a person and by no key."""

import pytest
from sqlalchemy import select

from core import audit, recommendations
from core.recommendations import Basis
from core.tables.access import User
from tests.api.conftest import is_problem
from tests.core.recommendations.kit import AGENT, EVIDENCE

ALL = "/api/v1/recommendations"


@pytest.fixture
def row(db, models):
    """A risky proposal of the agent."""
    return recommendations.propose(
        db, AGENT, model="sms_spam", kind="set_threshold", title="Positive from 0.7",
        arguments={"threshold": "0.7"}, reasoning="words changed",
        basis=Basis(severity="high", confidence=0.9, reasoner="rules", evidence=EVIDENCE),
    )  # fmt: skip


@pytest.fixture
def as_(client, db, serving):
    """Let a person ask instead of the key."""

    def person(name):
        with db.read() as session:
            user = session.scalars(select(User).filter_by(name=name)).one()
        token = serving.tokens.for_person(user, scopes=None, now=serving.clock()).token
        client.headers.pop("X-API-Key", None)
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    return person


def decide(client, row, how, **body):
    return client.post(f"{ALL}/{row.id}/{how}", json=body)


def state(db, row):
    with db.read() as session:
        return recommendations.get(session, row.id).state


def test_what_waits_is_listed_with_its_evidence_and_what_was_decided_apart(client, as_, db, row):
    (waits,) = client.get(f"{ALL}?model=sms-spam").json()["recommendations"]
    assert (waits["id"], waits["risky"], waits["digest"]) == (row.id, True, row.digest)
    assert waits["evidence"] == EVIDENCE
    assert client.get(f"{ALL}?state=decided").json()["recommendations"] == []
    decide(as_("apo"), row, "reject", reason="not now")
    (decided,) = client.get(f"{ALL}?state=decided").json()["recommendations"]
    assert (decided["state"], decided["decided_by"]) == ("rejected", "apo")
    assert client.get(ALL).json()["recommendations"] == []


def test_a_proposal_says_what_it_would_change_and_why_you_cannot_decide_it(client, as_, row):
    shown = client.get(f"{ALL}/{row.id}").json()
    cut = {"what": "2.0.0 answers positive from", "before": "0.5", "after": "0.7"}
    assert shown["changes"] == [cut]
    assert "may not do recommendation.decide" in shown["refused"]["approve"]
    assert "needs an approver" in as_("ana").get(f"{ALL}/{row.id}").json()["refused"]["reject"]
    refused = as_("apo").get(f"{ALL}/{row.id}").json()["refused"]
    assert refused == {"approve": None, "reject": None}


def test_a_person_approves_what_the_digest_seals_and_it_is_queued_once(as_, db, row):
    client = as_("apo")
    is_problem(decide(client, row, "approve", digest="0" * 64), 409, "not the proposal")
    done = decide(client, row, "approve", digest=row.digest, reason="seen").json()
    assert (done["state"], done["decided_by"], done["action"]["state"]) == (
        "approved", "apo", "queued",
    )  # fmt: skip
    assert "approved by apo" in done["refused"]["approve"]
    is_problem(decide(client, row, "approve", digest=row.digest), 409, "decided already")


def test_a_key_never_decides_and_is_told_who_does(client, db, row):
    for answer in (
        decide(client, row, "approve", digest=row.digest),
        decide(client, row, "reject", reason="no"),
    ):
        is_problem(answer, 403, "a key never decides", "POST /auth/token")
    assert state(db, row) == "proposed"
    with db.read() as session:
        tried = audit.tail(session, action="recommendation.decide")
    assert [(one.actor, one.outcome) for one in tried] == [("key:all", "refused")] * 2


@pytest.mark.parametrize(("name", "words"), [("vic", "lacks the scope"), ("ana", "an approver")])
def test_who_may_not_decide_changes_nothing(as_, db, row, name, words):
    is_problem(decide(as_(name), row, "approve", digest=row.digest), 403, words)
    assert state(db, row) == "proposed"


def test_a_rejection_needs_its_reason(as_, row):
    is_problem(decide(as_("apo"), row, "reject", reason=""), 422, "reason")
    is_problem(decide(as_("apo"), row, "reject", reason=" "), 422, "say why")
