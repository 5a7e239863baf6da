import threading
from datetime import timedelta

import pytest

from core import idempotency
from core.errors import InProgressError, InvalidInputError
from core.idempotency import ABANDONED, KEPT, Claim, Kept
from core.tables.access import IdempotentRequest

DONE = Kept(202, '{"job_id": "1"}')


def begin(db, key="order-17", content="a", owner="key-1"):
    return idempotency.begin(db, owner=owner, key=key, content=content)


def rows(db):
    with db.read() as session:
        return session.query(IdempotentRequest).count()


def test_the_first_is_carried_out_and_the_second_gets_its_answer(db):
    claim = begin(db)
    assert isinstance(claim, Claim)
    idempotency.finish(db, claim, DONE)
    assert begin(db) == DONE
    assert begin(db) == DONE


def test_a_name_belongs_to_who_asks(db):
    idempotency.finish(db, begin(db), DONE)
    assert isinstance(begin(db, owner="key-2"), Claim)


def test_the_same_name_for_another_request_is_refused_done_or_not(db):
    claim = begin(db)
    for _ in range(2):
        with pytest.raises(InvalidInputError, match="another request"):
            begin(db, content="b")
        idempotency.finish(db, claim, DONE)


def test_while_one_is_being_carried_out_the_second_waits(db, clock):
    begin(db)
    clock.forward(seconds=ABANDONED.total_seconds() - 1)
    with pytest.raises(InProgressError, match="being carried out"):
        begin(db)


def test_one_whose_process_died_is_free_after_some_minutes(db, clock):
    lost = begin(db)
    clock.forward(seconds=ABANDONED.total_seconds())
    second = begin(db)
    assert isinstance(second, Claim)
    idempotency.finish(db, lost, Kept(200, "late"))
    idempotency.give_up(db, lost)
    idempotency.finish(db, second, DONE)
    assert begin(db) == DONE


def test_an_answer_is_forgotten_after_a_day(db, clock):
    idempotency.finish(db, begin(db), DONE)
    clock.forward(seconds=KEPT.total_seconds() - 1)
    assert begin(db) == DONE
    clock.forward(seconds=1)
    assert isinstance(begin(db, content="b"), Claim)


def test_what_was_not_carried_out_may_be_tried_again(db):
    idempotency.give_up(db, begin(db))
    assert isinstance(begin(db), Claim)


def test_old_rows_are_purged(db, clock):
    for number in range(5):
        idempotency.finish(db, begin(db, key=str(number)), DONE)
    clock.now += timedelta(days=2)
    idempotency.finish(db, begin(db, key="new"), DONE)
    assert rows(db) == 1


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "a\x00", "é", " \t"])
def test_a_key_that_is_no_name_is_refused(db, key):
    with pytest.raises(InvalidInputError, match="printable"):
        begin(db, key=key)
    assert rows(db) == 0


def test_of_many_at_once_one_is_carried_out(db):
    outcomes, start = [], threading.Barrier(8)

    def ask():
        start.wait()
        try:
            outcomes.append(type(begin(db)))
        except InProgressError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (outcomes.count(Claim), outcomes.count(InProgressError)) == (1, 7)
