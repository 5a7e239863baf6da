import shutil

import pytest

from core import autonomy, outcomes, specs
from core.access import system
from core.autonomy.ladder import ceiling, may_act, rung
from core.outcomes.record import record_of
from core.specs.thresholds import Policy
from core.tables.decisions import Autonomy
from tests.core.autonomy.test_acting import SPEC, grant
from tests.outcomes_kit import put_outcomes


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """The ladder is read alike from either database: one is enough."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def spam(db):
    specs.apply(db, system("bootstrap"), SPEC)


def stands(db, kind="retrain"):
    with db.read() as session:
        return next(one for one in autonomy.ladder(session) if one.kind == kind)


def test_every_kind_that_can_be_left_to_the_product_begins_off(db, spam):
    with db.read() as session:
        found = autonomy.ladder(session)
    assert {one.state for one in found} == {"off"}
    assert {one.kind for one in found} == {
        "retrain", "rollback", "stop_experiment", "collect_labels", "silence", "notify", "scale",
    }  # fmt: skip


def test_it_is_climbed_by_good_outcomes_and_left_by_the_first_bad_one(db, spam):
    grant(db)
    seen = []
    for grade in (*["good"] * 11, "bad", *["good"] * 11):
        put_outcomes(db, grade)
        one = stands(db)
        seen.append((one.state, one.more))
    assert seen[:11] == [*[("earning", 10 - n) for n in range(10)], ("acts alone", 0)]
    assert seen[11:] == [*[("fallen back", 11 - n) for n in range(11)], ("acts alone", 0)]


def test_a_bad_outcome_before_the_leave_is_no_fall(db, spam, clock):
    put_outcomes(db, "bad", "good")
    clock.forward(minutes=1)
    grant(db)
    one = stands(db)
    assert (one.state, one.more, one.bad) == ("earning", 10, None)


def test_what_it_fell_by_is_told(db, spam):
    grant(db)
    put_outcomes(db, "good", "bad")
    one = stands(db)
    with db.read() as session:
        assert outcomes.of(session, one.bad).sentence == "It was bad."
    assert one.since == db.clock()


def test_the_ladder_and_the_question_agree(db, spam):
    grant(db)
    for grade in (*["good"] * 11, "neutral", "bad"):
        put_outcomes(db, grade)
        with db.read() as session:
            allowed, sentence = may_act(session, "spam", "retrain", Policy(), now=db.clock())
        assert (allowed, sentence) == (stands(db).state == "acts alone", stands(db).sentence)


def test_a_policy_can_set_the_bar_out_of_reach_or_allow_nothing():
    leave = Autonomy(model="spam", kind="retrain", state="granted")
    record = record_of([("good", None, "r")] * 500)
    high = rung(leave, "spam", "retrain", record, Policy(autonomy_bar=1))
    assert (high.state, high.more, "no record reaches the bar" in high.sentence) == (
        "earning", None, True,
    )  # fmt: skip
    none = Policy(autonomy_a_day=0)
    assert rung(leave, "spam", "retrain", record, none).state == "earning"
    assert ceiling(none) == "nothing: the policy lets none act alone"


def test_what_has_no_effect_to_measure_never_earns_it():
    leave = Autonomy(model="spam", kind="notify", state="granted")
    one = rung(leave, "spam", "notify", record_of([]), Policy())
    assert (one.more, "no effect to measure" in one.sentence) == (None, True)
