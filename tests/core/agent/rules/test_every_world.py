"""What holds in every world, however odd its facts."""

from hypothesis import given, settings
from hypothesis import strategies as st

from core.agent import guard
from core.agent.fact_names import LABELS
from core.agent.facts import Fact, FactBook
from core.agent.policy import DECISIONS, SEVERITIES, Policy, decide
from core.agent.reasoners import RulesReasoner
from core.recommendations.kinds import KINDS

FOREIGN = ("text.new_terms", "text.campaigns", "sample_messages", "operator_note.text")
VALUES = st.one_of(
    st.booleans(),
    st.sampled_from([0, 1, 0.05, 0.5, 0.6, 0.8, 0.95, 0.97, 30, 99, 100, 200, 900, 5000, -1]),
    st.sampled_from(["pass", "warn", "fail", "promote", "refuse", "1.0.0", "2.0.0", "bold"]),
    st.sampled_from([[], ["retrain"], ["age"], [0, 0.5, 0, 0.5, 0, 0.5]]),
)


@st.composite
def worlds(draw):
    names = draw(st.lists(st.sampled_from(sorted(LABELS)), unique=True, max_size=30))
    facts = [
        Fact(
            name,
            draw(VALUES),
            "/x",
            "",
            n=draw(st.none() | st.integers(1, 900)),
            interval=draw(st.none() | st.just((0.7, 0.8))),
            citable=name not in FOREIGN,
        )
        for name in names
    ]
    return FactBook("spam", facts, 1)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds())
def test_a_verdict_is_well_formed_and_rests_on_facts_that_exist(book):
    found = decide(book, Policy())
    assert found.decision in DECISIONS
    assert found.severity in SEVERITIES
    assert found.decision in found.allowed
    assert all(name in book for name in found.cites)
    assert " nan" not in " ".join(found.sentences)
    for act in found.actions:
        assert set(act.arguments) == KINDS[act.kind].arguments
        assert all(isinstance(value, str) and value for value in act.arguments.values())
    assert [one.state for one in found.considered].count("fired") <= 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds())
def test_nothing_is_changed_that_a_signed_freeze_holds_back(book):
    signed = {"authenticated": True, "freeze": True}
    note = [Fact(f"operator_note.{name}", value, "/x", "") for name, value in signed.items()]
    frozen = FactBook("spam", [*book, *note], 1)
    assert not any(KINDS[act.kind].frozen for act in decide(frozen, Policy()).actions)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds())
def test_nothing_is_trained_on_broken_data_and_no_void_experiment_is_won(book):
    broken = FactBook("spam", [*book, Fact("data_quality.status", "fail", "/x", "")], 1)
    kinds = {act.kind for act in decide(broken, Policy()).actions}
    assert not kinds & {"retrain", "promote", "rollback"}
    void = [Fact("experiment.running", "e1", "/x", ""), Fact("experiment.srm_p", 0.00001, "/x", "")]
    found = decide(FactBook("spam", [*book, *void], 1), Policy())
    assert "promote" not in {act.kind for act in found.actions}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds())
def test_the_rules_own_words_pass_the_guard(book):
    found = decide(book, Policy())
    assert guard.check(RulesReasoner().propose(book, found), book, found).reason is None
