"""Is this much traffic usual at this hour? Hourly counts in, a finding out. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Season = Literal["hour of the week", "hour of the day", "hour before"]

LONGEST_HISTORY = 8 * 168
"""Hours of history that are looked at."""

FEWEST_HOURS = 48
FEWEST_EXPECTED = 30.0
"""Windows are widened until so many requests are usual: zero of them is then no chance."""

ALPHA = 2e-4
"""Per check and side. `benchmarks/monitoring` simulates what this means in a month."""

METHOD = (
    "negative binomial with the median of the same hours before, moved by the level of the last "
    "week; its spread is that of the errors that this forecast made in the past"
)
ASSUMPTIONS = "Traffic follows the clock and the calendar as it did; holidays are not known."

_WIDTHS = (1, 2, 3, 4, 6, 8, 12, 24)  # hours; each divides a day
_SEASONS: tuple[tuple[Season, int, int, int], ...] = (
    # name, its length in hours, hours of history it asks for, so many of its slots are averaged
    ("hour of the week", 168, 4 * 168, 8),
    ("hour of the day", 24, 8 * 24, 14),
    ("hour before", 0, FEWEST_HOURS, 24),
)
_TRIMMED = 0.02  # of past errors: an outage last week must not hide the next one
_LEFT = 0.87  # of the variance of a normal variable is left without its largest 2 %


@dataclass(frozen=True)
class Volume:
    """`fail`: nothing came at all; `warn`: far too little or too much; else `pass`.

    `low` and `high` bound what is usual; `hours` is the width of the window, which ends with hour
    `last` (whole hours since 1970). `history`: hours that were there to learn from.
    """

    state: str
    observed: int
    expected: float
    low: float
    high: float
    p_value: float
    hours: int
    last: int
    season: str
    dispersion: float
    history: int
    sentence: str

    def figures(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def judge(counts: Mapping[int, int], *, first: int, last: int, alpha: float = ALPHA) -> Volume:
    """Judge the newest completed hours up to `last` by those before, from `first` on.

    `counts`: requests per hour (whole hours since 1970), an hour without any may be absent. With
    less than two days of history, or where even a day has too few requests, the state is
    `inconclusive`.

    >>> usual = {hour: 50 + hour % 24 for hour in range(700)}
    >>> judge(usual, first=0, last=699).state, judge(usual, first=0, last=702).sentence[:15]
    ('pass', 'Nothing came in')
    """
    first = max(first, last - LONGEST_HISTORY)
    history = last - first
    if history < FEWEST_HOURS:
        told = f"{max(0, history)} hours of traffic are known"
        return _unknown(last, history, f"{told}, {FEWEST_HOURS} are needed to know what is usual")
    hourly = np.array([counts.get(hour, 0) for hour in range(first, last + 1)], dtype=np.float64)
    for width in _WIDTHS:
        forecast = _forecast(_blocks(hourly, width), width, history)
        if forecast is not None and forecast.expected >= FEWEST_EXPECTED:
            return _judged(forecast, last=last, history=history, alpha=alpha)
    few = f"fewer than {FEWEST_EXPECTED:.0f} requests a day are usual"
    return _unknown(last, history, f"{few}, too few to tell a change from chance")


@dataclass(frozen=True)
class _Forecast:
    """What the newest window of `width` hours should hold, and how wrong forecasts are."""

    observed: float
    expected: float
    spread: float  # relative variance beyond Poisson's
    width: int
    season: Season


def _blocks(hourly: Array, width: int) -> Array:
    """Sums of consecutive hours, newest first."""
    n = len(hourly) // width
    newest_first = hourly[::-1][: n * width]
    return np.asarray(newest_first.reshape(n, width).sum(axis=1))


def _forecast(blocks: Array, width: int, history: int) -> _Forecast | None:
    season, length, _, most = next(one for one in _SEASONS if history >= one[2])
    step = max(1, length // width)
    usual = _usual(blocks, step, most if length else max(2, most // width))
    usual = _levelled(blocks, usual, max(1, 168 // width)) if length else usual
    known = np.flatnonzero(~np.isnan(usual[1:])) + 1
    if np.isnan(usual[0]) or len(known) < 8:
        return None
    return _Forecast(
        observed=float(blocks[0]),
        expected=float(usual[0]),
        spread=_spread(blocks[known], usual[known]),
        width=width,
        season=season,
    )


def _usual(blocks: Array, step: int, most: int) -> Array:
    """The median of at most `most` earlier blocks of the same slot, NaN before there are two."""
    n = len(blocks)
    earlier = np.full((most, n), np.nan)
    for back in range(1, most + 1):
        if back * step < n:
            earlier[back - 1, : n - back * step] = blocks[back * step :]
    usual = np.full(n, np.nan)
    known = (~np.isnan(earlier)).sum(axis=0) >= 2
    if known.any():
        usual[known] = np.nanmedian(earlier[:, known], axis=0)
    return usual


def _levelled(blocks: Array, usual: Array, week: int) -> Array:
    """Move the forecast by how much more came in the week before it than was forecast for that."""
    seen = np.where(np.isnan(usual), 0.0, blocks)
    said = np.where(np.isnan(usual), 0.0, usual)
    before = [np.concatenate([[0.0], np.cumsum(one)]) for one in (seen, said)]
    n = len(blocks)
    start = np.arange(1, n + 1)
    end = np.minimum(start + week, n)
    came, forecast = (total[end] - total[start] for total in before)
    # a day's worth of the old level, so that the first days of a forecast do not swing it
    prior = np.nan_to_num(usual) * max(1, week // 7) + 1.0
    return np.asarray(usual * (came + prior) / (forecast + prior))


def _spread(seen: Array, said: Array) -> float:
    """Relative variance beyond Poisson's, by moments over past errors without the worst few."""
    said = np.maximum(said, 0.5)
    error = (seen - said) ** 2
    order = np.argsort(error / (said + 0.05 * said**2))
    kept = order[: max(4, len(order) - int(np.ceil(_TRIMMED * len(order))))]
    excess = (error[kept] - said[kept]).sum() / (said[kept] ** 2).sum()
    return float(max(excess, 0.0)) / _LEFT + 1e-3


def _judged(forecast: _Forecast, *, last: int, history: int, alpha: float) -> Volume:
    from scipy.stats import nbinom  # slow to import

    size = 1 / forecast.spread
    counted = nbinom(size, size / (size + forecast.expected))
    observed = round(forecast.observed)
    p_low, p_high = float(counted.cdf(observed)), float(counted.sf(observed - 1))
    strange = min(p_low, p_high) <= alpha
    return Volume(
        state="pass" if not strange else "fail" if observed == 0 else "warn",
        observed=observed,
        expected=forecast.expected,
        low=float(counted.ppf(alpha)),
        high=float(counted.isf(alpha)),
        p_value=min(1.0, 2 * min(p_low, p_high)),
        hours=forecast.width,
        last=last,
        season=forecast.season,
        dispersion=forecast.spread,
        history=history,
        sentence=_sentence(forecast, observed, strange),
    )


def _sentence(forecast: _Forecast, observed: int, strange: bool) -> str:
    hours = "hour" if forecast.width == 1 else f"{forecast.width} hours"
    usual = f"about {forecast.expected:,.0f} are usual, by the {forecast.season}"
    if not strange:
        return f"{observed:,} requests in the last full {hours}; {usual}."
    if observed == 0:
        return f"Nothing came in the last full {hours}; {usual}."
    word = "Only " if observed < forecast.expected else ""
    return (
        f"{word}{observed:,} requests in the last full {hours}, "
        f"{'far fewer' if word else 'far more'} than usual: {usual}."
    )


def _unknown(last: int, history: int, why: str) -> Volume:
    return Volume(
        state="inconclusive",
        observed=0,
        expected=0.0,
        low=0.0,
        high=0.0,
        p_value=1.0,
        hours=0,
        last=last,
        season="",
        dispersion=0.0,
        history=max(0, history),
        sentence=f"Not judged yet: {why}.",
    )
