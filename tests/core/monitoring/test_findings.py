import numpy as np
import pandas as pd
import pytest

from core.monitoring import findings, quality
from core.monitoring.findings import Column
from core.monitoring.quality import Sent

KINDS = {"height": "numeric", "income": "numeric", "town": "category", "note": "text"}


def people(n, seed=1):
    rng = np.random.default_rng(seed)
    towns = np.array([f"town {i}" for i in range(400)])
    return pd.DataFrame(
        {
            "height": rng.normal(70, 3, n),
            "income": rng.lognormal(8, 0.7, n),
            "town": rng.choice(towns, n, p=(1 / np.arange(1, 401)) / (1 / np.arange(1, 401)).sum()),
            "note": [f"note {seed} {i}" for i in range(n)],
        }
    )


REFERENCE = people(1500)


def found(now, **more):
    judged = quality.judge(now, [], reference=REFERENCE, kinds=KINDS, **more)
    return {(one["kind"], one["column"]): one for one in judged.figures["failed"]}, judged


def test_data_like_the_reference_is_hardly_ever_faulted():
    states = [found(people(150, seed=seed))[1].state for seed in range(2, 17)]
    assert states.count("pass") >= 14


def test_missing_values_beyond_chance_are_told_with_both_shares():
    now = people(200, seed=2)
    now.loc[:29, "height"] = None
    one = found(now)[0]["missing", "height"]
    assert one["sentence"] == ("'height' is missing in 15.0% of the inputs, 0.0% in the reference.")
    assert (one["severity"], one["n_failed"]) == ("soft", 30)


def test_a_column_that_went_missing_is_a_lost_feed():
    told, judged = found(people(200, seed=2).assign(income=None))
    assert told["missing", "income"]["severity"] == "hard"
    assert (judged.state, judged.figures["raw_feed_ok"]) == ("fail", False)
    assert judged.figures["broken_columns"] == ["income"]
    assert (judged.figures["missing_rate_max"], judged.figures["missing_column"]) == (1, "income")


def test_values_far_outside_are_told():
    now = people(200, seed=2)
    now.loc[:19, "income"] = 1e7
    one = found(now)[0]["outliers", "income"]
    assert "% of the values of 'income' lie far outside, below" in one["sentence"]
    assert one["n_failed"] >= 20


def test_another_unit_is_told_with_the_guess_and_is_broken():
    told, judged = found(people(200, seed=2).assign(height=lambda p: p["height"] * 2.54))
    assert (
        "(inches to centimetres): 2.54 times as large"
        in (told["unit_change", "height"]["sentence"])
    )
    assert judged.state == "fail"
    assert judged.figures["unit_change"]["column"] == "height"


def test_new_words_of_a_rich_column_are_compared_with_how_often_new_ones_come_anyway():
    now = people(200, seed=2)
    assert now["town"].isin(REFERENCE["town"]).mean() < 1
    assert found(now)[1].state == "pass"
    now.loc[:24, "town"] = "New Town\x00"
    one = found(now)[0]["new_category", "town"]
    assert "New Town" in one["sentence"]
    assert "\x00" not in one["sentence"]


def test_a_constant_column_is_told_unless_chance_makes_it_so():
    assert ("constant", "town") in found(people(200, seed=2).assign(town="town 1"))[0]
    rare = Column.of("flag", "category", flags(1000, 990), flags(60, 60))
    assert list(findings.of_column(rare, alpha=0.001)) == []


def flags(n, yes):
    return pd.DataFrame({"flag": ["yes"] * yes + ["no"] * (n - yes)})


def test_retries_are_told_but_rows_that_are_often_alike_are_not():
    now = people(100, seed=2)
    told, judged = found(pd.concat([now, now], ignore_index=True))
    assert ("duplicates", None) in told
    assert judged.figures["duplicate_share"] == 0.5
    alike = flags(500, 250)
    assert list(findings.copies(alike, flags(200, 90), alpha=0.001)) == []


def test_a_window_of_one_row_over_and_over_is_told_and_breaks_nothing():
    now = pd.concat([people(1, seed=3)] * 150, ignore_index=True)
    told, judged = found(now)
    assert ("duplicates", None) in told
    assert judged.state in ("warn", "fail")


def test_features_that_no_input_has_or_nobody_knows_are_told():
    sent = Sent(lacking=("height",), unknown={"heigth": 200}, n_stored=200, n=200)
    told, judged = found(people(200, seed=2).assign(height=None), sent=sent)
    assert told["missing_feature", "height"]["severity"] == "hard"
    assert ("unknown_feature", "heigth") in told
    assert ("missing", "height") not in told
    assert judged.figures["schema_ok"] is False


@pytest.mark.parametrize("value", [np.inf, -np.inf, "many", None])
def test_a_column_of_nothing_but_such_values_is_judged_in_words(value):
    told, judged = found(people(150, seed=2).assign(income=value))
    assert ("missing", "income") in told
    assert judged.state == "fail"


def test_what_is_no_finding_against_the_reference_may_still_break_a_bound_beyond_chance():
    bound = quality.Expectation("between", "height", {"low": 60, "high": 80, "mostly": 0.99})
    few, many = people(200, seed=2), people(200, seed=2)
    few.loc[:2, "height"], many.loc[:19, "height"] = 81.0, 81.0
    kinds = {"town": "category"}
    judge = [quality.judge(now, [bound], reference=REFERENCE, kinds=kinds) for now in (few, many)]
    assert [one.state for one in judge] == ["pass", "warn"]


@pytest.mark.parametrize(("now", "p"), [((3, 4, 1, 4), 0.242857), ((0, 50, 0, 50), 1.0)])
def test_the_exact_test_is_fishers(now, p):
    assert findings.more(*now) == pytest.approx(p, abs=1e-6)
