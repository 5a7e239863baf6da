"""How much sharing saves: text candidates x folds against pipelines fitted one after another.

    PILOTHOUSE_DATA_DIR=... python benchmarks/training.py

Both ways are run in turn, `ROUNDS` times, on the SMS messages (or generated ones where they are
missing); every fold score must be identical. The ratio is that of the fastest runs.
"""

import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline

from core import specs
from core.datasets import generator, schema
from core.settings import ROOT, Settings
from core.specs import Candidate, ModelSpec
from core.training import evaluation, folds, pipelines, trying
from core.training.executors import LocalExecutor
from core.training.trying import Attempt, Rows, Unfit

ROUNDS = 3
CANDIDATES = tuple(
    Candidate.model_validate(one)
    for one in (
        {"kind": "logistic_regression", "parameters": {"C": 30}},
        {"kind": "logistic_regression", "class_weight": "balanced"},
        {"kind": "complement_nb", "parameters": {"alpha": 0.1}},
        {"kind": "linear_svm"},
    )
)
Scores = dict[tuple[int, int], float]


def messages(spec: ModelSpec) -> tuple[pd.DataFrame, str]:
    folder = Settings().data_dir
    if folder and spec.source.path and (folder / spec.source.path).is_file():
        file = folder / spec.source.path
        frame = pd.read_csv(
            file, sep="\t", quoting=3, names=["label", "message"], keep_default_na=False
        )
        return schema.conform(frame, spec), "SMS messages"
    rows = [(m.text, m.label) for m in generator.messages(5_000, seed=1)]
    frame = pd.DataFrame(rows, columns=["message", "label"])
    return schema.conform(frame, spec), "generated messages"


def sequential(frame: pd.DataFrame, spec: ModelSpec) -> Scores:
    fold_of, found = evaluation.folds(frame, spec), {}
    for place, candidate in enumerate(CANDIDATES):
        for fold in range(spec.folds):
            learn, check = frame[fold_of != fold], frame[fold_of == fold]
            pipeline = make_pipeline(pipelines.features(spec), pipelines.model(candidate, spec))
            pipeline.fit(list(learn["message"]), learn["label"].to_numpy())
            column = list(pipeline.classes_).index(spec.positive)
            probability = pipeline.predict_proba(list(check["message"]))[:, column]
            truth = (check["label"] == spec.positive).to_numpy()
            found[place, fold] = float(f1_score(truth, evaluation.predicted(probability, spec)))
    return found


def shared(frame: pd.DataFrame, spec: ModelSpec) -> Scores:
    rows, executor = Rows(spec, tuple(folds.split(frame, spec))), LocalExecutor()
    tasks = [Attempt(one, (fold,)) for one in CANDIDATES for fold in range(spec.folds)]
    found = {}
    for place, result in executor.run(trying.attempt, rows, tasks):
        assert not isinstance(result, Unfit), result
        candidate, fold = divmod(place, spec.folds)
        found[candidate, fold] = result[0].scores["f1"]
    executor.close()
    return found


def timed(work: Callable[[], Scores]) -> tuple[float, Scores]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def main() -> None:
    warnings.simplefilter("ignore")
    spec = specs.parse((ROOT / "specs" / "sms_spam.yaml").read_text())
    frame, source = messages(spec)
    print(f"{len(frame):,} {source}, {len(CANDIDATES)} candidates x {spec.folds} folds")
    slow, fast = [], []
    for number in range(ROUNDS):
        one, expected = timed(lambda: sequential(frame, spec))
        other, found = timed(lambda: shared(frame, spec))
        assert found == expected, "the fold scores differ"
        slow.append(one)
        fast.append(other)
        print(f"round {number + 1}: one by one {one:.2f} s, shared {other:.2f} s")
    spread = [a / b for a, b in zip(slow, fast, strict=True)]
    print(f"fold scores identical; mean F1 {np.mean(list(expected.values())):.4f}")
    print(f"ratio {min(slow) / min(fast):.1f} (per round {min(spread):.1f} to {max(spread):.1f})")


if __name__ == "__main__":
    main()
