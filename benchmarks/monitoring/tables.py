"""Thirteen mixed columns that nothing happens to, and what may happen to them."""

from collections.abc import Callable

import numpy as np
import pandas as pd

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
