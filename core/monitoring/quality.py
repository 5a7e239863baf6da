"""Are live inputs what the data is expected to be? The suite without its target, per window.

The built-in rules judge, in the worker itself: see docs/decisions/0005-light-expectations.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.datasets.expectations import Expectation, Result
from core.datasets.rules import PlainValidator

MOST_TOLD = 20
METHOD = "expectations of the training data, without the target"
ASSUMPTIONS = (
    "A bound holds where at least the stated share of a window's values keeps it. "
    "Rows are not tested for repetitions."
)


@dataclass(frozen=True)
class Quality:
    """What became of the expectations on one window; `score` is the share that failed (0 to 1)."""

    state: str  # pass, warn (a soft expectation failed), fail (a hard one)
    score: float
    sentence: str
    figures: dict[str, Any]


def judge(frame: pd.DataFrame, expectations: Sequence[Expectation]) -> Quality:
    """Judge the inputs of a window.

    >>> low = Expectation("between", "age", {"low": 18, "high": 90})
    >>> judge(pd.DataFrame({"age": [17.0, 40.0]}), [low]).state
    'warn'
    """
    results = PlainValidator().run(frame, expectations)
    failed = [result for result in results if not result.ok]
    hard = any(result.expectation.severity == "hard" for result in failed)
    return Quality(
        state="fail" if hard else "warn" if failed else "pass",
        score=len(failed) / max(1, len(results)),
        sentence=_sentence(failed, len(results), len(frame)),
        figures={
            "n_expectations": len(results),
            "n_failed": len(failed),
            "failed": [_told(result) for result in failed[:MOST_TOLD]],
        },
    )


def _told(result: Result) -> dict[str, Any]:
    """What the report keeps of a failed expectation: figures, no inputs of clients."""
    told = result.to_dict()
    return {name: told[name] for name in ("kind", "column", "severity", "sentence", "n_failed")}


def _sentence(failed: Sequence[Result], n: int, rows: int) -> str:
    if not failed:
        return f"All {n:,} expectations hold for {rows:,} inputs."
    worst = next((r for r in failed if r.expectation.severity == "hard"), failed[0])
    return f"{len(failed):,} of {n:,} expectations fail for {rows:,} inputs. {worst.sentence}"
