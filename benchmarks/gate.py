"""How often the gate promotes what is no better, and how surely it blocks what harms a slice.

Run: python -m benchmarks.gate [--pairs 20000] [--short]
Exits with 1 where a figure is missed. The heart data come from below PILOTHOUSE_DATA_DIR
(default: ../shared/data); without them that part is left out and said so.
"""

import argparse
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom

from core.datasets import schema
from core.settings import ROOT, Settings
from core.specs import ModelSpec, parse
from core.statistics import mcnemar
from core.statistics.intervals import wilson
from core.training import gate

SIZES = (100, 300, 1000)
DISCORDANCE = (0.02, 0.12)  # share of rows where two equal models disagree, drawn per pair
MOST_PROMOTED, LEAST_BLOCKED = 0.05, 0.99
MIN_SLICE = 300
HEART = "heart_disease/processed.cleveland.data"

Mask = NDArray[np.bool_]


def right(n: int, only_champion: int, only_candidate: int) -> tuple[Mask, Mask]:
    """Rows on which both are right, but for those where only one is."""
    champion, candidate = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    candidate[:only_champion] = False
    champion[only_champion : only_champion + only_candidate] = False
    return champion, candidate


@cache
def answer(n: int, only_champion: int, only_candidate: int) -> str:
    """The gate's answer, which depends on these counts alone."""
    champion, candidate = right(n, only_champion, only_candidate)
    return gate.judge(champion_right=champion, candidate_right=candidate).answer


def equal_pairs(rng: np.random.Generator, n: int, pairs: int) -> dict[str, float]:
    """Share of each answer over pairs of models that are equally good."""
    disagree = rng.binomial(n, rng.uniform(*DISCORDANCE, size=pairs))
    candidate = rng.binomial(disagree, 0.5)
    found = [answer(n, int(m - c), int(c)) for m, c in zip(disagree, candidate, strict=True)]
    return {one: found.count(one) / pairs for one in ("promote", "not_enough_evidence", "refuse")}


def exact(n: int, discordance: float) -> float:
    """Chance of promoting an equal model, summed over all that can happen."""
    total = 0.0
    for m in range(n + 1):
        if (chance := float(binom.pmf(m, n, discordance))) < 1e-7:
            continue
        promoted = [c for c in range(m // 2, m + 1) if answer(n, m - c, c) == "promote"]
        total += chance * float(binom.pmf(promoted, m, 0.5).sum())
    return total


def harmed_slice(rng: np.random.Generator, size: int, pairs: int) -> dict[str, float]:
    """Share of answers about a slice of `size` rows where the candidate loses 15 points.

    It wins as much elsewhere among 3,000 rows, so that it looks better on all rows.
    """
    n, found = 3000, []
    for _ in range(pairs):
        champion, candidate = rng.random(n) < 0.93, rng.random(n) < 0.99
        champion[:size], candidate[:size] = rng.random(size) < 0.95, rng.random(size) < 0.80
        result = gate.judge(
            champion_right=champion,
            candidate_right=candidate,
            slices={"harmed": range(size), "rest": range(size, n)},
            min_slice=MIN_SLICE,
        )
        blocked = result.answer != "promote"
        found.append("blocked" if blocked else result.slices[0].answer)
    return {one: found.count(one) / pairs for one in ("blocked", "not_enough_evidence", "pass")}


def coverage(rng: np.random.Generator, n: int, runs: int) -> tuple[float, float]:
    """How often the 95 % intervals of an accuracy and of a paired difference hold the truth."""
    held_accuracy = held_difference = 0
    for _ in range(runs):
        accuracy = wilson(int(rng.binomial(n, 0.83)), n)
        held_accuracy += accuracy.low <= 0.83 <= accuracy.high
        b, c, _both = rng.multinomial(n, [0.05, 0.06, 0.89])
        difference = mcnemar.paired_difference(int(b), int(c), n)
        held_difference += difference.low <= 0.01 <= difference.high
    return held_accuracy / runs, held_difference / runs


def heart(folder: Path) -> list[gate.GateResult]:
    """Judge real patients: a forest against a line, then a difference of one point exactly."""
    spec = parse((ROOT / "specs" / "heart_disease.yaml").read_text())
    names = [*spec.columns, spec.target.column]
    raw = pd.read_csv(folder / HEART, header=None, names=names, na_values="?")
    champion, candidate = _out_of_fold(schema.conform(raw, spec), spec)
    apart = int((champion ^ candidate).sum()) | 1  # odd, so that one side can win by three rows
    points = right(len(champion), (apart - 3) // 2, (apart + 3) // 2)
    return [
        gate.judge(champion_right=one, candidate_right=other)
        for one, other in ((champion, candidate), points)
    ]


def _out_of_fold(frame: pd.DataFrame, spec: ModelSpec) -> tuple[Mask, Mask]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    columns = [pd.to_numeric(frame[name]).fillna(-1) for name in spec.columns]
    rows, truth = np.column_stack(columns), frame[spec.target.column].to_numpy(dtype=str)
    line = make_pipeline(StandardScaler(), LogisticRegression())
    forest = RandomForestClassifier(100, random_state=0)
    said = (cross_val_predict(model, rows, truth, cv=5) for model in (line, forest))
    champion, candidate = (np.asarray(one == truth, dtype=bool) for one in said)
    return champion, candidate


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; return 1 where a figure is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--short", action="store_true", help="a form for every test run")
    options = parser.parse_args(arguments)
    missed = _print_equal(2_000 if options.short else options.pairs, full=not options.short)
    missed += _print_slices(100 if options.short else 1_000)
    missed += _print_intervals(1_000 if options.short else 5_000)
    missed += _print_heart(Settings().data_dir or ROOT.parent / "shared" / "data")
    print(f"\n{missed} figures missed" if missed else "\nevery figure is met")
    return min(missed, 1)


def _print_equal(pairs: int, *, full: bool) -> int:
    missed, rng = 0, np.random.default_rng(1)
    print(f"equal models, {pairs:,} pairs each: answers in per cent (promote: at most 5)")
    print("     n  promote  not enough evidence  refuse  exact worst")
    for n in SIZES:
        shares = equal_pairs(rng, n, pairs)
        worst = max(exact(n, d) for d in (0.04, 0.08, 0.12)) if full else float("nan")
        missed += shares["promote"] > MOST_PROMOTED or worst > MOST_PROMOTED
        cells = "  ".join(f"{100 * share:6.2f}" for share in shares.values())
        print(f"{n:6,}  {cells}  {100 * worst:6.2f}")
    return missed


def _print_slices(pairs: int) -> int:
    missed, rng = 0, np.random.default_rng(2)
    print(f"\na slice at -15 points in 3,000 rows that look better, {pairs:,} pairs each")
    print("  rows  blocked  not enough evidence  pass")
    for size in (50, 100, 300, 600):
        shares = harmed_slice(rng, size, pairs)
        large = size >= MIN_SLICE
        missed += shares["blocked"] < LEAST_BLOCKED if large else shares["pass"] > 0
        print(f"{size:6,}  " + "  ".join(f"{100 * share:6.1f}" for share in shares.values()))
    return missed


def _print_intervals(runs: int) -> int:
    missed, rng = 0, np.random.default_rng(3)
    print(f"\n95 % intervals that hold the truth, {runs:,} times (at least 93)")
    print("     n  accuracy  difference")
    for n in (61, 303):
        shares = coverage(rng, n, runs)
        missed += min(shares) < 0.93
        print(f"{n:6,}  " + "  ".join(f"{100 * share:6.1f}" for share in shares))
    return missed


def _print_heart(folder: Path) -> int:
    if not (folder / HEART).is_file():
        print(f"\nheart disease: left out, there is no {HEART} in the data folder")
        return 0
    real, one_point = heart(folder)
    print(f"\nheart disease, {real.n} patients, each predicted out of fold")
    print(f"forest against line: {real.answer}: {real.reasons[0]}")
    print(f"one point better:    {one_point.answer}: {one_point.reasons[0]}")
    return int(one_point.answer != "not_enough_evidence")


if __name__ == "__main__":
    sys.exit(main())
