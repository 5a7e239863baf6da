from dataclasses import replace

import pytest

from core.agent import guard
from core.agent.policy import Act, Policy, decide
from core.agent.reasoners import Answer, Evidence, Question, Reply, RulesReasoner
from tests.fakes import hostile
from tests.fakes.facts import book, drifting, losing_accuracy

FACTS = drifting(
    0.312,
    service={"n_requests": 900},
    text={"new_terms": {"value": [{"term": "x"}], "citable": False}},
)
VERDICT = decide(FACTS, Policy())


def checked(facts=FACTS, verdict=VERDICT, seen=None, **change):
    draft = replace(RulesReasoner().propose(facts, verdict).draft, **change)
    return guard.check(Answer("m", draft, "", "", seen=seen), facts, verdict)


@pytest.mark.parametrize(
    "facts",
    [
        FACTS,
        drifting(0.95),
        drifting(0.6, retrain={"hours_since_last": 0.25, "rejected_by_gate_in_a_row": 4}),
        losing_accuracy(0.85),
        book(),
        book(service={"latency_p95_ms": 800.0, "n_requests": 900}),
        book(service={"error_rate": 0.05, "n_requests": 900}),
    ],
)
def test_the_rules_own_draft_always_passes(facts):
    assert checked(facts, decide(facts, Policy())).reason is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"decision": "promote"}, "the decision 'promote' is not allowed"),
        ({"severity": "none"}, "is no severity"),
        ({"confidence": 0.4}, "confidence is 0.4"),
        ({"confidence": float("nan")}, "confidence is nan"),
        ({"actions": ()}, "proposes nothing"),
        ({"actions": (Act("rollback", {"to": "1.0.0"}),)}, "proposes rollback"),
        ({"actions": (Act("retrain", {"url": "http://x"}),)}, "other arguments"),
        ({"actions": (Act("retrain"), Act("retrain"))}, "proposes retrain, retrain"),
        ({"actions": (Act("retrain", {"share": True}),)}, "other arguments"),
        ({"evidence": ()}, "names no evidence"),
        ({"evidence": (Evidence("drift.alarm", 1),)}, "with another value"),
        ({"evidence": (Evidence("drift.alarm", "yes"),)}, "with another value"),
        ({"evidence": (Evidence("drift.score", 10**5000),)}, "with another value"),
        ({"evidence": (Evidence("drift.score", "9e999"),)}, "with another value"),
        ({"evidence": (Evidence("drift.score", [0.312]),)}, "with another value"),
        ({"evidence": (Evidence("drift.score ", 0.312),)}, "which is no fact"),
        ({"evidence": (Evidence("drift.sc\u043ere", 0.312),)}, "which is no fact"),
        ({"evidence": (Evidence("drift.score", 0.312),) * 2}, "more than once"),
        ({"evidence": (Evidence("service.n_requests", 900),)}, "none of the facts behind"),
        ({"evidence": (Evidence("sun.spots", 1),)}, "which is no fact"),
        ({"evidence": (Evidence("drift.score", 0.5),)}, "with another value"),
        ({"evidence": (Evidence("drift.score", True),)}, "with another value"),
        ({"evidence": (Evidence("text.new_terms", [{"term": "x"}]),)}, "a stranger's words"),
        ({"reasoning": ""}, "0 characters"),
        ({"reasoning": "Run `curl evil` now"}, "a command"),
        ({"reasoning": "Look into /etc/passwd"}, "a file"),
        ({"reasoning": "Details on evil.com"}, "an address"),
        ({"reasoning": "Accuracy fell by 42.5 points"}, "42.5, which no fact says"),
    ],
)
def test_what_leaves_the_bounds_is_rejected_with_the_reason(change, reason):
    found = checked(**change)
    assert found.draft is None
    assert reason in found.reason


def test_evidence_must_have_been_read_in_this_run():
    assert "never read" in checked(seen=frozenset({"drift.alarm"})).reason
    assert checked(seen=frozenset(fact.id for fact in FACTS)).reason is None


@pytest.mark.parametrize(
    "change",
    [
        {"decision": None},
        {"severity": 3},
        {"confidence": "0.9"},
        {"confidence": None},
        {"confidence": True + 1},
        {"reasoning": b"x"},
        {"evidence": "all"},
        {"evidence": ({"fact": "drift.score"},)},
        {"evidence": (Evidence(7, 7),)},
        {"actions": None},
        {"actions": ({"kind": "retrain"},)},
        {"actions": (Act("retrain", None),)},
        {"actions": (Act(None),)},
    ],
)
def test_what_has_a_wrong_form_is_rejected_whoever_made_it(change):
    assert checked(**change).reason == "its answer has a wrong form"


@pytest.mark.parametrize("value", [True, "true", "True"])
def test_yes_counts_as_true_in_both_spellings(value):
    evidence = Evidence("drift.score", 0.312), Evidence("drift.alarm", value)
    assert checked(evidence=evidence).reason is None


def test_several_actions_are_accepted_only_as_the_policy_has_them():
    both = (Act("retrain"), Act("notify"))
    verdict = replace(VERDICT, actions=both)
    assert checked(verdict=verdict, actions=both).draft.actions == both
    for wrong in (both[:1], both[::-1], (*both, Act("notify")), (*both, Act("freeze"))):
        assert (
            "where the policy allows retrain, notify"
            in checked(verdict=verdict, actions=wrong).reason
        )


def test_a_confidence_above_the_rules_own_is_lowered_to_it():
    found = checked(confidence=1.0)
    assert found.draft.confidence == VERDICT.confidence
    assert found.adjusted == ("confidence lowered to the policy's 99.9%",)


def test_what_is_shown_is_the_spelling_that_was_checked():
    found = checked(reasoning="The score\u00a0is \uff10.\uff13\uff11\n now.")
    assert found.draft.reasoning == "The score is 0.31 now."


@pytest.mark.parametrize("value", [0.312, "0.312", 0.3120000001])
def test_a_number_counts_however_it_is_spelled(value):
    assert checked(evidence=(Evidence("drift.score", value),)).reason is None


@pytest.mark.parametrize("words", ["Score 0.31.", "Score 31.2% of 200.", "Two causes, 3 checks."])
def test_numbers_that_trace_to_a_fact_may_be_said(words):
    assert checked(reasoning=words).reason is None


def test_a_version_named_in_a_fact_may_be_said():
    facts = drifting(0.3, deployment={"current": "1.4.7"})
    verdict = decide(facts, Policy())
    assert checked(facts, verdict, reasoning="What serves is 1.4.7.").reason is None
    assert "which no fact says" in checked(facts, verdict, reasoning="Better is 1.4.8.").reason


def test_a_more_cautious_decision_is_accepted():
    assert checked(decision="escalate", severity="critical").draft.decision == "escalate"


def test_a_severity_below_the_floor_is_raised_and_noted():
    found = checked(severity="medium")
    assert found.draft.severity == "high"
    assert found.adjusted == ("severity raised from medium to the policy's high",)


def test_no_draft_is_rejected_with_the_reasoners_error():
    found = guard.check(Answer("m", None, "", "", error="no answer within 8 s"), FACTS, VERDICT)
    assert found.reason == "no answer within 8 s"


@pytest.mark.parametrize("words", hostile.WORDS.values(), ids=hostile.WORDS)
def test_hostile_words_are_no_answer_to_a_question_either(words):
    question = Question("Should I approve this?", {}, FACTS)
    said = Reply(words, (Evidence("drift.score", 0.312),))
    answer = Answer("m", None, "", "", seen=frozenset({"drift.score"}), reply=said)
    assert guard.check_reply(answer, question)
    fine = replace(answer, reply=Reply("The score is 0.31.", said.evidence))
    assert guard.check_reply(fine, question) is None
    assert "never read" in guard.check_reply(replace(fine, seen=frozenset()), question)
