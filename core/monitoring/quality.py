"""Are live inputs what the data is expected to be? The suite without its target, and the reference.

The built-in rules judge, in the worker itself: see docs/decisions/0005-light-expectations.md.
A soft bound that is broken by no more values than chance allows is no finding.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from core.datasets import rules
from core.datasets.expectations import Expectation, Result
from core.datasets.rules import PlainValidator
from core.monitoring import findings
from core.monitoring.findings import Column, Finding
from core.monitoring.labels import short

MOST_TOLD = 20
METHOD = (
    "expectations of the training data, without the target; shares against the reference by "
    "Fisher's exact test, Bonferroni over all columns"
)
ASSUMPTIONS = (
    "A bound holds unless more values break it than chance allows. A change of unit is a guess: "
    "a factor or shift after which the values look as they did."
)
_OF_CHANCE = frozenset({"between", "in_set", "length_between", "missing_at_most"})
_SAME: Mapping[str, tuple[str, ...]] = {
    "missing_at_most": ("missing",),
    "in_set": ("new_category",),
    "between": ("outliers", "unit_change"),
}


@dataclass(frozen=True)
class Sent:
    """What is known of the predictions beside the values of their inputs.

    `lacking` features are in no input although the model reads them, `unknown` ones are in inputs
    but not in the spec, each with a count. `freshness_min`: minutes since the newest answer.
    """

    lacking: tuple[str, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    future: int = 0
    freshness_min: float | None = None
    n_stored: int = 0
    n: int = 0


@dataclass(frozen=True)
class Quality:
    """What was found in one window; `score` is the share of the checks that failed (0 to 1)."""

    state: str  # pass, warn (something soft failed), fail (the inputs are broken)
    score: float
    sentence: str
    figures: dict[str, Any]


def judge(
    frame: pd.DataFrame,
    expectations: Sequence[Expectation],
    *,
    reference: pd.DataFrame | None = None,
    kinds: Mapping[str, str] | None = None,
    sent: Sent | None = None,
    alpha: float = 0.01,
) -> Quality:
    """Judge the inputs of a window, with a chance of at most `alpha` to find what is not there.

    `kinds` names the columns that are compared with the `reference`: numeric, category or text.

    >>> low = Expectation("between", "age", {"low": 18, "high": 90})
    >>> judge(pd.DataFrame({"age": [17.0, 40.0]}), [low]).state
    'warn'
    """
    sent = sent or Sent(n_stored=len(frame), n=len(frame))
    columns = _columns(frame, reference, kinds or {}, sent)
    tests = max(1, len(expectations) + findings.TESTS_A_COLUMN * len(columns) + 1)
    found = [*_about_sending(sent)]
    for column in columns:
        found += findings.of_column(column, alpha=alpha / tests)
    if reference is not None and columns:
        names = [column.name for column in columns]
        found += findings.copies(reference[names], frame[names], alpha=alpha / tests)
    results = PlainValidator().run(frame, expectations)
    told = {(one.kind, one.column) for one in found}
    found += [one for one in _broken(results, alpha / tests) if not _known(one, told)]
    found.sort(key=lambda one: one.severity != "hard")
    return _quality(frame, found, columns, sent, n=tests if columns else len(results))


def _columns(
    frame: pd.DataFrame, reference: pd.DataFrame | None, kinds: Mapping[str, str], sent: Sent
) -> list[Column]:
    if reference is None:
        return []
    return [
        Column.of(name, kind, reference, frame)
        for name, kind in kinds.items()
        if name in reference and name in frame and name not in sent.lacking
    ]


def _about_sending(sent: Sent) -> Iterator[Finding]:
    for name in sent.lacking:
        words = f"No input has the feature '{short(name, 40)}', which the model reads."
        yield Finding("missing_feature", name, "hard", sent.n_stored, words)
    for name, n in sorted(sent.unknown.items())[:MOST_TOLD]:
        words = f"{n:,} inputs have the feature '{short(name, 40)}', which the model does not know."
        yield Finding("unknown_feature", short(name, 40), "soft", n, words)
    if sent.future:
        words = f"{sent.future:,} answers are dated in the future: a clock was wrong."
        yield Finding("future", None, "soft", sent.future, words)


def _broken(results: Sequence[Result], alpha: float) -> Iterator[Finding]:
    """Yield the expectations that fail beyond chance, without inputs of clients."""
    for result in results:
        one = result.expectation
        if result.ok or (one.kind in _OF_CHANCE and _chance(result) > alpha):
            continue
        yield Finding(one.kind, one.column, one.severity, result.n_failed, result.sentence)


def _chance(result: Result) -> float:
    """Return how likely so many values break a bound that the stated share of them keeps."""
    from scipy.stats import binom  # a second to import, so not with the module

    allowed = 1 - rules.mostly(result.expectation)
    return float(binom.sf(result.n_failed - 1, result.n_checked, allowed))


def _known(one: Finding, told: set[tuple[str, str | None]]) -> bool:
    """Whether a finding says the same as one that was made against the reference."""
    return any((kind, one.column) in told for kind in _SAME.get(one.kind, ()))


def _quality(
    frame: pd.DataFrame, found: list[Finding], columns: Sequence[Column], sent: Sent, *, n: int
) -> Quality:
    broken = [one for one in found if one.severity == "hard"]
    state = "fail" if broken else "warn" if found else "pass"
    figures = {
        "n_expectations": n,
        "n_failed": len(found),
        "failed": [one.to_dict() for one in found[:MOST_TOLD]],
        "worst": found[0].sentence if found else "",
        "broken_columns": sorted({one.column for one in broken if one.column}),
        "columns": [column.told() for column in columns],
        **_facts(frame, found, columns, sent, state),
    }
    return Quality(state, min(1.0, len(found) / max(1, n)), _sentence(found, n, frame), figures)


def _facts(
    frame: pd.DataFrame,
    found: Sequence[Finding],
    columns: Sequence[Column],
    sent: Sent,
    state: str,
) -> dict[str, Any]:
    """Return the figures by the names that the agent's facts have."""
    kinds = {one.kind for one in found}
    lost = [c.shares.get("missing", 0.0) for c in columns] + [1.0 for _ in sent.lacking]
    most = max(columns, key=lambda c: c.shares.get("missing", 0.0), default=None)
    unit = next((column for column in columns if column.unit), None)
    gone = [one for one in found if one.kind == "missing" and one.severity == "hard"]
    return {
        "status": state,
        "schema_ok": not kinds & {"missing_feature", "unknown_feature", "present", "number"},
        "raw_feed_ok": "missing_feature" not in kinds and not gone,
        "missing_rate_max": max(lost, default=None),
        "missing_column": sent.lacking[0] if sent.lacking else most.name if most else None,
        "feature_null_rate": sum(lost) / len(lost) if lost else None,
        "new_category_share": _largest(columns, "new_share"),
        "outlier_share_max": _largest(columns, "outliers"),
        "duplicate_share": findings.copies_share(frame) if len(frame.columns) else None,
        "unit_change": _unit(unit) if unit else None,
        "freshness_min": sent.freshness_min,
        "future_share": sent.future / sent.n if sent.n else None,
        "stored_share": sent.n_stored / sent.n if sent.n else None,
    }


def _largest(columns: Sequence[Column], share: str) -> float | None:
    return max((c.shares[share] for c in columns if share in c.shares), default=None)


def _unit(column: Column) -> dict[str, Any] | None:
    unit = column.unit
    if unit is None:
        return None
    return {
        "column": column.name,
        "factor": unit.factor,
        "words": unit.words,
        "share": unit.share,
    }


def _sentence(found: Sequence[Finding], n: int, frame: pd.DataFrame) -> str:
    if not found:
        return f"All {n:,} expectations hold for {len(frame):,} inputs."
    return f"{len(found):,} of {n:,} expectations fail for {len(frame):,} inputs. " + (
        found[0].sentence
    )
