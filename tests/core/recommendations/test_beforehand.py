"""What a decision would be refused for is known before anybody makes it, in the same words."""

import pytest

from core import recommendations
from core.errors import PilothouseError
from tests.core.recommendations.decided import approve, promotion, propose


def asked(db, actor, row, *, solo=False):
    with db.read() as session:
        return recommendations.why_not(session, actor, row, solo=solo, now=db.clock())


def refusal(decide, *args, **how):
    with pytest.raises(PilothouseError) as problem:
        decide(*args, **how)
    return str(problem.value)


def test_what_needs_an_approver_is_said_to_an_operator_as_the_decision_would(
    db, ana, apo, adm, release
):
    release("spam", "1.0.0")
    row = promotion(db)
    before = asked(db, ana, row)
    assert before.both
    assert before.approve == refusal(approve, db, ana, row)
    assert before.reject == refusal(recommendations.reject, db, ana, row.id, reason="no")
    assert "needs an approver (adm, apo)" in before.approve
    assert asked(db, apo, row) == recommendations.WhyNot("", "", "")


def test_ones_own_proposal_may_be_rejected_and_needs_another_pair_of_eyes(db, apo, adm, release):
    release("spam", "1.0.0")
    row = promotion(db, apo)
    before = asked(db, apo, row, solo=True)
    assert before.approve == refusal(approve, db, apo, row, solo=True)
    assert (before.reject, before.both) == ("", False)


def test_what_has_lapsed_or_was_overtaken_cannot_be_approved_or_changed(db, ana, clock, release):
    row = propose(db)
    assert asked(db, ana, row).approve == ""
    clock.forward(hours=25)
    assert "lapsed" in asked(db, ana, row).approve
    release("spam", "1.0.0")
    assert "what serves has changed" in asked(db, ana, row).change


def test_what_no_channel_would_carry_is_refused_beforehand_and_may_be_rejected(db, ana):
    row = propose(db, kind="notify")
    before = asked(db, ana, row)
    assert before.approve == refusal(approve, db, ana, row)
    assert "no channel is set up" in before.approve
    assert not before.reject


def test_a_viewer_decides_nothing_and_asking_leaves_no_trace(db, vic):
    from core import audit

    row = propose(db)
    assert asked(db, vic, row).both
    with db.read() as session:
        assert [event.outcome for event in audit.tail(session, action=recommendations.DECIDE)] == []
