"""The watch over months: alarms while nothing changes, and checks until a change is found."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.monitoring.common import Asked, Figure
from core.monitoring import sequential

CHECKS_A_MONTH = 2880
RATE = 0.1 / CHECKS_A_MONTH
COLUMNS = 13
FAMILIES = ("location", "category", "missing", "covariance")

Array = NDArray[np.float64]


def run(asked: Asked) -> Iterator[Figure]:
    rng = np.random.default_rng(asked.seed)
    months = 20 if asked.quick else 100
    alarms = int((first_alarms(rng, months, CHECKS_A_MONTH, reference=5000, n=200) > 0).sum())
    yield Figure(
        f"alarms in {months} months without change", "≤ 10 (aim 3)", str(alarms), alarms <= 10
    )
    for reference, most in ((5000, 8), (1000, None), (240, None)):
        shift = 0.2 / np.sqrt(1 / 200 + 1 / reference)
        delays = first_alarms(rng, 400, 300, reference=reference, n=200, shift=shift)
        found = np.median(np.where(delays > 0, delays, np.inf))
        yield Figure(
            f"median delay, .2 sd in 1 of 13 columns, reference {reference:,}",
            f"≤ {most} checks" if most else "told",
            f"{found:.0f} checks",
            bool(found <= most) if most else None,
        )


def first_alarms(
    rng: np.random.Generator,
    months: int,
    checks: int,
    *,
    reference: int,
    n: int,
    shift: float = 0.0,
) -> Array:
    """The check of the first alarm of each month, 0 where there is none.

    Columns as normal z's against a reference that is the same for the whole month, families as
    independent normal z's, except location: the two-sided strongest column.
    """
    from scipy.special import log_ndtr, ndtri_exp

    kinds = [(f, False) for f in FAMILIES] + [("location", True)] * COLUMNS
    share = np.log(sequential.weights(kinds))[:, None]
    size = {"n_reference": reference, "n_current": n}
    one = sequential.margin(**size, two_sided=False)
    two = sequential.margin(**size)
    part = n / (n + reference)
    bias = rng.normal(0, np.sqrt(part), (months, len(kinds)))
    bias[:, len(FAMILIES)] += shift
    ups = np.full((months, len(kinds), len(sequential.SIZES)), -np.inf)
    downs = ups[:, len(FAMILIES) :].copy()
    alarms = np.zeros(months)
    for check in range(1, checks + 1):
        z = bias + rng.normal(0, np.sqrt(1 - part), bias.shape)
        columns = z[:, len(FAMILIES) :]
        tail = np.log(2 * COLUMNS) + log_ndtr(-np.abs(columns).max(axis=1))
        z[:, 0] = -ndtri_exp(np.minimum(tail, -1e-3))
        z = np.clip(z, -8, 8)
        ups = sequential.grown(ups, z - np.where(np.arange(len(kinds)) < len(FAMILIES), one, two))
        downs = sequential.grown(downs, -z[:, len(FAMILIES) :] - two)
        total = np.exp(ups + share).sum(axis=(1, 2))
        total += np.exp(downs + share[len(FAMILIES) :]).sum(axis=(1, 2))
        alarms = np.where((alarms == 0) & (total >= 1 / RATE), check, alarms)
    return alarms
