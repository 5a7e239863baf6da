import json
from collections import Counter
from dataclasses import asdict, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.agent import scenarios
from core.agent.facts import Fact, FactBook
from core.agent.policy import decide
from core.agent.replay import rehearse, replay
from core.agent.replay.decision import spelled
from core.errors import InvalidInputError, NotFoundError
from core.policies import remembered
from core.specs.thresholds import Policy
from core.tables.entities import FactBook as Row


def again(story, **how):
    with story.db.read() as session:
        return replay(session, model="spam", since=story.begun, **how)


def rows(story):
    with story.db.read() as session:
        return session.scalars(select(Row).order_by(Row.at, Row.id)).all()


def test_the_live_policy_decides_the_same_again_to_the_last_word(story):
    found = again(story)
    assert [one.id for one in found.decisions if not one.same] == []
    assert (found.summary.same, found.summary.changed) == (72, 0)
    assert found.summary.sentences == ("72 decisions: none would differ.",)


def test_the_simulated_past_meets_most_rules_and_two_policies(story):
    found = rows(story)
    told = Counter(row.verdict["rule"] for row in found)
    assert len(told) >= 5, told
    assert {row.policy_name for row in found} == {"built in", "spam 1"}


def test_a_book_is_written_down_and_read_again_exactly(story):
    for row in rows(story):
        book = FactBook.from_plain(row.model, row.facts, row.release_seq)
        assert json.loads(json.dumps(book.plain())) == row.facts
        assert book.digest() == row.digest
        assert spelled(decide(book, remembered(row.policy))) == row.verdict
        assert book.release_seq in (1, 2, 3, 4)


def test_another_policy_is_told_with_what_came_after(story):
    found = again(story, policy={"drift_retrain": 0.8, "flaps": 99, "drop_critical": 0.5})
    assert 0 < len(found.changed) == found.summary.changed
    one = found.changed[0]
    assert (one.live.decision, one.replayed.decision) != ("", "")
    assert one.live.words != one.replayed.words
    assert any(change.after.state for change in found.changed)
    json.dumps(found.plain(), allow_nan=False)


def test_the_values_that_are_not_given_are_those_in_force_now(story):
    now = again(story, policy={})
    given = again(story, policy={"drift_retrain": 0.35, "min_labels": 30, "min_new_rows": 0})
    assert [one.replayed for one in now.decisions] == [one.replayed for one in given.decisions]


def test_a_rehearsal_of_what_is_in_force_differs_only_before_it_was(story):
    with story.db.read() as session:
        own = {"drift_retrain": 0.35, "min_labels": 30, "min_new_rows": 0}
        found = rehearse(session, scope="spam", thresholds=own, since=story.begun)
        middle = next(row.at for row in rows(story) if row.policy_name == "spam 1")
        for one in found.changed:
            assert one.at < middle


def test_what_cannot_be_replayed_is_refused(story):
    with pytest.raises(InvalidInputError, match="no setting drfit"):
        again(story, policy={"drfit": 1})
    with story.db.read() as session, pytest.raises(NotFoundError, match="no model ghost"):
        replay(session, model="ghost", since=story.begun)


def test_all_models_are_replayed_at_once(story):
    with story.db.read() as session:
        found = replay(session, model="*", since=story.begun)
    assert found.summary.same == 72


def test_nothing_logged_is_said_so(story):
    with story.db.read() as session:
        found = replay(session, model="spam", since=story.until)
    assert found.summary.sentences == ("No decision was logged in this time.",)


@pytest.mark.parametrize("one", scenarios.load("open"), ids=lambda one: one.id)
def test_labelled_situations_decide_the_same_after_being_written_down(one):
    assert_the_same_again(one.book(), Policy())


NUMBERS = st.one_of(
    st.integers(0, 400), st.floats(0, 1.2).map(lambda x: round(x, 6)), st.floats(0, 1e5)
)
WORDS = st.text("ab \u00e9\u20ac\"'{}%", max_size=8)
LISTS = {
    "pending_approval": st.lists(
        st.fixed_dictionaries(
            {
                "id": WORDS,
                "kind": st.sampled_from(["retrain", "rollback", "promote"]),
                "severity": st.sampled_from(["critical", "high", "medium", "low"]),
                "decision": st.just("log_only"),
            }
        ),
        max_size=3,
    ),
}
SHARE = st.floats(0, 1).map(lambda x: round(x, 6))


def value_of(name):
    known = next((row for row in open_values().get(name, [])), None)
    if name in LISTS:
        return LISTS[name]
    if isinstance(known, bool):
        return st.booleans()
    if isinstance(known, str):
        return st.one_of(st.sampled_from(open_values()[name]), WORDS)
    if isinstance(known, int | float):
        return st.one_of(st.sampled_from(open_values()[name]), NUMBERS)
    return st.sampled_from(open_values()[name])


def open_values():
    if not VALUES:
        for one in scenarios.load("open"):
            for fact in one.book():
                VALUES.setdefault(fact.id, []).append(fact.value)
    return VALUES


VALUES = {}


@st.composite
def books(draw):
    names = draw(st.sets(st.sampled_from(sorted(open_values())), max_size=25))
    facts = []
    for name in sorted(names):
        low = draw(st.one_of(st.none(), SHARE))
        interval = None if low is None else (low, round(low + draw(SHARE), 6))
        n = draw(st.one_of(st.none(), st.integers(0, 5000)))
        facts.append(Fact(name, draw(value_of(name)), "/x", "2030-01-01", n, interval))
    return FactBook("spam", facts, draw(st.integers(0, 9)))


POLICIES = st.fixed_dictionaries({}, optional={one.name: SHARE for one in fields(Policy)})


@settings(max_examples=150, deadline=None)
@given(books(), POLICIES)
def test_any_book_and_any_policy_decide_the_same_after_being_written_down(book, changes):
    assert_the_same_again(book, Policy.of(0.9, changes))


def assert_the_same_again(book, policy):
    stored, said = json.loads(json.dumps([book.plain(), asdict(policy)])), decide(book, policy)
    read = FactBook.from_plain(book.model, stored[0], book.release_seq)
    assert (list(read), read.digest()) == (list(book), book.digest())
    assert decide(read, remembered(stored[1])) == said
