import threading

import pytest
from sqlalchemy import select

from core import audit, recommendations
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.tables.access import User
from core.tables.entities import ActionRow, ModelVersion
from tests.core.recommendations.kit import AGENT, approve, edit, propose, stored


@pytest.fixture
def promotion(db, release, worker):
    """A proposal to release 2.0.0, while 3.0.0 passed the gate and 4.0.0 did not."""
    release("spam", "1.0.0")
    for version, answer in (("2.0.0", "promote"), ("3.0.0", "promote"), ("4.0.0", "refuse")):
        release("spam", version, release=False)
        with db.command(worker, "version.register") as command:
            command.session.get(ModelVersion, ("spam", version)).gate = {"answer": answer}
    return propose(db, "promote", version="2.0.0")


def test_an_edit_is_a_sealed_proposal_of_its_own_with_the_evidence_of_the_first(db, ana, promotion):
    row = edit(db, ana, promotion, version="3.0.0")

    assert (row.arguments, row.title) == ({"version": "3.0.0"}, "Release spam 3.0.0")
    assert (row.edit_of, row.proposed_by, row.reasoner) == (promotion.id, "ana", "person")
    assert (row.evidence, row.severity) == (promotion.evidence, "high")
    assert row.expires_at == promotion.expires_at
    assert recommendations.is_sealed(stored(db, row))


def test_the_original_stays_readable_with_the_difference_and_can_no_longer_be_approved(
    db, ana, apo, promotion
):
    row = edit(db, ana, promotion, version="3.0.0")
    with db.read() as session:
        before, _ = recommendations.edits(session, row)
        _, later = recommendations.edits(session, before)
    assert (before.state, before.decision_reason, later) == ("edited", "a smaller step", [row.id])
    assert recommendations.changed(before, row) == [("version", "2.0.0", "3.0.0")]
    assert recommendations.outcome(before).startswith("changed by ana at 2030-01-01 12")
    with pytest.raises(ConflictError, match="decided already: changed by ana"):
        approve(db, apo, promotion)


def test_who_changed_a_risky_proposal_does_not_approve_it(db, apo, adm, promotion):
    row = edit(db, apo, promotion, version="3.0.0")
    with pytest.raises(ForbiddenError, match=r"another person decides \(adm\)"):
        approve(db, apo, row, solo=True)
    assert approve(db, adm, row).state == "approved"


def test_the_only_approver_may_change_and_approve_in_solo(db, apo, adm, promotion):
    with db.command(adm, "user.change") as command:
        command.session.get(User, "adm").active = False
    row = edit(db, apo, promotion, version="3.0.0")
    assert approve(db, apo, row, solo=True).state == "approved"


@pytest.mark.parametrize(
    ("arguments", "reason", "error", "words"),
    [
        ({"version": "2.0.0"}, "same", InvalidInputError, "nothing was changed"),
        ({"version": "9.9.9"}, "newer", NotFoundError, "no version 9.9.9"),
        ({"version": "4.0.0"}, "newest", ConflictError, "the gate has not let spam 4.0.0"),
        ({"to": "3.0.0"}, "other", InvalidInputError, "takes version"),
        ({"version": "3.0.0"}, "  ", InvalidInputError, "say why"),
    ],
)
def test_an_edit_that_changes_nothing_or_cannot_be_is_refused_with_the_reason(
    db, ana, promotion, arguments, reason, error, words
):
    with pytest.raises(error, match=words):
        edit(db, ana, promotion, reason, **arguments)
    assert stored(db, promotion).state == "proposed"
    with db.read() as session:
        event = audit.tail(session)[0]
    assert (event.action, event.outcome) == ("recommendation.edit", "refused")


def test_what_was_not_shown_cannot_be_changed(db, ana, promotion):
    with pytest.raises(ConflictError, match="not the proposal that was shown"):
        edit(db, ana, promotion, digest="0" * 64, version="3.0.0")


def test_a_proposal_without_arguments_has_nothing_to_change(db, ana):
    with pytest.raises(InvalidInputError, match="nothing that can be changed"):
        edit(db, ana, propose(db, "retrain"))


def test_neither_the_agent_nor_a_viewer_changes_a_proposal(db, vic, promotion):
    for actor in (AGENT, vic):
        with pytest.raises(ForbiddenError):
            edit(db, actor, promotion, version="3.0.0")


def test_of_people_who_approve_change_and_reject_at_once_one_wins(db, ana, apo, adm, promotion):
    outcomes, gate = [], threading.Barrier(9)

    def act(index):
        gate.wait()
        try:
            if index % 3 == 0:
                edit(db, ana, promotion, version="3.0.0")
            elif index % 3 == 1:
                approve(db, apo, promotion)
            else:
                recommendations.reject(db, adm, promotion.id, reason="no")
            outcomes.append("won")
        except ConflictError as error:
            outcomes.append(str(error).split(":")[0])

    threads = [threading.Thread(target=act, args=(index,)) for index in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["decided already"] * 8 + ["won"]
    made = len(waiting(db)), len(rows(db, ActionRow))
    assert (
        made
        == {"edited": (1, 0), "approved": (0, 1), "rejected": (0, 0)}[stored(db, promotion).state]
    )


def waiting(db):
    with db.read() as session:
        return recommendations.waiting(session)


def rows(db, table):
    with db.read() as session:
        return list(session.scalars(select(table)))
