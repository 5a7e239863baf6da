"""Looking at an experiment more than once without fooling oneself."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInputError
from core.statistics.intervals import normal_quantile

GRID = 201
"""Points of the numerical integration; boundaries agree with published ones to 1e-4."""


def spent_alpha(fraction: float, alpha: float) -> float:
    """Two-sided error an O'Brien-Fleming-like plan may have spent at an information fraction.

    Each side spends 2 (1 - Phi(z_{1 - alpha/4} / sqrt(t))); Lan, DeMets (1983), Biometrika 70:659.

    >>> round(spent_alpha(1.0, 0.05), 6)
    0.05
    """
    from scipy.special import ndtr  # 18 MB and 0.3 s of processor: not at every start

    return float(4 * ndtr(-normal_quantile(1 - alpha / 2) / math.sqrt(fraction)))


def obrien_fleming(fractions: Sequence[float], *, alpha: float = 0.05) -> list[float]:
    """Two-sided |z| boundaries at the looks taken so far, by Lan-DeMets alpha spending.

    `fractions`: information fractions of the looks, rising, in (0, 1].
    Raises: InvalidInputError (not rising, or outside (0, 1]).

    >>> [round(b, 2) for b in obrien_fleming([0.2, 0.4, 0.6, 0.8, 1.0])]
    [4.88, 3.36, 2.68, 2.29, 2.03]
    """
    _check_fractions(fractions)
    boundaries: list[float] = []
    spent, density, grid = 0.0, np.ones(1), np.zeros(1)
    previous = 0.0
    for fraction in fractions:
        target = spent_alpha(fraction, alpha)
        step = math.sqrt(fraction - previous)
        bound = _boundary(grid, density, step, target - spent, root=math.sqrt(fraction))
        boundaries.append(bound)
        grid, density = _advance(grid, density, step, bound * math.sqrt(fraction))
        spent, previous = target, fraction
    return boundaries


def confidence_sequence_factor(n: int, *, alpha: float, planned_n: int) -> float:
    """How many standard errors wide an interval must be to hold at every n at once.

    Asymptotic confidence sequence, arXiv 2103.06476 (theorem 2.2), with rho tuned so that it is
    tightest at `planned_n` observations.

    >>> round(confidence_sequence_factor(10_000, alpha=0.05, planned_n=10_000), 2)
    3.04
    """
    information = n * _rho2(alpha, planned_n)
    log = math.log(math.sqrt(information + 1) / alpha)
    return math.sqrt(2 * (information + 1) / information * log)


def always_valid_p(z: float, n: int, *, alpha: float, planned_n: int) -> float:
    """The level at which the confidence sequence of `n` observations would just exclude zero.

    >>> always_valid_p(0.0, 500, alpha=0.05, planned_n=1000)
    1.0
    """
    information = n * _rho2(alpha, planned_n)
    exponent = z * z * information / (2 * (information + 1))
    return min(1.0, math.exp(0.5 * math.log1p(information) - exponent))


def planning_alpha(alpha: float) -> float:
    """The error of a test of one look that is as hard to pass as the sequence at its planned n.

    A size planned with it finds the effect by then at least as often as asked: the confidence
    sequence may show it earlier, and never asks for more at its planned number.

    >>> round(planning_alpha(0.05), 5)
    0.0024
    """
    width = confidence_sequence_factor(1, alpha=alpha, planned_n=1)  # the same at every planned n
    return math.erfc(width / math.sqrt(2))


def alpha_of_step(alpha: float, step: int) -> float:
    """The part of `alpha` that a comparison may spend which begins anew for the `step`-th time.

    Half of what is left, so that all steps together spend at most `alpha` however many follow and
    whatever is known when they do (union bound). Step 0 never begins anew and has all of it.

    >>> [alpha_of_step(0.08, step) for step in (0, 1, 2, 3)]
    [0.08, 0.04, 0.02, 0.01]
    """
    return alpha * 0.5**step


def _rho2(alpha: float, planned_n: int) -> float:
    if planned_n <= 0:
        raise InvalidInputError("the planned number of observations must be positive")
    return (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / planned_n


def _check_fractions(fractions: Sequence[float]) -> None:
    pairs = zip([0.0, *fractions[:-1]], fractions, strict=True)
    if not fractions or any(late <= early for early, late in pairs) or fractions[-1] > 1:
        raise InvalidInputError("information fractions of looks must rise within 0 to 1")


def _boundary(
    grid: NDArray[np.float64],
    density: NDArray[np.float64],
    step: float,
    budget: float,
    *,
    root: float,
) -> float:
    """|z| whose crossing, for paths not stopped before, has the probability `budget`."""
    from scipy.special import ndtr

    low, high = 0.0, 12.0
    for _ in range(60):
        bound = (low + high) / 2
        edge = bound * root
        crossing = ndtr((grid - edge) / step) + ndtr((-edge - grid) / step)
        if float(density @ crossing) > budget:
            low = bound
        else:
            high = bound
    return (low + high) / 2


def _advance(
    grid: NDArray[np.float64], density: NDArray[np.float64], step: float, edge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mass (weights included) of the Brownian path on a new grid inside the boundary."""
    new = np.linspace(-edge, edge, GRID)
    weights = np.full(GRID, 2.0)  # Simpson's rule
    weights[1::2], weights[[0, -1]] = 4.0, 1.0
    weights *= (new[1] - new[0]) / 3
    kernel = np.exp(-(((new[:, None] - grid[None, :]) / step) ** 2) / 2)
    return new, weights * (kernel @ density) / (step * math.sqrt(2 * math.pi))
