"""Every kind of candidate, trained on a few rows of each kind of input.

As a program it prints the digest of each file, for a comparison with another process.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from core import specs
from core.serving import artifacts
from core.settings import Settings
from core.specs import Candidate
from core.training import pipelines

NUMBERS = [{"name": "age", "type": "numeric"}, {"name": "pulse", "type": "numeric"}]
TABLE = [*NUMBERS, {"name": "sex", "type": "category"}]
FEATURES = {"tabular": TABLE, "mixed": [*TABLE, {"name": "note", "type": "text"}]}
KINDS = {
    "text": (
        "logistic_regression", "complement_nb", "linear_svm", "random_forest", "xgboost",
        "lightgbm",
    ),
    "tabular": (
        "logistic_regression", "linear_svm", "random_forest", "gradient_boosting", "xgboost",
        "lightgbm",
    ),
    "mixed": ("logistic_regression", "linear_svm", "random_forest", "xgboost", "lightgbm"),
}  # fmt: skip
CASES = [(shape, kind) for shape, kinds in KINDS.items() for kind in kinds]
NOTES = ["win a prize now", "see you at home", "", "free prize call", "ok see you"]


def frame(n=240):
    """Conformed rows with missing values of every type; age and note tell the label."""
    rng = np.random.default_rng(3)
    age = rng.normal(50, 10, n)
    return pd.DataFrame(
        {
            "age": age,
            "pulse": np.where(rng.random(n) < 0.2, np.nan, rng.normal(70, 9, n)),
            "sex": pd.Series([("m", "f", None)[i % 3] for i in range(n)], dtype=object),
            "note": pd.Series([NOTES[i] for i in rng.integers(0, 5, n)], dtype=object),
            "y": np.where(age + rng.normal(0, 8, n) > 50, "yes", "no").astype(object),
        }
    )


def spec_of(shape, kind, **extra):
    return specs.ModelSpec.model_validate(
        {
            "name": "m",
            "title": "M",
            "task": "text" if shape == "text" else "tabular",
            "candidates": [{"kind": kind}],
            "target": {"column": "y", "positive": "yes", "negative": "no"},
            "input": {"text": "note"} if shape == "text" else {"features": FEATURES[shape]},
            **extra,
        }
    )


def inputs(shape, rows):
    return list(rows["note"]) if shape == "text" else rows[[f["name"] for f in FEATURES[shape]]]


def trained(shape, kind, rows=None, **options):
    """A fitted pipeline; trees are few, so that it takes milliseconds."""
    rows, spec = frame() if rows is None else rows, spec_of(shape, kind)
    few = {"max_iter" if kind == "gradient_boosting" else "n_estimators": 20}
    trees = kind in ("random_forest", "gradient_boosting", "xgboost", "lightgbm")
    candidate = Candidate(kind=kind, parameters=few if trees else {}, **options)
    step = pipelines.features(spec)
    x = step.fit_transform(inputs(shape, rows))
    with threadpool_limits(1):  # as trainings do
        model = clone(pipelines.model(candidate, spec)).fit(x, rows["y"].to_numpy())
    return pipelines.assembled(step, model)


def digests(home):
    settings = Settings(_env_file=None, home=home)
    return {
        f"{shape} {kind}": artifacts.save(settings, trained(shape, kind)) for shape, kind in CASES
    }


if __name__ == "__main__":
    print(json.dumps(digests(Path(sys.argv[1]))))
