"""The statistics behind a comparison, against textbooks, other ways to compute them, and laws."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from core.monitoring import column_tests, columns, effects, families
from core.monitoring import reference as kept
from core.monitoring.tabular import compare
from tests.fakes.frames import frame


def table(reference, current):
    return columns.pooled(pd.DataFrame({"x": reference}), pd.DataFrame({"x": current}), ["x"])


def test_the_category_statistic_is_pearsons_chi_square_up_to_the_size_correction():
    reference, current = ["a"] * 30 + ["b"] * 50 + ["c"] * 20, ["a"] * 20 + ["b"] * 10 + ["c"] * 10
    counted = next(
        column_tests.counts(
            table(reference, current), np.repeat([[0, 1]], [100, 40], axis=1).astype("f4")
        )
    )
    observed = np.array([[30, 50, 20], [20, 10, 10]])

    chi2 = chi2_contingency(observed, correction=False).statistic
    assert column_tests.category(counted)[0] == pytest.approx(chi2 * 139 / 140)


def test_the_effect_sizes_are_the_usual_ones_against_what_is_kept_of_the_reference():
    reference, current = frame(300), frame(200, seed=1).assign(age=lambda f: f["age"] + 3)
    other = kept.of(reference[["age"]] + 2)
    usual = {one.name: one for one in effects.against(kept.of(reference), current)}
    stored = effects.against(other, current)[0]
    result = {one.name: one for one in compare(reference, current, statistics=other).columns}

    for name in ("psi", "jensen_shannon", "hellinger", "wasserstein", "ks"):
        assert getattr(result["age"], name) == pytest.approx(getattr(stored, name))
        assert getattr(result["age"], name) != pytest.approx(getattr(usual["age"], name))
        assert getattr(result["plan"], name) == pytest.approx(getattr(usual["plan"], name))


def test_the_lady_tasting_tea_gets_fishers_p():
    """All of 8 cups right: 2 of the 70 ways to choose 4, Fisher (1935), The Design of Experiments,
    chapter 2, two-sided."""
    cups = [pd.DataFrame({"cup": [first] * 4}) for first in ("milk", "tea")]

    assert compare(*cups, alpha=0.05, permutations=9999).p_value == pytest.approx(2 / 70, abs=0.006)


def test_the_evidence_of_a_column_has_the_deviation_of_all_shuffles():
    """Van der Waerden's z against the brute force of shuffling, ties and missing values included."""
    rng = np.random.default_rng(0)
    pool = table([*rng.integers(0, 6, 50).tolist(), None, None], rng.integers(0, 9, 20).tolist())
    _, scores = column_tests.normal_scores(pool)
    sums = [scores[rng.permutation(72)[:20], 0].sum() for _ in range(20_000)]

    z = column_tests.shifts(pool, scores)[0]
    assert z == pytest.approx((scores[52:, 0].sum() - np.mean(sums)) / np.std(sums), rel=0.03)


def statistics(reference, current):
    """What was observed, without any chance: every test of the columns and of their relations."""
    pool = columns.pooled(reference, current, list(reference.columns))
    labels = np.repeat([[0, 1]], [len(reference), len(current)], axis=1).astype("f4")
    numeric, scores = column_tests.normal_scores(pool)
    tests, _ = families.columns(pool, labels)
    more, _ = column_tests.relations(pool, labels, numeric, scores)
    return [test.statistic[0] for test in tests + more]


frames = st.integers(2, 60).flatmap(
    lambda n: st.builds(lambda seed: frame(n, seed), st.integers(0, 999))
)


@settings(max_examples=25, deadline=None)
@given(frames, frames)
def test_swapping_the_windows_changes_no_statistic(one, other):
    assert statistics(one, other) == pytest.approx(statistics(other, one), rel=1e-3, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(frames, frames, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_statistic(one, other, random):
    order = random.sample(range(len(one)), len(one))
    shuffled = statistics(one.iloc[order], other)

    assert shuffled == pytest.approx(statistics(one, other), rel=1e-3, abs=1e-3)


@settings(max_examples=10, deadline=None)
@given(frames, frames)
def test_a_strictly_monotone_transform_of_a_column_changes_no_answer(one, other):
    def answer(change):
        before, now = (
            f.assign(visits=change(f["visits"]), age=change(f["age"] / 9)) for f in (one, other)
        )
        found = compare(before, now, permutations=99, alpha=0.05)
        return (found.p_value, found.score, found.families, found.evidence,
                [column.p_value for column in found.columns])  # fmt: skip

    assert answer(np.exp) == answer(lambda values: values)
