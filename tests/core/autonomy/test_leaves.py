from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import update

from core import audit, autonomy, outbox, recommendations, specs
from core.access import system
from core.agent import investigate
from core.agent.investigate import AGENT, conclude
from core.agent.reasoners import RulesReasoner
from core.autonomy.ladder import may_act
from core.errors import ConflictError, ForbiddenError, InvalidInputError
from core.specs.thresholds import Policy
from core.tables.decisions import Autonomy
from core.tables.entities import ActionRow, Recommendation
from tests.actions_kit import carry_out, undo
from tests.core.autonomy.test_acting import SPEC, grant, look
from tests.outcomes_kit import put_outcomes


@pytest.fixture
def served(db, release):
    specs.apply(db, system("bootstrap"), SPEC)
    release("spam", "1.0.0")


def leave(db, kind="retrain"):
    with db.read() as session:
        row = session.get(Autonomy, ("spam", kind))
        return (row.state, row.changed_by) if row else None


def ask(db, actor, kind="retrain", reason="ten of ten went well"):
    return autonomy.propose(db, actor, model="spam", kind=kind, reason=reason)


def test_a_leave_takes_two_people(db, settings, apo, adm, served):
    row = ask(db, apo)
    with pytest.raises(ForbiddenError, match="another person decides"):
        recommendations.approve(db, apo, row.id, digest=row.digest, solo=True)
    assert leave(db) is None
    recommendations.approve(db, adm, row.id, digest=row.digest, solo=False)
    carry_out(db, settings)
    assert leave(db) == ("granted", "adm")
    with pytest.raises(ConflictError, match="has leave to retrain spam already"):
        ask(db, apo)


def test_an_operator_proposes_it_and_an_approver_decides(db, settings, ana, apo, served):
    row = ask(db, ana)
    with pytest.raises(ForbiddenError, match="needs an approver"):
        recommendations.approve(db, ana, row.id, digest=row.digest, solo=True)
    recommendations.approve(db, apo, row.id, digest=row.digest, solo=False)
    carry_out(db, settings)
    assert leave(db) == ("granted", "apo")


@pytest.mark.parametrize("kind", ["promote", "change_policy", "grant_autonomy", "nonsense"])
def test_what_is_risky_is_never_left_to_the_product(db, apo, served, kind):
    with pytest.raises(InvalidInputError, match="never left to the product"):
        ask(db, apo, kind)


def test_a_leave_needs_a_reason(db, apo, served):
    with pytest.raises(InvalidInputError, match="say why"):
        ask(db, apo, reason=" ")


def test_an_operator_withdraws_it_alone_and_at_once(db, ana, served):
    grant(db)
    autonomy.withdraw(
        db, ana, model="spam", kind="retrain", reason="I do not like it", channels=["slack"]
    )
    assert leave(db) == ("withdrawn", "ana")
    with db.read() as session:
        assert audit.tail(session)[0].action == "autonomy.withdraw"
        assert "is withdrawn" in outbox.recent(session)[0].subject
        assert may_act(session, "spam", "retrain", Policy(), now=db.clock())[0] is False
    with pytest.raises(ConflictError, match="has no leave"):
        autonomy.withdraw(db, ana, model="spam", kind="retrain", reason="again")


def test_a_viewer_cannot_withdraw_it(db, vic, served):
    grant(db)
    with pytest.raises(ForbiddenError):
        autonomy.withdraw(db, vic, model="spam", kind="retrain", reason="no")
    assert leave(db)[0] == "granted"


def test_what_waits_by_a_withdrawn_leave_is_cancelled(db, settings, clock, ana, served):
    grant(db)
    put_outcomes(db, *["good"] * 11)
    row, action = look(db, settings, clock)
    autonomy.withdraw(db, ana, model="spam", kind="retrain", reason="stop")
    carry_out(db, settings)
    with db.read() as session:
        assert session.get(ActionRow, action.id).state == "cancelled"
        assert recommendations.get(session, row.id).state == "failed"


def test_of_two_looks_at_once_no_more_act_alone_than_the_policy_lets(db, settings, clock, served):
    grant(db)
    put_outcomes(db, *["good"] * 11)
    look(db, settings, clock)  # the first of two that a day may have
    with db.command(system("executor"), "action.finish") as command:
        command.session.execute(update(ActionRow).values(state="succeeded"))
        command.session.execute(update(Recommendation).values(state="succeeded"))
    looks = [conclude(db, settings, "spam", RulesReasoner()) for _ in range(2)]
    gate, acted = Barrier(2), []

    def act(conclusion):
        gate.wait()
        with db.command(AGENT, "recommendation.propose") as command:
            (row,) = investigate._propose(command, conclusion, None, [])
            acted.append(autonomy.consider(command, row, settings=settings))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(act, looks))
    assert sorted(acted) == [False, True]


def test_undoing_the_grant_withdraws_it(db, settings, ana, apo, adm, served):
    row = ask(db, apo)
    recommendations.approve(db, adm, row.id, digest=row.digest, solo=False)
    carry_out(db, settings)
    undo(db, ana)
    assert leave(db)[0] == "withdrawn"
