"""Why a version answered what it answered: what each input added to the score, and took from it.

A score and its scale belong together: log-odds, a margin or a probability, always of the positive
label. ``base + sum of the contributions + rest`` is the score.
"""

from core.explain.result import Explanation, Game, Part, Sampler
from core.explain.service import importance, one, summary

__all__ = ["Explanation", "Game", "Part", "Sampler", "importance", "one", "summary"]
