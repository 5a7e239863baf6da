import pytest

from tests.core.agent.test_facts import count, known, report
from tests.core.experiments.test_lifecycle import answers, draft, start, two  # noqa: F401


@pytest.fixture
def running(db, ana, clock, two):  # noqa: F811
    row = draft(db, ana)
    start(db, row)
    clock.forward(hours=5)
    answers(db, clock, "control", 180, 20)
    answers(db, clock, "treatment", 45, 5)
    return row


def test_an_experiment_is_known_by_its_arms_its_plan_and_its_p_values(db, clock, running):
    book = known(db, clock)
    assert (book.get("experiment.arm_a"), book.get("experiment.arm_b")) == ("1.0.0", "2.0.0")
    assert (book.get("experiment.n_a"), book.get("experiment.n_b")) == (200, 50)
    assert book.get("experiment.planned_n") == running.planned_n
    low, high = book.get("experiment.ci")
    assert low < 0 < high
    assert book.get("experiment.p_seq") > 0.5
    assert book.get("experiment.p_fixed") == pytest.approx(1)
    assert book.get("experiment.arm_b_releasable") is True


def test_the_maturity_of_labels_is_measured_against_what_usually_comes(db, clock, running):
    assert known(db, clock).get("experiment.label_maturity_a") is None
    labels = {"coverage": 0.5, "settled": True, "n_predictions": 900}
    report(db, clock, "inconclusive", "performance", labels=labels)
    assert known(db, clock).get("experiment.label_maturity_a") == 1


def test_errors_are_counted_for_each_arm(db, clock, running):
    with db.append() as session:
        count(session, clock, requests=300, errors=3)
        count(session, clock, version="2.0.0", variant="treatment", requests=100, errors=9)
    book = known(db, clock)
    rates = [book.get(f"experiment.error_rate_{arm}") for arm in "ab"]
    assert (rates, book.get("experiment.n_requests_b")) == ([0.01, 0.09], 100)
