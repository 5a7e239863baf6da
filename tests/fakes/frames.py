"""Rows of a subscription service: numbers, skewed amounts, categories, flags and counts."""

import numpy as np
import pandas as pd


def frame(n, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(50, 9, n),
            "income": np.exp(rng.normal(10, 1, n)),
            "plan": rng.choice(["free", "team", "pro"], n, p=[0.6, 0.3, 0.1]),
            "active": rng.random(n) < 0.7,
            "visits": rng.poisson(2, n),
        }
    )
