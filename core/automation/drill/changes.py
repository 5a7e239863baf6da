"""The changes themselves: rows in, changed rows out; pure, and the same for the same seed.

A frame has the columns of the spec and the target column with the truth.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.automation.drill.kinds import Kind
from core.datasets import generator
from core.specs import ModelSpec

Chance = np.random.Generator
Change = Callable[[pd.DataFrame, ModelSpec, pd.DataFrame, int, Chance], pd.DataFrame]
PLACEHOLDER = "null"
"""What a broken feed sends instead of a text; an empty message would be refused."""


class Changer:
    """One change, applied to one batch after the other: which columns it hits stays the same."""

    def __init__(self, kind: Kind, spec: ModelSpec, population: pd.DataFrame, *, size: float,
                 seed: int) -> None:  # fmt: skip
        self._of = (kind, spec, population, size)
        self._seed = seed

    def apply(self, rows: pd.DataFrame, *, batch: int) -> pd.DataFrame:
        """Return the rows of a batch with the change in a share `size` of them."""
        kind, spec, population, _size = self._of
        change, hit = CHANGES.get(kind), self._hit(len(rows), batch)
        if change is None or not hit.any():
            return rows
        fixed = np.random.default_rng([self._seed, 0])
        parts = [rows[~hit], change(rows[hit], spec, population, batch, fixed)]
        return pd.concat([part for part in parts if len(part)]).sort_index()

    def _hit(self, n: int, batch: int) -> NDArray[np.bool_]:
        chance = np.random.default_rng([self._seed, batch + 1])
        return chance.random(n) < self._of[3]


def _drift(
    rows: pd.DataFrame, spec: ModelSpec, population: pd.DataFrame, batch: int, chance: Chance
) -> pd.DataFrame:
    """Move every number by a deviation, up or down; a text becomes one of a new campaign."""
    campaign = str(chance.choice(generator.NEW_CAMPAIGNS))
    seed = int(chance.integers(2**31)) + batch
    if spec.input.text is not None:
        return _texts(rows, spec, campaign, seed)
    moved = rows.copy()
    for feature in spec.input.features:
        if feature.type == "numeric":
            numbers = pd.to_numeric(population[feature.name], errors="coerce")
            step = float(numbers.std() or 1.0) * int(chance.choice([-1, 1]))
            moved[feature.name] = pd.to_numeric(rows[feature.name], errors="coerce") + step
        elif feature.type == "category":
            moved[feature.name] = _rarest(population[feature.name])
        else:
            moved[feature.name] = _drawn(len(rows), campaign, seed)
    return moved


def _texts(rows: pd.DataFrame, spec: ModelSpec, campaign: str, seed: int) -> pd.DataFrame:
    texts = _drawn(len(rows), campaign, seed)
    return rows.assign(**{str(spec.input.text): texts, spec.target.column: spec.positive})


def _drawn(n: int, campaign: str, seed: int) -> list[str]:
    drawn = generator.messages(n, seed=seed, spam_share=1.0, campaigns=[campaign])
    return [message.text for message in drawn]


def _rarest(values: "pd.Series[Any]") -> Any:  # noqa: ANN401 (a category as the data has it)
    known = values.dropna()
    return known.value_counts().index[-1] if len(known) else "new"


def _labels(
    rows: pd.DataFrame, spec: ModelSpec, _population: pd.DataFrame, _batch: int, _chance: Chance
) -> pd.DataFrame:
    """Turn the truth around."""
    target = spec.target
    other = np.where(rows[target.column] == target.positive, target.negative, target.positive)
    return rows.assign(**{target.column: other})


def _missing(
    rows: pd.DataFrame, spec: ModelSpec, _population: pd.DataFrame, _batch: int, chance: Chance
) -> pd.DataFrame:
    """Leave out a third of the features; a text becomes the word of a broken feed."""
    if spec.input.text is not None:
        return rows.assign(**{spec.input.text: PLACEHOLDER})
    features = spec.input.features
    n = max(1, len(features) // 3)
    hit = {features[int(place)].name for place in chance.permutation(len(features))[:n]}
    lost = {
        one.name: PLACEHOLDER if one.type == "text" else np.nan if one.type == "numeric" else None
        for one in features
        if one.name in hit
    }
    return rows.assign(**lost)


def _campaign(
    rows: pd.DataFrame, spec: ModelSpec, population: pd.DataFrame, batch: int, chance: Chance
) -> pd.DataFrame:
    """Send near-copies of one new text, or one combination of categories that is new."""
    name = str(chance.choice(generator.NEW_CAMPAIGNS))
    (text,) = _drawn(1, name, int(chance.integers(2**31)))
    numbers = chance.integers(1000, 9999, size=(batch + 1, max(1, len(rows))))[batch]
    copies = [f"{text} Code {number}" for number in numbers[: len(rows)]]
    if spec.input.text is not None:
        return rows.assign(**{spec.input.text: copies, spec.target.column: spec.positive})
    burst = rows.copy()
    for feature in spec.input.features:
        if feature.type == "category":
            burst[feature.name] = _rarest(population[feature.name])
        elif feature.type == "text":
            burst[feature.name] = copies
    categories = [one.name for one in spec.input.features if one.type == "category"]
    if categories and _is_known(population, {name: burst[name].iloc[0] for name in categories}):
        burst[categories[0]] = "never seen before"
    return burst


def _is_known(population: pd.DataFrame, combination: dict[str, Any]) -> bool:
    known = np.ones(len(population), dtype=bool)
    for name, value in combination.items():
        known &= (population[name] == value).to_numpy()
    return bool(known.any())


CHANGES: dict[Kind, Change] = {
    "drift": _drift,
    "labels": _labels,
    "missing": _missing,
    "campaign": _campaign,
}
"""Latency changes no row: see `traffic`."""
