from sqlalchemy import select

from core import notes, recommendations
from core.access import system
from core.ids import new_id
from core.recommendations import Basis, propose
from core.tables.decisions import Message
from core.tables.entities import ActionRow, FactBook, ReasonerCall, Recommendation
from tests.pages.looking import button, field, text_of


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


def test_an_operator_is_told_that_a_promotion_needs_an_approver(
    open_page, panel, served, ana, apo, adm
):
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

    words = "Ana (operator) may not decide this: it needs an approver (adm, apo). You may reject it"
    assert words in text_of(page)
    assert button(page, "Approve …").disabled
    assert button(page, "Reject")
    page = open_page("recommendation", apo, id=row.id)
    assert not button(page, "Approve …").disabled
    assert "may not decide" not in text_of(page)


def test_what_an_operator_can_neither_approve_nor_reject_offers_neither(
    open_page, panel, served, ana
):
    row = promotion(panel, served, system("agent"))
    page = open_page("recommendation", ana, id=row.id)
    assert button(page, "Approve …").disabled
    assert not [one for one in page.button if one.label == "Reject"]


def decided(panel, like, n, **change):
    """Decided proposals that are like another one, but for what changes; younger than it."""
    panel.clock.forward(seconds=1)
    names = [column.key for column in Recommendation.__table__.columns]
    own = {name: getattr(like, name) for name in names} | {"state": "rejected", **change}
    with panel.db.command(system("agent"), "recommendation.propose") as command:
        ids = [new_id(panel.clock()) for _ in range(n)]
        command.session.add_all(Recommendation(**(own | {"id": key})) for key in ids)


def links(page):
    return [one.proto.label for one in page.get("page_link")]


def test_earlier_decisions_of_its_kind_are_found_behind_any_number_of_others(
    open_page, panel, card, ana
):
    decided(panel, card, 1, title="The first one")
    decided(panel, card, 200, kind="retrain", title="Of another kind")
    decided(panel, card, 10, title="A later one")

    page = open_page("recommendation", ana, id=card.id)
    assert links(page).count("A later one") == 10
    assert "The first one" not in links(page)
    button(page, "Show older ones").click().run()
    assert links(page).count("The first one") == 1
    assert "Of another kind" not in links(page)


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


def worded(panel, served, fallback=None, reasoner="gpt-5-mini"):
    """A proposal that a language model worded, beside the verdict of the rules."""
    verdict = {
        "rule": "drift ladder",
        "decision": "retrain",
        "severity": "high",
        "sentences": ["The inputs have changed: score 0.31."],
        "considered": [["latency", "passed over", "One answer in 20 is slow."]],
    }
    with panel.db.command(system("agent"), "agent.decide") as command:
        book = FactBook(
            id=new_id(command.now), model=served, facts=[{"id": "drift.score", "value": 0.31}],
            verdict=verdict, digest="d", at=command.now,
        )  # fmt: skip
        call = ReasonerCall(
            id=new_id(command.now), fact_book_id=book.id, reasoner="gpt-5-mini", prompt="p",
            answer="a", tokens=1834, cost=0.0021, seconds=2.1, at=command.now,
        )  # fmt: skip
        command.session.add_all([book, call])
    basis = Basis(severity="high", reasoner=reasoner, fallback=fallback, fact_book_id=book.id)
    return propose(
        panel.db, system("agent"), model=served, kind="retrain", arguments={}, title="Retrain it",
        reasoning="People write about other things.", basis=basis,
    )  # fmt: skip


def test_the_rules_verdict_stands_beside_the_models_words_with_their_cost(
    open_page, panel, served, ana
):
    page = open_page("recommendation", ana, id=worded(panel, served).id)
    shown = text_of(page)
    for words in (
        "The rules say",
        "The inputs have changed: score 0.31.",
        "gpt-5-mini says",
        "People write about other things.",
        "Not checked, because nothing is known of it: accuracy on labelled traffic; quality",
        "gpt-5-mini: 1,834 tokens, cost 0.0021, 2.1 s",
    ):
        assert words in shown
    rule = page.expander[0].table[0].value
    assert rule.iloc[0].tolist() == ["another rule came first", "One answer in 20 is slow\\."]


def test_where_the_rules_answered_instead_it_says_why(open_page, panel, served, ana):
    row = worded(panel, served, fallback="no answer within 8 s", reasoner="rules")
    page = open_page("recommendation", ana, id=row.id)
    assert "instead of the language model: no answer within 8 s" in text_of(page)
    assert "gpt-5-mini says" not in text_of(page)


def test_the_figure_of_now_stands_beside_the_sealed_one(open_page, traffic, card, ana):
    shown = text_of(open_page("recommendation", ana, id=card.id))
    assert "accuracy now: **0.8100 (95 % interval 0.7800 to 0.8400, n = 700)**" in shown
    assert ":orange[●] now **0.0000 (95 % interval 0.0000 to 0.7935, n = 1)**" in shown


def promotion(panel, served, actor, version="2.0.0"):
    return propose(
        panel.db, actor, model=served, kind="promote", arguments={"version": version},
        title=f"Release it: {version}", reasoning="better",
    )  # fmt: skip


def test_a_change_takes_the_place_of_the_proposal_and_both_show_the_difference(
    open_page, panel, served, ana, apo
):
    row = promotion(panel, served, system("agent"))
    page = open_page("recommendation", ana, id=row.id)
    button(page, "Change …").click().run()
    page.selectbox(key="change-version").select("3.0.0")
    button(page, "Propose the change").click().run()
    assert "Say why this is changed" in text_of(page)

    page.selectbox(key="change-version").select("3.0.0")
    field(page, "Why?").input("newer")
    button(page, "Propose the change").click().run()

    shown = text_of(page)
    assert "Release sms_spam 3.0.0" in page.title[0].value.replace("\\", "")
    assert "changed just now (2030-01-01 12:00:00 UTC) by ana" in shown
    assert "it needs an approver (adm, apo). You may reject it." in shown
    assert page.table[0].value.loc["version"].tolist() == ["2\\.0\\.0", "3\\.0\\.0"]

    original = text_of(open_page("recommendation", apo, id=row.id))
    assert "Changed by ana" in original
    assert "Reason given: newer" in original


def test_a_rollback_offers_no_change(open_page, card, ana):
    page = open_page("recommendation", ana, id=card.id)
    assert not [one for one in page.button if one.label == "Change …"]


def test_a_question_waits_visibly_and_its_answer_follows(open_page, panel, card, ana, clock):
    page = open_page("recommendation", ana, id=card.id)
    assert "Nobody has asked anything yet." in text_of(page)
    field(page, "Ask the agent").input("Did *anything* change?")
    button(page, "Ask").click().run()
    assert "The agent looks at the facts" in text_of(page)

    with panel.db.read() as db:
        (question,) = recommendations.conversation(db, card.id)
    with panel.db.command(system("agent"), "recommendation.answer") as command:
        answer = Message(
            id=new_id(command.now), recommendation_id=card.id, role="agent", author="rules",
            text="Accuracy fell.", evidence=card.evidence, answers=question.id, at=command.now,
        )  # fmt: skip
        command.session.add(answer)
    shown = text_of(page.run())
    assert "looks at the facts" not in shown
    assert shown.index("Did *anything* change?") < shown.index("Accuracy fell.")


def test_a_question_that_nobody_answered_is_not_waited_for(open_page, panel, card, ana, clock):
    recommendations.ask(panel.db, ana, card.id, text="why?")
    clock.forward(minutes=6)
    assert "No answer came. Ask again" in text_of(open_page("recommendation", ana, id=card.id))


def test_a_viewer_reads_the_conversation_and_asks_nothing(open_page, panel, card, ana, vic):
    recommendations.ask(panel.db, ana, card.id, text="why?")
    page = open_page("recommendation", vic, id=card.id)
    assert "why?" in text_of(page)
    assert not [one for one in page.text_input if one.label.startswith("Ask")]


def test_what_was_carried_out_shows_its_outcome_and_why_there_is_no_undo(open_page, done, ana):
    shown = text_of(open_page("recommendation", ana, id=done.id))
    assert "it was carried out" in shown
    assert "Carried out just now" in shown
    assert "Outcome: **good**. The gate let it through." in shown
    assert "There is no undo: a training changes nothing that serves" in shown
    assert "earlier decision" not in shown  # it is the only one


def test_an_action_with_a_way_back_is_undone_with_a_reason(open_page, panel, card, apo, settings):
    from tests.actions_kit import carry_out

    recommendations.approve(panel.db, apo, card.id, digest=card.digest, solo=False)
    carry_out(panel.db, settings)
    page = open_page("recommendation", apo, id=card.id)
    assert page.expander[0].label.replace("\\", "") == "Undo: Release sms_spam 2.0.0"
    button(page, "Undo now").click().run()
    assert "Say why" in page.error[0].value
    field(page, "Why?").input("a mistake")
    button(page, "Undo now").click().run()
    assert "proposed; another person decides" in page.toast[0].value.replace("\\", "")


def test_what_was_taken_back_says_by_whom_and_why(open_page, panel, served, apo, settings):
    from core import actions
    from tests.actions_kit import carry_out

    given = {"kind": "freeze", "arguments": {"hours": "4"}}
    row = propose(panel.db, system("agent"), model=served, **given, title="F", reasoning="r")
    recommendations.approve(panel.db, apo, row.id, digest=row.digest, solo=False)
    shown = text_of(open_page("recommendation", apo, id=row.id))
    assert "a worker has yet to carry it out" in shown
    assert "No worker is heard of" in shown

    done = carry_out(panel.db, settings)
    actions.undo(panel.db, apo, done.id, reason="too early")
    shown = text_of(open_page("recommendation", apo, id=row.id))
    assert "it was carried out and taken back." in shown
    assert "Taken back by apo just now (2030-01-01 12:00:00 UTC): too early." in shown


def test_before_any_click_it_says_what_an_approval_does_and_what_holds_it_back(
    open_page, panel, served, ana
):
    notes.write(panel.db, ana, model=served, text="moving house", freeze=True, hours=4)
    row = propose(panel.db, system("agent"), model=served, kind="retrain", arguments={},
                  title="R", reasoning="r")  # fmt: skip
    shown = text_of(open_page("recommendation", ana, id=row.id))
    assert "If you approve: A training starts" in shown
    assert "frozen by ana: moving house. It ends in 4 h" in shown


def test_what_is_about_all_models_says_so(open_page, panel, ana):
    basis = Basis(evidence=[{"fact": "service.error_rate", "label": "errors", "value": 0.03}])
    row = propose(
        panel.db, system("agent"), model="*", kind="freeze", arguments={"hours": "4"},
        title="Freeze everything", reasoning="a holiday", basis=basis,
    )  # fmt: skip
    shown = text_of(open_page("recommendation", ana, id=row.id))
    assert "**all models**: proposed" in shown
    assert "errors: **0.0300**" in shown
    assert "Earlier decisions to freeze all models" in shown
