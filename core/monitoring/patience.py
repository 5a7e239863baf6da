"""How long a watch needs until it can be sure: what the size of the reference allows."""

import math

from core.monitoring.detector import SIZES, margin

MOST_CHECKS = 2_000
"""A change that would need more is in practice never announced."""

_FAMILIES = 4  # location, category, missing, covariance: each has an equal share of the budget
_KINDS = 2  # half of that for the family as a whole, half for its columns
_DIRECTIONS = 2


def checks_needed(
    shift: float, *, columns: int, n_reference: int, n_current: int, false_alarms_a_check: float
) -> int | None:
    """Return about how many checks pass until a lasting shift of one column raises the alarm.

    `shift` is in standard deviations. In every check the evidence grows by the expected step of
    the best of the detector's sizes, until it makes up for the budget and for the share of it that
    one column has. None: the shift hides behind what the reference itself may be off by.

    >>> watch = {"columns": 13, "n_current": 200, "false_alarms_a_check": 0.1 / 2880}
    >>> [checks_needed(0.2, n_reference=n, **watch) for n in (5000, 1000, 240)]
    [8, 20, None]
    """
    z = shift * math.sqrt(n_reference * n_current / (n_reference + n_current))
    beyond = z - margin(n_reference=n_reference, n_current=n_current)
    step = float(max(SIZES * beyond - SIZES**2 / 2))
    share = 1 / (_FAMILIES * _KINDS * max(1, columns) * _DIRECTIONS * len(SIZES))
    needed = -math.log(false_alarms_a_check * share)
    if step <= 0 or needed / step > MOST_CHECKS:
        return None
    return math.ceil(needed / step)
