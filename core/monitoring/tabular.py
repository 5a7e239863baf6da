"""Has a table changed? One calibrated answer, then which columns, how, and how much."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.monitoring import column_tests, effects, families
from core.monitoring.column_tests import ColumnTest
from core.monitoring.columns import (
    Columns,
    Table,
    capped,
    in_both,
    pooled,
    without_copies,
)
from core.monitoring.effects import Effect
from core.monitoring.labels import short
from core.monitoring.limits import MOST_ROWS
from core.monitoring.reference import Statistics
from core.monitoring.sequential import Evidence
from core.statistics import permutation

Array = NDArray[np.float64]

FEWEST = 5
"""Rows of a window, under which a quiet comparison means nothing."""


@dataclass(frozen=True)
class ColumnDrift:
    """One column; `distance` is debiased (0...1), the other effect sizes are those of `Effect`.

    `change` is none, location, spread, category or missing; `detail` says it in figures.
    """

    name: str
    kind: str
    p_value: float
    distance: float
    psi: float | None
    jensen_shannon: float | None
    hellinger: float | None
    wasserstein: float | None
    ks: float | None
    change: str
    detail: str
    drifted: bool


@dataclass(frozen=True)
class TabularDrift:
    """The comparison of two windows.

    `score` is the largest distance among drifted columns, 0 when p > alpha or when only the
    relation of `pair` changed. `families` maps location, category, missing and covariance to a
    score that is standard normal while nothing changes; `evidence` is these and the shift of every
    numeric column, for watching over time. `lost` columns are in the reference only, `new` ones in
    the current window only; the most and the least drifted are named where columns drifted.
    `inconclusive` says why nothing can be concluded, "" where it can.
    """

    p_value: float
    alpha: float
    score: float
    drifted: bool
    share_drifted: float
    most_drifted: str | None
    least_drifted: str | None
    columns: tuple[ColumnDrift, ...]
    lost: tuple[str, ...]
    new: tuple[str, ...]
    pair: tuple[str, str] | None
    families: dict[str, float]
    evidence: tuple[Evidence, ...]
    n_reference: int
    n_current: int
    copies_removed: int
    method: str
    assumptions: tuple[str, ...]
    sentence: str
    inconclusive: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    alpha: float = 0.01,
    permutations: int | None = None,
    seed: int = 0,
    columns: Sequence[str] | None = None,
    statistics: Statistics | None = None,
) -> TabularDrift:
    """Compare two windows of rows by permutation, calibrated over all columns at once.

    Without `columns`, all are compared; one that only one window has is told as lost or new and
    takes no part in the test. Numeric: squared z on a grid of quantiles;
    category: chi-square; missing values; products of normal scores for relations. The global p
    is Westfall-Young's, the list of columns Benjamini-Hochberg's. Effect sizes are of all rows,
    against the `statistics` kept of the reference, or made here for columns that these lack.
    There are 999 `permutations`, or as many as `alpha` needs.
    Raises: InvalidInputError (empty window, a column in neither, nothing in common, alpha too
    small for the permutations).

    >>> rng = np.random.default_rng(1)
    >>> before = pd.DataFrame({"age": rng.normal(50, 9, 400), "sex": rng.choice(["f", "m"], 400)})
    >>> compare(before, before.assign(age=before["age"] + 9)).columns[0].change
    'location'
    """
    permutations = permutation.enough(alpha, permutations)
    found = in_both(reference, current, columns)
    rng = np.random.default_rng(seed)
    whole = pooled(reference, current, found.shared)
    unique = without_copies(whole, rng)
    table = capped(unique, rng)
    labels = permutation.shuffled_labels(
        table.n_reference, table.n_current, permutations=permutations, rng=rng
    )
    tests, divergences = families.columns(table, labels)
    numeric, ranks = column_tests.normal_scores(table)
    more, pair = column_tests.relations(table, labels, numeric, ranks)
    p_value, scores = families.joined(tests + more)
    shifts = dict(zip(numeric, column_tests.shifts(table, ranks).tolist(), strict=True))
    sizes = effects.of_columns(reference, current, found.shared, statistics)
    drifts = _columns(table, tests, divergences, sizes, alpha=alpha, drifted=p_value <= alpha)
    return _result(
        table,
        drifts,
        found,
        p_value=p_value,
        alpha=alpha,
        scores=scores,
        evidence=families.evidence(table, scores, shifts),
        pair=_changed_pair(table, pair, more, alpha) if p_value <= alpha else None,
        copies=len(whole.values) - len(unique.values),
        permutations=permutations,
    )


def _changed_pair(
    table: Table, pair: tuple[int, int] | None, tests: list[ColumnTest], alpha: float
) -> tuple[str, str] | None:
    """The pair of columns whose relation changed most, where the relations changed at all."""
    if pair is None:
        return None
    p = permutation.tail_p(np.column_stack([test.statistic for test in tests]))
    if p.min() * len(tests) > alpha:
        return None
    return short(table.names[pair[0]]), short(table.names[pair[1]])


def _columns(
    table: Table,
    tests: list[ColumnTest],
    divergences: Array,
    sizes: Sequence[Effect],
    *,
    alpha: float,
    drifted: bool,
) -> tuple[ColumnDrift, ...]:
    """Each column with its p value (Bonferroni over its own one or two tests) and effect sizes."""
    from scipy.stats import false_discovery_control  # a second to import, so not with the module

    found: dict[int, tuple[float, str]] = {}
    tails = [float(permutation.tail_p(test.statistic[:, None])[0]) for test in tests]
    for test, p in zip(tests, tails, strict=True):
        own = sum(other.column == test.column for other in tests)
        candidate = (min(1.0, p * own), test.family)
        found[test.column] = min(found.get(test.column, candidate), candidate)
    everyone = range(len(table.names))
    p_values = np.array([found.get(column, (1.0, "none"))[0] for column in everyone])
    listed = (false_discovery_control(p_values) <= alpha) & drifted
    distances = permutation.debiased_distance(divergences)
    return tuple(
        _column(
            table,
            column,
            sizes[column],
            p_value=float(p_values[column]),
            distance=float(distances[column]),
            change=found[column][1] if listed[column] else "none",
        )
        for column in everyone
    )


def _column(
    table: Table, column: int, size: Effect, *, p_value: float, distance: float, change: str
) -> ColumnDrift:
    drifted = change != "none"
    change, detail = effects.describe(table, column, change) if drifted else (change, "")
    return ColumnDrift(
        name=table.names[column],
        kind=table.kinds[column],
        p_value=p_value,
        distance=distance,
        psi=size.psi,
        jensen_shannon=size.jensen_shannon,
        hellinger=size.hellinger,
        wasserstein=size.wasserstein,
        ks=size.ks,
        change=change,
        detail=detail,
        drifted=drifted,
    )


def _result(
    table: Table,
    columns: tuple[ColumnDrift, ...],
    found: Columns,
    *,
    p_value: float,
    alpha: float,
    scores: dict[str, float],
    evidence: tuple[Evidence, ...],
    pair: tuple[str, str] | None,
    copies: int,
    permutations: int,
) -> TabularDrift:
    listed = [column for column in columns if column.drifted]
    drifted = p_value <= alpha
    poor = "" if drifted else _too_few(table, copies)
    return TabularDrift(
        p_value=p_value,
        alpha=alpha,
        score=max((column.distance for column in listed), default=0.0),
        drifted=drifted,
        share_drifted=len(listed) / len(columns),
        most_drifted=max(listed, key=_order).name if listed else None,
        least_drifted=min(columns, key=_order).name if listed and len(columns) > 1 else None,
        columns=columns,
        lost=tuple(short(str(name)) for name in found.lost),
        new=tuple(short(str(name)) for name in found.new),
        pair=pair,
        families=scores,
        evidence=evidence,
        n_reference=table.n_reference,
        n_current=table.n_current,
        copies_removed=copies,
        method=f"{permutations} shared label permutations, Westfall-Young minP; "
        "columns by Benjamini-Hochberg; distance: debiased Jensen-Shannon",
        assumptions=_assumptions(copies),
        inconclusive=poor,
        sentence=_about(found)
        + (poor or _sentence(listed, pair, drifted))
        + f" p = {p_value:.3g}, {table.n_current:,} rows against {table.n_reference:,},"
        f" {len(columns)} columns.",
    )


def _too_few(table: Table, copies: int) -> str:
    """Why too few rows are left to conclude that nothing changed, "" where there are enough."""
    for n, window in ((table.n_current, "current window"), (table.n_reference, "reference")):
        if n < FEWEST:
            rows = f"{n:,} row{'s' if n > 1 else ''} of the {window}"
            left = f", once {copies:,} copies of rows are left out" if copies else ""
            return f"Nothing can be concluded from {rows}{left}."
    return ""


def _assumptions(copies: int) -> tuple[str, ...]:
    always = (
        "Rows are independent of each other within and between the windows.",
        f"At most {MOST_ROWS:,} rows of each window are compared, picked at random.",
        "Relations are tested between numeric columns only.",
    )
    return always if not copies else (*always, f"{copies:,} copies of other rows were left out.")


def _order(column: ColumnDrift) -> tuple[float, float]:
    return column.distance, -column.p_value


def _about(found: Columns) -> str:
    """Name the columns that cannot be compared: lost ones first, new ones only told."""
    words = ""
    for names, one, more in (
        (found.lost, "was lost: no row of the current window has it", "were lost"),
        (found.new, "is new and has nothing to be compared with", "are new"),
    ):
        if names:
            quoted = ", ".join(f"'{short(str(name))}'" for name in names[:3])
            rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
            plural = "s" if len(names) > 1 else ""
            words += f"Column{plural} {quoted}{rest} {more if plural else one}. "
    return words


def _sentence(listed: list[ColumnDrift], pair: tuple[str, str] | None, drifted: bool) -> str:
    if not drifted:
        return "No drift."
    if listed:
        most = max(listed, key=_order)
        return (
            f"Drift in {len(listed)} column{'s' if len(listed) > 1 else ''}, most in "
            f"'{short(most.name)}' ({most.detail}; distance {most.distance:.2f})."
        )
    if pair:
        return f"Drift: no column alone, but the relation of '{pair[0]}' and '{pair[1]}' changed."
    return "Drift: the columns changed together, none of them beyond doubt alone."
