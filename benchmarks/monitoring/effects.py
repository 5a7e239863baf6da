"""What effect sizes cost beside Evidently's preset in one interleaved run, and if they agree."""

import resource
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.monitoring.common import Asked, Figure
from core.monitoring import effects, reference

ROWS, NUMERIC, CATEGORIES = 5_000, 20, 10
PAIRS = 5
AGREES = 1e-4


def run(asked: Asked) -> Iterator[Figure]:
    """Compare CPU (user and system) of both, turn by turn, on the same frames."""
    rng = np.random.default_rng(asked.seed)
    before, now = table(rng, 0.0), table(rng, 0.1)
    statistics = reference.of(before)
    preset = _preset(before, now)
    effects.against(statistics, now), preset()
    ours, theirs = [], []
    for _ in range(2 if asked.quick else PAIRS):
        theirs.append(_cpu(preset))
        ours.append(_cpu(lambda: effects.against(statistics, now)))
    mine, other = float(np.median(ours)), float(np.median(theirs))
    yield Figure(
        f"{NUMERIC + CATEGORIES} columns, {ROWS:,} against {ROWS:,}: CPU beside the preset's",
        "≤ 1/100", f"1/{other / mine:.0f} ({1e3 * mine:.1f} ms)", mine <= other / 100,
    )  # fmt: skip
    far = furthest(before, now)
    yield Figure(
        "largest difference of a score from Evidently's", "≤ 0.0001", f"{far:.1e}", far <= AGREES
    )


def table(rng: np.random.Generator, moved: float, rows: int = ROWS) -> pd.DataFrame:
    """Numbers of several shapes, one of few values, and words of 2 to 50 levels."""
    numbers = {f"n{i}": np.exp(rng.normal(moved, 0.2 + i / 10, rows)) for i in range(NUMERIC - 2)}
    counts = {"whole": rng.poisson(40 + moved, rows), "few": rng.poisson(1 + moved, rows)}
    sizes = np.linspace(2, 50, CATEGORIES).astype(int).tolist()
    words = {
        f"c{i}": [f"level {k}" for k in np.minimum(size - 1, rng.geometric(0.2 - moved / 2, rows))]
        for i, size in enumerate(sizes)
    }
    return pd.DataFrame({**numbers, **counts, **words})


def furthest(before: pd.DataFrame, now: pd.DataFrame) -> float:
    """Largest difference from the scores of the preset and from Evidently's PSI."""
    found = {one.name: one for one in effects.against(reference.of(before), now)}
    gaps = []
    for name, method, value in _scores(before, now):
        ours = getattr(found[name], method)
        gaps.append(np.inf if ours is None else abs(value - ours))
    return max(gaps)


def _preset(before: pd.DataFrame, now: pd.DataFrame) -> Callable[[], Any]:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    numeric = [name for name in before if pd.api.types.is_numeric_dtype(before[name])]
    rest = [name for name in before if name not in numeric]
    columns = DataDefinition(numerical_columns=numeric, categorical_columns=rest)

    def both() -> Any:  # noqa: ANN401 (a snapshot)
        first, second = (
            Dataset.from_pandas(frame, data_definition=columns) for frame in (before, now)
        )
        return Report([DataDriftPreset()]).run(current_data=second, reference_data=first)

    return both


def _scores(before: pd.DataFrame, now: pd.DataFrame) -> Iterator[tuple[str, str, float]]:
    """Column, figure and value, as the preset reports them, and PSI of every column."""
    from evidently.legacy.calculations.stattests import psi_stat_test
    from evidently.legacy.core import ColumnType

    methods = {
        "Wasserstein distance (normed)": "wasserstein",
        "Jensen-Shannon distance": "jensen_shannon",
    }
    for metric in _preset(before, now)().dict()["metrics"]:
        config = metric["config"]
        if "column" in config:
            yield config["column"], methods[config["method"]], float(metric["value"])
    for name in before:
        numeric = pd.api.types.is_numeric_dtype(before[name])
        kind = ColumnType.Numerical if numeric else ColumnType.Categorical
        score = psi_stat_test(before[name], now[name], kind, None).drift_score
        yield str(name), "psi", float(score)


def _cpu(work: Callable[[], Any]) -> float:
    start = resource.getrusage(resource.RUSAGE_SELF)
    work()
    end = resource.getrusage(resource.RUSAGE_SELF)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
