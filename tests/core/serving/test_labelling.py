"""Whatever order labels come in, and however often, the same is stored in the end."""

from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import select

from core.serving import labelling, records
from core.tables.telemetry import EarlierLabel, Label


@pytest.fixture
def say(clock):
    """Make a record: ``say("spam", 3)`` is said at second 3."""

    def record(value, second, source="client"):
        at = clock() + timedelta(seconds=second)
        return records.label("id-1", value, source=source, at=at)

    return record


@pytest.fixture
def told(db):
    """Store batches of records."""

    def store(*batches):
        for batch in batches:
            with db.append() as session:
                labelling.store(session, batch)

    return store


def kept(db, clock):
    """Return what stands, and what was said before, each with its second."""
    with db.read() as session:
        now = [(row.source, row.value, row.at) for row in session.scalars(select(Label))]
        before = [(row.value, row.at) for row in session.scalars(select(EarlierLabel))]
    second = lambda at: (at - clock()).total_seconds()  # noqa: E731
    return (
        sorted((source, value, second(at)) for source, value, at in now),
        sorted((value, second(at)) for value, at in before),
    )


def test_a_label_repeated_changes_nothing(db, clock, say, told):
    told([say("spam", 0), say("spam", 1)], [say("spam", 2)], [say("spam", 0)])
    assert kept(db, clock) == ([("client", "spam", 0)], [])


def test_a_source_that_changes_its_word_corrects_itself_and_the_earlier_word_is_kept(
    db, clock, say, told
):
    told([say("spam", 0)], [say("ham", 1)], [say("spam", 2), say("ham", 3)])
    assert kept(db, clock) == ([("client", "ham", 3)], [("ham", 1), ("spam", 0), ("spam", 2)])


def test_an_older_word_that_comes_late_never_wins_in_any_order(db, clock, say, told):
    words = [say("spam", 0), say("ham", 1), say("junk", 2)]
    for order in permutations(words):
        told(order[:1], order[1:], order)
        assert kept(db, clock) == ([("client", "junk", 2)], [("ham", 1), ("spam", 0)])
        with db.append() as session:
            for row in [*session.scalars(select(Label)), *session.scalars(select(EarlierLabel))]:
                session.delete(row)


def test_what_a_source_repeated_is_not_overruled_by_what_it_said_between(db, clock, say, told):
    told([say("spam", 0)], [say("spam", 5)], [say("ham", 3)])
    assert kept(db, clock) == ([("client", "spam", 0)], [("ham", 3)])


def test_two_sources_stand_beside_each_other(db, clock, say, told):
    told([say("spam", 0), say("ham", 1, source="shop")])
    assert kept(db, clock) == ([("client", "spam", 0), ("shop", "ham", 1)], [])
