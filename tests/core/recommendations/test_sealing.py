from hashlib import sha256

import pytest
from sqlalchemy import text

from core import recommendations
from core.chain import canonical
from core.errors import ConflictError
from core.recommendations import title
from core.tables.entities import Recommendation
from tests.core.recommendations.kit import approve, propose, stored

SHOWN = {
    "severity": "'low'",
    "title": "'another'",
    "reasoning": "'another'",
    "confidence": "0.5",
    "decision": "'rollback'",
    "expected": "'{\"effect\": 1}'",
    "reasoner": "'person'",
    "fallback": "'a fault'",
    "fact_book_id": "'another'",
    "incident_id": "'another'",
    "edit_of": "'another'",
    "proposed_by": "'ana'",
    "expires_at": "'2031-01-01 12:00:00+00:00'",
    "model": "'ham'",
}


def test_nothing_that_was_shown_can_be_changed_behind_the_seal(db, apo):
    row = propose(db, "retrain")
    for column, value in SHOWN.items():
        with db.read() as session:
            session.execute(text(f"update recommendation set {column} = {value}"))
            found = session.get(Recommendation, row.id)
            assert not recommendations.is_sealed(found), column
    with db.engine.begin() as connection:
        connection.execute(text("update recommendation set severity = 'low'"))
    with pytest.raises(ConflictError, match="not the proposal that was shown"):
        approve(db, apo, row)


def test_a_proposal_that_an_older_version_sealed_can_still_be_approved(db, ana):
    row = propose(db, "retrain")
    names = ("model", "kind", "arguments", "release_seq", "evidence")
    old = sha256(canonical({name: getattr(row, name) for name in names})).hexdigest()
    with db.engine.begin() as connection:
        connection.execute(text(f"update recommendation set digest = '{old}'"))
    row = stored(db, row)
    assert recommendations.seal(row) != old
    assert approve(db, ana, row).state == "approved"


def test_the_seal_is_the_same_before_and_after_the_database(db):
    row = propose(db, "retrain")
    assert recommendations.seal(stored(db, row)) == row.digest


def test_what_is_not_about_a_release_can_be_approved_after_another_one(db, ana, release):
    release("spam", "1.0.0")
    row = propose(db, "freeze", model="*", hours="4")
    release("spam", "2.0.0")
    assert approve(db, ana, row).state == "approved"


def test_silences_of_two_causes_wait_beside_each_other(db):
    kept = propose(db, "silence", model="*", cause="drift", hours="4")
    old = propose(db, "silence", model="*", cause="latency", hours="4")
    propose(db, "silence", model="*", cause="latency", hours="8")
    assert [stored(db, one).state for one in (kept, old)] == ["proposed", "superseded"]


def test_every_kind_has_a_title_that_names_its_arguments():
    for kind, one in recommendations.KINDS.items():
        words = title("spam", kind, dict.fromkeys(one.arguments, "0.25"))
        assert "?" not in words
        assert "25" in words or one.arguments <= {"experiment_id"}, words


def test_an_unknown_kind_of_an_older_version_has_a_title():
    assert title("spam", "dance_well", {}) == "Dance well spam"
