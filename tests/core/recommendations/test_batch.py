from core import audit, recommendations
from core.recommendations import Decision, decide_each
from tests.core.recommendations.kit import propose, stored


def test_several_decisions_are_each_their_own_and_one_refused_stops_none(db, ana, apo, release):
    release("spam", "1.0.0")
    first = propose(db, "retrain")
    second = propose(db, "promote", version="1.0.0")
    third = propose(db, "rollback", to="1.0.0")
    recommendations.reject(db, apo, second.id, reason="seen to")

    rows = [Decision(one.id, one.digest, "approve", "night shift") for one in (first, second)]
    found = decide_each(db, ana, [*rows, Decision(third.id, "", "reject", "no")], solo=False)

    assert [one.done for one in found] == [True, False, True]
    assert found[0].sentence == "approved: retrain spam"
    assert found[1].sentence.startswith("decided already: rejected by apo")
    assert found[2].sentence == "rejected: rollback spam"
    assert [stored(db, one).state for one in (first, third)] == ["approved", "rejected"]
    with db.read() as session:
        assert [one.outcome for one in audit.tail(session)[:3]] == ["done", "refused", "done"]


def test_an_approval_among_several_counts_for_what_was_shown(db, ana):
    row = propose(db, "retrain")
    (found,) = decide_each(db, ana, [Decision(row.id, "0" * 64, "approve")], solo=False)
    assert not found.done
    assert "not the proposal that was shown" in found.sentence
