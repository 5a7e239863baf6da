"""Estimated performance against NannyML's CBPE on its synthetic car loan data.

Its documentation publishes the accuracy of ten chunks of 5,000 (tutorial "Estimating Performance -
Binary Classification"). The data is part of its package and is not kept here: name a Python that
has nannyml as NANNYML_PYTHON; without one this section says so.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.monitoring.common import Asked, Figure
from core.monitoring import estimate
from core.statistics import isotonic

CHUNK = 5_000
NAMES = ("roc_auc", "f1", "accuracy", "precision", "recall")
PUBLISHED = (
    0.941792, 0.943321, 0.945492, 0.944816, 0.944645, 0.910714, 0.911149, 0.911193, 0.914389,
)  # fmt: skip
"""Estimated accuracy of the first chunks of the analysis period, as its tutorial prints them."""

_THEIRS = """
import json, time, warnings
warnings.filterwarnings("ignore")
import nannyml
before, after, _ = nannyml.load_synthetic_car_loan_dataset()
def run():
    made = nannyml.CBPE(
        y_pred_proba="y_pred_proba", y_pred="y_pred", y_true="repaid", chunk_size=CHUNK,
        timestamp_column_name="timestamp", metrics=list(NAMES),
        problem_type="classification_binary",
    )
    made.fit(before)
    return made.estimate(after).to_df()
run()
start = time.process_time()
found = run()
cpu = time.process_time() - start
print(json.dumps({
    "cpu": cpu, "version": nannyml.__version__, "truth": before["repaid"].tolist(),
    "parts": [[f["y_pred_proba"].tolist(), f["y_pred"].tolist()] for f in (before, after)],
    "found": {name: found[(name, "value")].astype(float).tolist() for name in NAMES},
}))
"""


def run(asked: Asked) -> Iterator[Figure]:
    python = os.environ.get("NANNYML_PYTHON")
    if not python:
        yield Figure("CBPE against NannyML", "≤ 1e-6", "NANNYML_PYTHON is not set")
        return
    theirs = _theirs(python)
    truth = np.array(theirs["truth"]) > 0
    parts = [(np.array(p), np.array(said) > 0) for p, said in theirs["parts"]]
    isotonic.fit(parts[0][0][:100], truth[:100])  # imports what it needs
    start = time.process_time()
    ours = _ours(parts, truth)
    cpu = time.process_time() - start
    last = [row["accuracy"] for row in ours][-10:]
    off = float(np.abs(np.round(last[: len(PUBLISHED)], 6) - PUBLISHED).max())
    yield Figure("published accuracy, car loan, 9 chunks", "≤ 1e-6", f"{off:.0e}", off <= 1e-6)
    for name in NAMES:
        off = float(np.abs(np.array([row[name] for row in ours]) - theirs["found"][name]).max())
        what = f"{name}, 20 chunks, against NannyML {theirs['version']} here"
        yield Figure(what, "≤ 1e-6", f"{off:.0e}", off <= 1e-6)
    yield Figure("CPU, calibration and 20 chunks", "told", f"{cpu:.3f} s of {theirs['cpu']:.2f} s")


def _theirs(python: str) -> dict[str, Any]:
    words = f"CHUNK, NAMES = {CHUNK}, {NAMES!r}\n{_THEIRS}"
    quiet = {**os.environ, "NML_DISABLE_USAGE_LOGGING": "1"}
    told = subprocess.run([python, "-c", words], env=quiet, capture_output=True, check=True)
    answer: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return answer


def _ours(
    parts: list[tuple[NDArray[np.float64], NDArray[np.bool_]]], truth: NDArray[np.bool_]
) -> list[dict[str, float]]:
    learnt = isotonic.fit(parts[0][0], truth)
    return [row for probability, said in parts for row in _chunks(said, probability, learnt)]


def _chunks(
    said: NDArray[np.bool_], probability: NDArray[np.float64], learnt: isotonic.Isotonic
) -> Iterator[dict[str, float]]:
    for place in range(0, len(said), CHUNK):
        part = slice(place, place + CHUNK)
        chance = learnt.calibrated(probability[part])
        yield estimate.expected(said[part], probability[part], chance)
