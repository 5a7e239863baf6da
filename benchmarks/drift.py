"""How often the drift tests alarm when nothing changed, and when something did.

Run: python -m benchmarks.drift [--runs 200] [--only null|power|text]
Texts come from the SMS Spam Collection below PILOTHOUSE_DATA_DIR (default: ../shared/data).
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from core.datasets import generator
from core.monitoring import tabular, text

ALPHA = 0.05
SIZES = ((50, 50), (200, 200), (1000, 1000), (5000, 200))
TEXT_SIZES = (50, 200, 1000)
POWER_SIZES = ((200, 200), (1000, 1000), (5000, 200))
TEXT_REFERENCE = 3000
SMS = "sms_spam/SMSSpamCollection"

Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


def rows(rng: np.random.Generator, n: int, *, correlation: float = 0.0) -> pd.DataFrame:
    """13 mixed columns: 7 numeric (skewed, rounded, zero-inflated), 6 categories, some missing."""
    latent = rng.normal(size=(n, 7))
    latent[:, 1] = correlation * latent[:, 0] + np.sqrt(1 - correlation**2) * latent[:, 1]
    frame = pd.DataFrame(
        {
            "age": (54 + 9 * latent[:, 0]).round(),
            "pressure": 131 + 17 * latent[:, 1],
            "cholesterol": np.exp(5.5 + 0.2 * latent[:, 2]),
            "rate": 150 + 23 * latent[:, 3],
            "depression": np.maximum(0, latent[:, 4]).round(1),
            "income": np.exp(10 + latent[:, 5]),
            "vessels": np.minimum(3, rng.poisson(0.7, n)).astype(float),
            "sex": rng.choice(["f", "m"], n, p=[0.32, 0.68]),
            "pain": rng.choice(list("abcd"), n, p=[0.08, 0.16, 0.28, 0.48]),
            "sugar": rng.random(n) < 0.15,
            "ecg": rng.choice(["normal", "st", "lv"], n, p=[0.5, 0.02, 0.48]),
            "slope": rng.choice(["up", "flat", "down"], n, p=[0.47, 0.46, 0.07]),
            "region": rng.choice([f"r{i}" for i in range(20)], n),
        }
    )
    return missing(frame, rng, share=0.02)


def missing(frame: pd.DataFrame, rng: np.random.Generator, *, share: float) -> pd.DataFrame:
    return frame.assign(rate=frame["rate"].mask(rng.random(len(frame)) < share))


def shifted(deviations: float, column: str = "cholesterol") -> Change:
    def change(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        logs = np.log(frame[column]) + 0.2 * deviations
        return frame.assign(**{column: np.exp(logs)})

    return change


def correlated(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return rows(rng, len(frame), correlation=0.6)


def new_category(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return frame.assign(region=frame["region"].mask(rng.random(len(frame)) < 0.03, "new"))


def more_missing(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return missing(frame, rng, share=0.13)


def unchanged(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return frame


CHANGES: dict[str, Change] = {
    "0.2 sd in 1 column": shifted(0.2),
    "0.5 sd in 1 column": shifted(0.5),
    "only the covariance": correlated,
    "a new category, 3 %": new_category,
    "missing values 2 → 15 %": more_missing,
}


def tabular_rate(change: Change, sizes: tuple[int, int], runs: int) -> str:
    """Share of runs with an alarm, and the median score of those."""
    alarms, scores = 0, []
    for run in range(runs):
        rng = np.random.default_rng([run, *sizes])
        before, after = rows(rng, sizes[0]), change(rows(rng, sizes[1]), rng)
        result = tabular.compare(before, after, alpha=ALPHA, seed=run)
        alarms += result.drifted
        scores += [result.score] * result.drifted
    return cell(alarms, runs, scores)


def text_rate(messages: list[str], n: int, campaign: float, runs: int) -> str:
    """Share of runs with an alarm when `campaign` of the current messages are new spam."""
    alarms, scores = 0, []
    for run in range(runs):
        order = np.random.default_rng([run, n]).permutation(len(messages)).tolist()
        new = round(n * campaign)
        spam = generator.drifted(new, seed=run, campaign="crypto", share=1.0) if new else []
        result = text.compare(
            [messages[i] for i in order[:TEXT_REFERENCE]],
            [messages[i] for i in order[TEXT_REFERENCE : TEXT_REFERENCE + n - new]]
            + [message.text for message in spam],
            alpha=ALPHA,
            seed=run,
        )
        alarms += result.drift_detected
        scores += [result.score] * result.drift_detected
    return cell(alarms, runs, scores)


def cell(alarms: int, runs: int, scores: list[float]) -> str:
    median = f"  (score {np.median(scores):.2f})" if scores else ""
    return f"{100 * alarms / runs:5.1f} %{median}"


def sms() -> list[str]:
    path = Path(os.environ.get("PILOTHOUSE_DATA_DIR", "../shared/data")) / SMS
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("\t", 1)[1] for line in lines if "\t" in line]


def null_table(runs: int) -> None:
    print("\nTables, nothing changed (reference/current rows)")
    for sizes in SIZES:
        print(f"  {sizes[0]:>5}/{sizes[1]:<5} {tabular_rate(unchanged, sizes, runs)}", flush=True)


def power_table(runs: int) -> None:
    for name, change in CHANGES.items():
        print(f"\nTables, {name}")
        for sizes in POWER_SIZES:
            print(f"  {sizes[0]:>5}/{sizes[1]:<5} {tabular_rate(change, sizes, runs)}", flush=True)


def text_table(runs: int) -> None:
    messages = sms()
    print(f"\nTexts, nothing changed (reference {TEXT_REFERENCE})")
    for n in TEXT_SIZES:
        print(f"  n = {n:<5} {text_rate(messages, n, 0.0, runs)}", flush=True)
    print("\nTexts, a new campaign, n = 200")
    for share in (0.05, 0.1, 0.2, 0.4, 0.8):
        print(f"  {share:>5.0%}     {text_rate(messages, 200, share, runs)}", flush=True)


def main() -> None:
    tables = {"null": null_table, "power": power_table, "text": text_table}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--only", choices=list(tables))
    asked = parser.parse_args()
    print(f"Share of {asked.runs} runs with an alarm at alpha = {ALPHA}")
    for name, table in tables.items():
        if asked.only in (None, name):
            table(asked.runs)


if __name__ == "__main__":
    main()
