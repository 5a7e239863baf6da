import pytest

from tests.core.agent.test_facts import known, measure, predictions, report

LABELS = {"lag_p90_hours": 30.0, "coverage": 0.4, "n_predictions": 900, "settled": True}
JUDGED = {"accuracy": 0.9, "accuracy_interval": [0.88, 0.92], "n_labelled": 800, "n_correct": 720}


@pytest.fixture
def serving(db, release):
    release("spam", "1.0.0")
    measure(db, accuracy=0.97, n_test=1000)


def test_the_figures_of_a_report_count_because_only_matured_answers_are_in_it(db, clock, serving):
    predictions(db, clock, right=10, wrong=90)
    report(db, clock, kind="performance", labels=LABELS | {"delay_hours": 30.0}, **JUDGED)
    book = known(db, clock)
    current = book.fact("accuracy.current")
    assert (current.value, current.n, current.interval) == (0.9, 800, (0.88, 0.92))
    assert book.get("accuracy.mature") is True
    assert book.get("accuracy.label_lag_hours") == 30
    assert book.get("accuracy.label_coverage") == 0.4


@pytest.mark.parametrize(
    ("labels", "mature"),
    [({"delay_hours": 30.0}, False), ({"settled": False}, False), ({"delay_hours": 0.0}, True)],
    ids=["too young", "lag not known", "at once"],
)
def test_what_no_report_has_judged_is_counted_and_said_to_be_early(
    db, clock, serving, labels, mature
):
    predictions(db, clock, right=80, wrong=20)
    report(db, clock, "inconclusive", "performance", labels=LABELS | labels)
    book = known(db, clock)
    assert (book.get("accuracy.current"), book.get("accuracy.mature")) == (0.8, mature)


def test_a_report_of_more_than_a_week_ago_is_not_the_accuracy_of_now(db, clock, serving):
    report(db, clock, kind="performance", **JUDGED)
    clock.forward(days=8)
    assert known(db, clock).get("accuracy.current") is None


def test_the_history_is_that_of_the_reports_oldest_first(db, clock, serving):
    for lost in (0.0, 0.02, 0.05):
        report(db, clock, kind="performance", score=lost)
    assert known(db, clock).get("accuracy.history") == [0.97, 0.95, 0.92]


def test_the_estimate_and_the_concept_come_with_their_intervals(db, clock, serving):
    report(db, clock, "warn", "estimate", accuracy=0.93, accuracy_interval=[0.91, 0.95])
    report(db, clock, "fail", "concept", gap=-0.08, gap_interval=[-0.1, -0.06])
    book = known(db, clock)
    assert book.fact("accuracy.estimated").interval == (0.91, 0.95)
    assert book.get("concept.alarm") is True
    assert book.fact("concept.gap").interval == (-0.1, -0.06)
