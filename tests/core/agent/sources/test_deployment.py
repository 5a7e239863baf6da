import pytest

from core.agent.sources.deployment import p_worse
from core.releases import Arm
from tests.core.agent.test_facts import beside, known, predictions, report


def test_a_worse_release_has_a_small_p_and_an_equal_one_has_not():
    assert p_worse((400, 380), (400, 340)) < 0.0001
    assert p_worse((400, 380), (400, 380)) == pytest.approx(0.5)
    assert p_worse((400, 340), (400, 380)) > 0.9999


def test_the_chance_that_the_release_is_no_worse_is_measured_on_one_period(db, clock, release):
    release("spam", "1.0.0")
    release("spam", "2.0.0")
    beside(db, Arm("2.0.0", "control", 1000), Arm("1.0.0", "shadow", 0), mode="shadow")
    predictions(db, clock, right=80, wrong=20, version="2.0.0")
    predictions(db, clock, right=98, wrong=2, version="1.0.0", shadow=True)
    fact = known(db, clock).fact("deployment.p_worse")
    assert fact.value < 0.001
    assert fact.n == 200


def test_an_earlier_version_is_known_by_its_own_last_report(db, clock, release):
    release("spam", "1.0.0")
    report(db, clock, kind="performance", accuracy=0.95, n_labelled=400, n_correct=380)
    release("spam", "2.0.0")
    predictions(db, clock, right=80, wrong=20, version="2.0.0")
    book = known(db, clock)
    assert book.get("deployment.previous_accuracy") == 0.95
    assert book.get("deployment.same_period") is False


def test_parts_that_became_worse_are_named(db, clock, release):
    release("spam", "1.0.0")
    parts = [{"name": "pain is a", "state": "worse"}, {"name": "pain is b", "state": "ok"}]
    report(db, clock, kind="performance", slices=parts)
    assert known(db, clock).get("deployment.slice_regressions") == ["pain is a"]
