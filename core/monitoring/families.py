"""The tests of a comparison joined: one global p, and one score per kind of change to follow."""

import numpy as np
from numpy.typing import NDArray

from core.monitoring import column_tests
from core.monitoring.column_tests import ColumnTest
from core.monitoring.columns import Table
from core.monitoring.sequential import Evidence
from core.statistics import permutation

Array = NDArray[np.float64]


def columns(table: Table, labels: NDArray[np.float32]) -> tuple[list[ColumnTest], Array]:
    """Every test of a single column, and the divergences, shape (1 + permutations, columns)."""
    tests: list[ColumnTest] = []
    divergences = []
    for column, counted in enumerate(column_tests.counts(table, labels)):
        divergences.append(permutation.jensen_shannon(*counted.shares()))
        if len(counted.total) > 1:
            numeric = table.kinds[column] == "numeric"
            family, test = (
                ("location", column_tests.location)
                if numeric
                else ("category", column_tests.category)
            )
            tests.append(ColumnTest(family, column, test(counted)))
        if 0 < counted.total[-1] < len(table.values):
            tests.append(ColumnTest("missing", column, column_tests.missing(counted)))
    return tests, np.column_stack(divergences)


def joined(tests: list[ColumnTest]) -> tuple[float, dict[str, float]]:
    """The global p, and one calibrated score per family of tests."""
    if not tests:
        return 1.0, {}
    statistics = np.column_stack([test.statistic for test in tests])
    kinds = [test.family for test in tests]
    scores = {
        family: permutation.observed_z(statistics[:, [kind == family for kind in kinds]])
        for family in dict.fromkeys(kinds)
    }
    return permutation.minp(permutation.exchangeable_z(statistics)), scores


def evidence(
    table: Table, scores: dict[str, float], shifts: dict[int, float]
) -> tuple[Evidence, ...]:
    """A score of every family and numeric column; 0 where nothing varies, so nothing changed."""
    numeric = [column for column, kind in enumerate(table.kinds) if kind == "numeric"]
    asked = [
        *(["location"] if numeric else []),
        *(["category"] if len(numeric) < len(table.kinds) else []),
        "missing",
        *(["covariance"] if len(numeric) > 1 else []),
    ]
    return (
        *(Evidence(family, "", scores.get(family, 0.0)) for family in asked),
        *(
            Evidence("location", table.names[column], shifts.get(column, 0.0), two_sided=True)
            for column in numeric
        ),
    )
