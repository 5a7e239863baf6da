import json
from datetime import timedelta

import pytest

from core import predictions, releases
from core.ids import new_id
from core.tables.entities import Run
from core.tables.telemetry import Label, Prediction
from tests.fakes.counted import count
from tests.pages.conftest import prediction
from tests.pages.looking import text_of


def test_accuracy_from_labels_has_its_interval_and_n(open_page, traffic, ana):
    shown = text_of(open_page("performance", ana, model=traffic))
    assert "accuracy **0.9000 (95 % interval 0.6990 to 0.9721, n = 20)**" in shown


def test_volume_errors_latency_and_label_coverage_are_shown(open_page, traffic, ana):
    page = open_page("performance", ana, model=traffic)
    assert [one.value for one in page.metric] == ["60", "5.00%", "10 ms", "100.0%"]
    assert [one.delta for one in page.metric][1::2] == ["3 of 60", "57 of 57"]


def test_without_traffic_it_says_how_traffic_comes(open_page, served, ana):
    shown = text_of(open_page("performance", ana, model=served))
    assert "No request was answered in the last 24 hours." in shown
    assert "POST /predict" in shown
    assert "POST /feedback" in shown


def test_the_span_lives_in_the_address(open_page, traffic, ana):
    page = open_page("performance", ana, model=traffic, span="7 days")
    assert page.metric[0].label == "Requests, 7 days"


def test_disputed_labels_are_listed_and_an_operator_decides_one(open_page, traffic, panel, ana):
    with panel.db.append() as db:
        (one,) = predictions.recent(db, traffic, 1)
        key = {"prediction_id": one.id, "source": "shop", "at": one.at}
        db.add(Label(value="ham", state="confirmed", **key))
    page = open_page("performance", ana, model=traffic)
    assert "1 prediction was labelled differently by two sources" in text_of(page)
    page.text_input[0].input("read it")
    next(button for button in page.button if button.label == "Decide").click().run()
    assert "labelled differently" not in text_of(page)


FIGURES = {
    "n_labelled": 400, "accuracy": 0.9, "accuracy_interval": [0.86, 0.93], "f1": 0.8,
    "precision": 0.7, "baseline_accuracy": 0.95, "baseline_f1": 0.9,
    "slices": [
        {"feature": "sex", "name": "sex is m", "n": 90, "accuracy": 0.7, "interval": [0.6, 0.8],
         "registered": 0.94, "state": "worse", "sentence": "worse"},
        {"feature": "sex", "name": "sex is f", "n": 12, "accuracy": None, "interval": None,
         "registered": 0.95, "state": "not_enough_evidence", "sentence": "few"},
    ],
    "calibration": [{"mean": 0.1, "share": 0.12, "n": 300, "interval": [0.1, 0.2]}],
    "labels": {"coverage": 0.4, "n_labelled": 400, "lag_median_hours": 5.0, "selective": True,
               "sentence": "Labels come mostly for answers that said spam."},
}  # fmt: skip


def test_the_gravest_finding_of_all_checks_comes_first(open_page, put_report, ana):
    put_report("performance", figures=FIGURES)
    put_report("service", state="fail", sentence="Answers are slow.")
    page = open_page("performance", ana, model="sms_spam")
    assert "**Answers are slow" in page.markdown[0].value.replace("\\", "")
    assert "Accuracy from labels: This is about performance." in text_of(page)
    assert "What to do: look at traffic below" in text_of(page)


def test_a_check_that_waits_for_more_leaves_the_finding_as_it_was(
    open_page, put_report, clock, ana
):
    put_report("service", state="fail", sentence="Answers are slow.")
    clock.forward(minutes=15)
    put_report("service", state="inconclusive", sentence="36 more requests are needed.")
    page = open_page("performance", ana, model="sms_spam")
    assert "Answers are slow" in page.markdown[0].value


def test_cards_tell_the_change_since_the_version_before(open_page, put_report, ana):
    put_report("performance", ago=timedelta(days=1), version="1.0.0", figures={"accuracy": 0.96})
    put_report("performance", figures=FIGURES)
    page = open_page("performance", ana, model="sms_spam")
    card = next(one for one in page.metric if one.label == "Accuracy, n = 400")
    assert (card.value, card.delta) == ("0.900", "-6.0 points since 1.0.0")


def test_cards_of_a_first_release_compare_with_registration(open_page, put_report, ana):
    put_report("performance", figures=FIGURES)
    page = open_page("performance", ana, model="sms_spam")
    assert "-5.0 points since registration" in [one.delta for one in page.metric]


def test_slices_labels_and_calibration_are_told_in_words(open_page, put_report, ana):
    put_report("performance", figures=FIGURES)
    page = open_page("performance", ana, model="sms_spam")
    shown = text_of(page)
    for words in ("surely worse", "too few labels to say", "5.0 h", "40.0%", "Calibration"):
        assert words in shown
    assert "Take the figures with care. Labels come mostly" in page.warning[0].value.replace(
        "\\", ""
    )


def test_an_estimate_stands_in_until_labels_come(open_page, put_report, ana):
    put_report("estimate", figures={"accuracy": 0.93, "accuracy_interval": [0.9, 0.96]})
    shown = text_of(open_page("performance", ana, model="sms_spam"))
    assert "all that is known is an estimate" in shown
    assert "It assumes that the concept has not changed" in shown


def test_labels_that_show_a_fall_head_the_page_before_they_are_judged(
    open_page, panel, served, put_report, clock, ana
):
    put_report("estimate", sentence="Estimated accuracy 93.6 %: no fall is expected.")
    some_wrong(panel, served, clock, 49)
    assert "no fall" in open_page("performance", ana, model=served).markdown[0].value
    some_wrong(panel, served, clock, 11)
    page = open_page("performance", ana, model=served)
    head = page.markdown[0].value.replace("\\", "")
    assert ":orange" in head
    assert "on the 60 labels so far; 97.0% at registration. Labels show a fall" in head
    assert "no fall is expected. Labels say otherwise: believe them." in text_of(page)


def some_wrong(panel, model, clock, n):
    """Answers that are labelled in the same second, three of ten of them wrong."""
    with panel.db.append() as db:
        for number in range(n):
            one = prediction(model, new_id(clock.now), clock.now)
            truth = "spam" if number % 10 < 3 else "ham"
            label = Label(prediction_id=one.id, source="t", value=truth, state="confirmed")
            label.at = clock.now
            count(db, [one])
            db.add_all([one, label])


def test_a_changed_concept_is_told_with_both_figures(open_page, put_report, ana):
    figures = {"realised": 0.84, "estimated": 0.96, "gap": -0.12, "gap_interval": [-0.14, -0.09]}
    put_report("concept", state="fail", figures=figures | {"level": 0.99, "evidence": 1.0})
    shown = text_of(open_page("performance", ana, model="sms_spam"))
    assert "Has the concept changed?" in shown
    assert "-0.120 (99% interval -0.140 to -0.090)" in shown


def test_trends_are_shown_per_week_and_the_choice_is_in_the_address(open_page, traffic, ana):
    page = open_page("performance", ana, model=traffic, trends="true", per="Week")
    assert page.selectbox(key="per").value == "Week"
    assert any("week from" in frame.value.columns for frame in page.dataframe)


def test_trainings_tell_how_often_they_succeed(open_page, panel, served, worker, ana):
    with panel.db.command(worker, "run.finish") as command:
        for number, state in enumerate(("finished", "failed")):
            command.session.add(run(number, served, state, command.now))
    shown = text_of(open_page("performance", ana, model=served))
    assert "**50%** of 2 trainings succeeded: 1 succeeded, 1 failed." in shown


def run(number, model, state, at):
    return Run(
        **{"id": f"r{number}", "model": model, "kind": "train", "state": state, "author": "ana"},
        **{"job_id": f"j{number}", "spec_version": 1, "candidates": [], "parameters": {}},
        **{"metrics": {}, "leaderboard": [], "trigger": "panel", "reason": "why", "at": at},
    )


def test_the_newest_predictions_are_listed_cut_short_and_safe(open_page, panel, traffic, vic):
    with panel.db.append() as db:
        newest = predictions.recent(db, traffic, 1)[0]
        newest.input = {"message": "look\u200b " + "a" * 200}
    page = open_page("performance", vic, model=traffic)
    rows = next(one.value for one in page.table if "input" in one.value.columns)
    assert rows["input"].iloc[0].startswith("look aaa")
    assert len(rows["input"].iloc[0]) == 60
    assert page.toggle(key="live").value is False


def test_estimates_and_labels_are_drawn_of_the_span_alone(
    open_page, panel, traffic, put_report, ana
):
    for hours in range(0, 100, 3):
        put_report("estimate", ago=timedelta(hours=hours), figures={"accuracy": 0.93})
    with panel.db.append() as db:
        for row in db.query(Prediction).order_by(Prediction.at).limit(40):
            old = prediction(traffic, f"old {row.id}", row.at - timedelta(days=2))
            count(db, [old])
            db.add_all([old, Label(prediction_id=old.id, source="t", value="ham",
                                   state="confirmed", at=old.at)])  # fmt: skip
    day, week = (_points(open_page, ana, span) for span in ("24 hours", "7 days"))
    assert day == {"2.0.0 from labels": 3, "2.0.0 estimated": 8}
    assert week == {"2.0.0 from labels": 5, "2.0.0 estimated": 29}  # of 34, thinned


def _points(open_page, ana, span):
    page = open_page("performance", ana, model="sms_spam", span=span)
    chart = next(one for one in page.get("plotly_chart") if "accuracy" in one.proto.id)
    return {one["name"]: len(one["x"]) for one in json.loads(chart.proto.spec)["data"]}


def test_after_a_rollback_the_finding_on_the_version_before_is_over(
    open_page, panel, traffic, put_report, clock, worker, ana
):
    put_report("performance", state="fail", figures=FIGURES, sentence="Accuracy has fallen.")
    clock.forward(minutes=15)
    with panel.db.command(worker, "release.promote") as command:
        releases.promote(command, traffic, "1.0.0", replaces=2, reason="roll back")
    page = open_page("performance", ana, model=traffic)
    assert "1.0.0 serves since just now" in page.markdown[0].value.replace("\\", "")
    assert "Accuracy has fallen." not in text_of(page)
    assert "What to do" not in text_of(page)


@pytest.mark.parametrize("kind", ["concept", "service"])
def test_an_earlier_report_has_an_address(open_page, put_report, kind, ana):
    old = put_report(kind, ago=timedelta(hours=1), state="fail", sentence="It was bad.")
    put_report(kind)
    page = open_page("performance", ana, model="sms_spam", report=old.id)
    assert not page.exception
    assert "It was bad" in page.markdown[0].value
    assert "You look at an earlier report, made 60 min ago" in text_of(page)


def test_a_report_that_is_read_elsewhere_is_not_found_here(open_page, put_report, ana):
    page = open_page("performance", ana, model="sms_spam", report=put_report("drift").id)
    assert page.title[0].value == "Not found"
