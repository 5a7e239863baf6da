from sqlalchemy import select

from core import recommendations
from core.recommendations import propose
from core.tables.entities import ActionRow
from tests.pages.looking import button, text_of


def state(panel, card):
    with panel.db.read() as db:
        return recommendations.get(db, card.id).state


def test_it_shows_verdict_evidence_difference_and_expected_effect(open_page, card, ana):
    shown = text_of(open_page("recommendation", ana, id=card.id))

    assert "Waits for an operator or approver." in shown
    assert "Accuracy fell right after the release." in shown
    assert "0.8100 (95 % interval 0.7800 to 0.8400, n = 700)" in shown
    assert "accuracy +0.1000 (95 % interval +0.0500 to +0.1500, n = 700)" in shown
    assert "Lapses in 24 h" in shown
    assert "Reasoned by the rules" in shown


def test_approve_states_its_consequence_and_then_decides_once(open_page, panel, card, ana):
    page = open_page("recommendation", ana, id=card.id)

    button(page, "Approve …").click().run()
    assert "All traffic goes back to the earlier version" in text_of(page)
    assert state(panel, card) == "proposed"

    button(page, "Approve now").click().run()
    assert state(panel, card) == "approved"
    with panel.db.read() as db:
        assert len(db.scalars(select(ActionRow)).all()) == 1


def test_reject_needs_a_reason(open_page, panel, card, ana):
    page = open_page("recommendation", ana, id=card.id)

    button(page, "Reject").click().run()

    assert "Say why this is rejected" in page.error[0].value
    assert state(panel, card) == "proposed"


def test_reject_with_a_reason_works_with_one_click(open_page, panel, card, ana):
    page = open_page("recommendation", ana, id=card.id)

    page.text_area[0].input("a known holiday")
    button(page, "Reject").click().run()

    assert state(panel, card) == "rejected"
    assert "a known holiday" in text_of(page)


def test_a_stale_decision_says_who_decided(open_page, panel, card, ana, apo):
    page = open_page("recommendation", ana, id=card.id)
    recommendations.reject(panel.db, apo, card.id, reason="seen to")

    page.text_area[0].input("too late")
    button(page, "Reject").click().run()

    assert "Rejected by apo" in text_of(page)
    assert "apo was faster" in page.warning[0].value
    assert not [one for one in page.button if one.label.startswith("Approve")]


def test_a_viewer_may_look_and_not_decide(open_page, card, vic):
    page = open_page("recommendation", vic, id=card.id)

    assert "deciding needs the role operator" in page.info[0].value
    assert not [one for one in page.button if one.label.startswith(("Approve", "Reject"))]


def test_an_operator_is_told_that_a_promotion_needs_an_approver(open_page, panel, served, ana):
    row = propose(
        panel.db,
        ana,
        model=served,
        kind="promote",
        arguments={"version": "3.0.0"},
        title="Release 3.0.0",
        reasoning="better",
    )
    page = open_page("recommendation", ana, id=row.id)

    button(page, "Approve …").click().run()
    button(page, "Approve now").click().run()

    assert "needs an approver" in page.error[0].value.replace("\\", "")
    assert state(panel, row) == "proposed"


def test_an_unknown_id_is_a_friendly_page(open_page, served, ana):
    page = open_page("recommendation", ana, id="nope")

    assert page.title[0].value == "Not found"
    assert "There is no recommendation nope." in text_of(page)
    assert not page.exception


def test_a_lapsed_proposal_cannot_be_approved(open_page, card, ana, clock):
    clock.forward(hours=25)
    page = open_page("recommendation", ana, id=card.id)

    assert "nobody decided in time" in text_of(page)
    assert not [one for one in page.button if one.label.startswith("Approve")]
