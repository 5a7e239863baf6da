"""SHAP, for models that cannot be taken apart exactly: an optional package."""

from importlib.util import find_spec

import numpy as np

from core.explain import Game, Sampler
from core.explain.result import Floats

_MOST_EXACT = 8  # inputs: 256 questions
_ROUNDS = 5


def sampler() -> Sampler | None:
    """Return how SHAP shares a score among inputs; None where it is not installed."""
    return shapley if find_spec("shap") else None


def shapley(game: Game, n: int) -> tuple[float, Floats]:
    """Return (score with no input known, Shapley value of each of `n` inputs).

    Exact for up to 8 inputs; beyond that by permutations, forwards and backwards (Štrumbelj,
    Kononenko 2014, "Explaining prediction models and individual predictions with feature
    contributions"), with a fixed seed. Either way base and values add up to the score.
    """
    from shap.explainers import ExactExplainer, PermutationExplainer

    if n == 0:
        return float(game(np.ones((1, 0), dtype=bool))[0]), np.zeros(0)

    def ask(known: Floats) -> Floats:
        return game(np.asarray(known) > 0)

    nothing, everything = np.zeros((1, n)), np.ones((1, n))
    if n <= _MOST_EXACT:
        found = ExactExplainer(ask, nothing)(everything)
    else:
        explainer = PermutationExplainer(ask, nothing, seed=0)
        found = explainer(everything, max_evals=_ROUNDS * (2 * n + 1), silent=True)
    return float(np.ravel(found.base_values)[0]), np.asarray(found.values, dtype=float).ravel()
