import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.monitoring import sequential as months
from core.errors import InvalidInputError
from core.monitoring import detector, sequential
from core.monitoring.sequential import Evidence

RATE = 0.1 / 2880
SIZES = {"n_reference": 5000, "n_current": 200}
FAMILIES = ("location", "category", "missing", "covariance")
COLUMNS = ("age", "income", "visits")


def check(rng, **moved):
    """One check's evidence: nothing changes but what is moved, by so many standard errors."""
    families = [Evidence(name, "", rng.normal() + moved.get(name, 0)) for name in FAMILIES]
    columns = [
        Evidence("location", name, rng.normal() + moved.get(name, 0), two_sided=True)
        for name in COLUMNS
    ]
    return families + columns


def watch(checks, state=None, **sizes):
    """Follow every check, each from the state as the database gives it back."""
    found = []
    for evidence in checks:
        one = sequential.follow(state, evidence, false_alarms_a_check=RATE, **{**SIZES, **sizes})
        state = json.loads(json.dumps(one.state, allow_nan=False))
        found.append(one)
    return found


def changing(n, seed=0, **moved):
    rng = np.random.default_rng(seed)
    return watch([check(rng, **moved) for _ in range(n)])


def test_a_long_watch_of_nothing_stays_far_from_an_alarm():
    found = changing(400)

    assert not any(one.alarm for one in found)
    assert max(max(one.families.values()) for one in found) < 0.7
    assert found[-1].sentence.startswith("No lasting change: the evidence is ")


@pytest.mark.parametrize("name", [*FAMILIES, *COLUMNS])
def test_every_kind_of_change_is_found_and_named(name):
    found = changing(40, **{name: 2.8})

    first = next(i for i, one in enumerate(found) if one.alarm)
    assert 2 <= first <= 14
    assert name in found[first].leading
    assert found[first].families[name if name in FAMILIES else "location"] == 1
    assert abs(found[first].checks - (first + 1)) <= 3


def test_a_fall_is_found_as_a_rise_is():
    found = changing(15, age=-3.5)

    assert found[-1].leading == "location ('age', downwards)"


def test_a_massive_change_alarms_in_its_first_window():
    for sizes in (SIZES, {"n_reference": 1000, "n_current": 1000}):
        for name in (*FAMILIES, "age"):
            [found] = watch([check(np.random.default_rng(1), **{name: 30})], **sizes)
            assert found.alarm, (name, sizes)


def test_an_alarm_stands_until_the_change_is_over_and_then_the_watch_starts_anew():
    rng = np.random.default_rng(2)
    drifting = [check(rng, age=3) for _ in range(30)]
    found = watch(drifting + [check(rng) for _ in range(12)])

    first = next(i for i, one in enumerate(found) if one.alarm)
    over = next(i for i, one in enumerate(found) if one.recovered)
    assert all(one.alarm for one in found[first:over])
    assert 30 < over <= 34
    assert not any(one.alarm or one.recovered for one in found[over + 1 :])
    assert found[over].sentence.endswith("20 times as likely. The watch starts anew.")


def test_weak_drift_whose_single_windows_mostly_pass_is_not_taken_for_over():
    for seed in range(3):
        found = changing(250, seed=seed, age=1.8)

        assert found[-1].alarm
        assert not any(one.recovered for one in found)


def test_an_alarm_of_two_changes_is_over_when_both_are():
    rng = np.random.default_rng(4)
    both = [check(rng, age=4, category=4) for _ in range(8)]
    one_left = [check(rng, category=4) for _ in range(12)]

    assert all(one.alarm for one in watch(both + one_left)[-10:])


def test_a_family_that_is_not_told_neither_breaks_nor_ends_anything():
    rng = np.random.default_rng(5)
    checks = [check(rng, age=1) for _ in range(6)]
    gaps = [e if i % 3 else [] for i, e in enumerate(checks)]
    nans = [[*e, Evidence("text", "", math.nan)] for e in checks]

    assert watch(gaps)[-1].families.keys() == set(FAMILIES)
    assert watch(nans)[-1].families.keys() == set(FAMILIES)
    assert watch([[]])[0].sentence == "There was nothing to follow."
    standing = watch([*[check(rng, missing=9) for _ in range(3)], [], []])
    assert [one.alarm for one in standing[-2:]] == [True, True]


def test_a_score_told_twice_in_one_check_counts_once():
    once, twice = (watch([[Evidence("text", "", 2.5)] * n] * 3)[-1] for n in (1, 2))

    assert once == twice


@pytest.mark.parametrize(
    "state",
    [
        {"version": 0},
        {"version": 1, "parts": []},
        {"version": 1, "parts": {"text": {"": {"logs": [[1, 2]], "runs": [[0, 0]]}}}},
        {"version": 1, "parts": {"text": {"": {"logs": [[None] * 4], "runs": [[0, 0]]}}}},
        {"version": 1, "parts": {}, "standing": [{"family": "text"}], "checks": 1},
        {"anything": "else"},
        "words",
    ],
)
def test_a_state_that_cannot_be_read_is_started_anew_with_a_word(state):
    [found] = watch([check(np.random.default_rng(0))], state=state)

    assert not found.alarm
    assert found.sentence.startswith("What was known from earlier checks could not be read")


def test_the_state_stays_small_however_long_the_watch():
    sizes = [len(json.dumps(one.state)) for one in changing(60)]

    assert sizes[-1] < sizes[5] + 150 < 1_000 * 1.2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(
            st.builds(
                Evidence,
                st.sampled_from(["text", "location"]),
                st.sampled_from(["", "a", "b"]),
                st.floats(),
                st.booleans(),
            ),
            max_size=4,
        ),
        max_size=8,
    ),
    st.integers(1, 10**7),
    st.integers(1, 10**7),
)
def test_whatever_is_told_the_state_is_plain_and_the_shares_lie_between_0_and_1(
    checks, reference, current
):
    for one in watch(checks, n_reference=reference, n_current=current):
        assert all(0 <= share <= 1 for share in one.families.values())


@pytest.mark.parametrize(("rate", "n"), [(0, 5), (1, 5), (0.1, 0)])
def test_a_watch_without_rows_or_budget_is_refused(rate, n):
    with pytest.raises(InvalidInputError, match="needs rows"):
        sequential.follow(None, [], n_reference=5, n_current=n, false_alarms_a_check=rate)


def test_the_evidence_is_that_of_the_formula():
    """M_t = (M_{t-1} + 1) exp(lambda (z - margin) - lambda^2 / 2) from M_0 = 0, by hand."""
    margin = detector.margin(**SIZES, two_sided=False)
    m = np.zeros(4)
    for z in (0.3, -1.2, 2.0):
        m = (m + 1) * np.exp(detector.SIZES * (z - margin) - detector.SIZES**2 / 2)
    found = watch([[Evidence("text", "", z)] for z in (0.3, -1.2, 2.0)])[-1]

    share = math.log1p(m.mean()) / math.log(1 / RATE)
    assert found.families["text"] == pytest.approx(share, rel=1e-4)


def test_the_mean_of_m_after_t_checks_is_at_most_t():
    """The property that bounds false alarms: M - t is a supermartingale (margin 0: equality)."""
    z = np.random.default_rng(0).normal(size=(20_000, 8))
    logs = np.full((20_000, 4), -np.inf)
    for t in range(8):
        logs = detector.grown(logs, z[:, t])

    assert np.exp(logs[:, :2]).mean(axis=0) == pytest.approx([8, 8], rel=0.15)


@pytest.mark.parametrize(
    ("reference", "current", "two_sided", "one_sided"),
    [(5000, 200, 0.588, 0.357), (1000, 200, 1.225, 0.819), (1000, 1000, 2.121, 1.709)],
)
def test_margins_are_three_standard_errors_of_the_reference(
    reference, current, two_sided, one_sided
):
    sizes = {"n_reference": reference, "n_current": current}

    assert detector.margin(**sizes) == pytest.approx(two_sided, abs=1e-3)
    assert detector.margin(**sizes, two_sided=False) == pytest.approx(one_sided, abs=1e-3)


def test_a_month_with_one_finite_reference_raises_no_alarm_and_without_margin_many(monkeypatch):
    def months_with_alarm():
        alarms = months.first_alarms(0, 6, 700, (1000, 200), 0.0, 0)
        return int((alarms > 0).sum())

    monkeypatch.setattr(months, "CALIBRATED", 4_000)
    assert months_with_alarm() <= 1
    monkeypatch.setattr(detector, "margin", lambda **_: 0.0)
    assert months_with_alarm() >= 4


def test_a_shift_of_a_fifth_of_a_deviation_in_one_of_13_columns_takes_at_most_8_checks(
    monkeypatch,
):
    monkeypatch.setattr(months, "CALIBRATED", 4_000)
    delays = months.first_alarms(0, 40, 30, (5000, 200), 0.2, 0)

    assert np.median(np.where(delays > 0, delays, np.inf)) <= 8
