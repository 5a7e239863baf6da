"""Explaining a model by asking it with inputs left out, where it cannot be taken apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.clock import monotonic
from core.errors import UnavailableError
from core.explain import inputs
from core.explain.inputs import Given, Signature
from core.explain.result import Floats, Game, Part, Sampler, Taken

MOST_SECONDS = 20.0
_METHOD = (
    "Shapley values by SHAP: what an input adds, on average over the order in which inputs become "
    "known. The base is the answer when none is known."
)
_MOST_PIECES = 60  # of a text
_MOST_BACKGROUND = 20


def sampled(
    pipeline: Any,  # noqa: ANN401
    signature: Signature,
    given: Given,
    sampler: Sampler,
    background: Sequence[Given],
) -> tuple[Taken, list[Part]]:
    """Ask the pipeline with inputs left out, and let `sampler` share the score among them."""
    from scipy import sparse

    if isinstance(given, str):
        names = _pieces(given)
        values: list[float | str | None] = [1.0] * len(names)
        others: Sequence[Given] = [""]
    else:
        names = inputs.feature_names(signature)
        values = [given.get(name) for name in names]
        others = background[:_MOST_BACKGROUND] or [dict.fromkeys(names)]
    game = _game(pipeline, signature, given, names, others)
    base, added = sampler(game, len(names))
    score = game(np.ones((1, len(names)), dtype=bool))
    taken = Taken(
        columns=sparse.csr_matrix(added.reshape(1, -1)),
        base=np.array([base]),
        score=score,
        scale="probability",
        method=_METHOD,
    )
    word = isinstance(given, str)
    return taken, [
        Part(name, value, float(size), word)
        for name, value, size in zip(names, values, added, strict=True)
    ]


def _game(
    pipeline: Any,  # noqa: ANN401
    signature: Signature,
    given: Given,
    names: list[str],
    others: Sequence[Given],
) -> Game:
    column, ends = inputs.column(pipeline, signature), monotonic() + MOST_SECONDS

    def filled(mask: Any, other: Given) -> Given:  # noqa: ANN401
        if isinstance(given, str) or isinstance(other, str):
            return " ".join(name for name, known in zip(names, mask, strict=True) if known)
        return {n: given[n] if known else other[n] for n, known in zip(names, mask, strict=True)}

    def game(masks: Any) -> Floats:  # noqa: ANN401
        if monotonic() > ends:
            raise UnavailableError(f"explaining took longer than {MOST_SECONDS:.0f} seconds")
        asked = [filled(mask, other) for mask in masks for other in others]
        said = pipeline.predict_proba(inputs.frame(signature, asked))[:, column]
        means: Floats = np.asarray(said, dtype=float).reshape(len(masks), len(others)).mean(axis=1)
        return means

    return game


def _pieces(text: str) -> list[str]:
    """Cut a text into its words, or into as many runs of words as can be asked about."""
    words = text.split()
    size = -(-len(words) // _MOST_PIECES) or 1
    return [" ".join(words[at : at + size]) for at in range(0, len(words), size)]
