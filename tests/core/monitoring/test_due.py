"""When a window is complete: by rows, by time, or all that waits; the rest stays."""

from datetime import timedelta
from itertools import pairwise

import pytest

from core.monitoring.due import Size, due
from core.monitoring.windows import MOST_ROWS
from tests.conftest import NOON
from tests.core.monitoring.test_windows import MODEL, START, fill

LATER = NOON + timedelta(days=9)


def ask(db, size, *, after=START, until=LATER):
    with db.read() as session:
        return due(session, *MODEL, after, size=size, until=until)


def chain(db, size, *, until=LATER):
    """Every window that is due, one behind the other."""
    found, after = [], START
    while (one := ask(db, size, after=after, until=until)).window:
        found.append(one)
        after = one.window.end
    return found, one


@pytest.fixture
def filled(db):
    """One answer every five seconds, for 50 minutes."""
    fill(db, 600)
    return db


def test_without_a_size_all_that_waits_is_one_window(filled):
    found, rest = chain(filled, Size(100))
    assert [(one.window.n, one.left) for one in found] == [(600, 0)]
    assert (rest.waiting, rest.lacking) == (0, 100)


def test_too_few_answers_stay_and_are_counted(filled):
    found = ask(filled, Size(700))
    assert (found.window, found.waiting, found.lacking) == (None, 600, 100)


def test_windows_by_rows_have_that_many_and_the_rest_stays(filled):
    found, rest = chain(filled, Size(100, rows=250))
    assert [(one.window.n, one.left) for one in found] == [(250, 1), (250, 0)]
    assert (rest.waiting, rest.lacking) == (100, 150)


def test_a_window_by_rows_is_never_smaller_than_the_fewest(filled):
    found, _ = chain(filled, Size(200, rows=50))
    assert [one.window.n for one in found] == [200, 200, 200]


def test_windows_by_time_end_at_full_stretches_of_it(filled):
    found, rest = chain(filled, Size(100, minutes=10), until=NOON + timedelta(minutes=45))
    assert [one.window.n for one in found] == [120] * 4
    assert [one.left for one in found] == [3, 2, 1, 0]
    assert found[0].window.end[0] == NOON + timedelta(minutes=9, seconds=55)
    assert (rest.waiting, rest.lacking) == (61, 39)


def test_a_stretch_with_too_few_answers_is_joined_to_the_next(filled):
    found, rest = chain(filled, Size(100, minutes=5), until=NOON + timedelta(minutes=29))
    assert [one.window.n for one in found] == [120, 120]
    assert (rest.waiting, rest.closes) == (109, NOON + timedelta(minutes=30))


def test_with_both_sizes_a_window_ends_at_whichever_comes_first(filled):
    found, _ = chain(filled, Size(20, rows=80, minutes=10), until=NOON + timedelta(minutes=20))
    assert [one.window.n for one in found] == [80, 40, 80, 40]


def test_answers_from_the_future_wait_until_their_time_has_come(filled):
    early = NOON + timedelta(minutes=10)
    assert ask(filled, Size(100), until=early).window.n == 121
    rest = ask(filled, Size(100), after=ask(filled, Size(100), until=early).window.end)
    assert rest.window.n == 479


def test_windows_are_disjoint_and_use_every_answer_up_also_where_there_are_many(db):
    n = MOST_ROWS * 5
    fill(db, n, every=0.5)
    found, rest = chain(db, Size(100, rows=MOST_ROWS + 1000))
    ids = [{row.id for row in one.window.rows} for one in found]
    assert [one.window.n for one in found] == [6000] * 4
    assert all(not a & b for a, b in pairwise(ids))
    assert rest.waiting == n - 24_000
