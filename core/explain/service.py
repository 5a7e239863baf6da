"""Explaining one answer of a fitted pipeline, and what matters to it over many rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.explain import inputs, sampling
from core.explain.inputs import Given, Signature
from core.explain.result import Explanation, InexactError, Part, Sampler, Taken

MOST_NAMES = 30
_INSTALL = (
    "explaining it needs SHAP: install requirements-explain.txt, then use the panel's Try it or "
    "`pilothouse explain`"
)


def one(
    pipeline: Any,  # noqa: ANN401 (scikit-learn)
    signature: Signature,
    given: Given,
    *,
    threshold: float = 0.5,
    top: int = 12,
    sampler: Sampler | None = None,
    background: Sequence[Given] = (),
) -> Explanation:
    """Say what each input added to the answer for `given`, the `top` largest by name.

    `given`: a text, or checked features by name. Exact where the model is linear or made of
    trees; another kind is asked by `sampler` with inputs left out, that is replaced by those of
    the `background` rows (missing, where there are none).

    Raises: InexactError (another kind, and no sampler), UnavailableError (it takes too long).
    """
    rows = inputs.frame(signature, [given])
    probability = float(pipeline.predict_proba(rows)[0, inputs.column(pipeline, signature)])
    try:
        taken, parts = _exactly(pipeline, signature, given, rows)
    except InexactError as problem:
        if sampler is None:
            raise InexactError(f"{problem}; {_INSTALL}") from problem
        taken, parts = sampling.sampled(pipeline, signature, given, sampler, background)
    return _explanation(taken, parts, signature, probability, threshold=threshold, top=top)


def _explanation(
    taken: Taken,
    parts: list[Part],
    signature: Signature,
    probability: float,
    *,
    threshold: float,
    top: int,
) -> Explanation:
    order = sorted((part for part in parts if part.contribution), key=_size, reverse=True)
    shown = tuple(order[:top])
    base, score = float(taken.base[0]), float(taken.score[0])
    labels, positive = [str(label) for label in signature["labels"]], str(signature["positive"])
    negative = next(label for label in labels if label != positive)
    above = probability > threshold or (probability == threshold and labels[0] == positive)
    return Explanation(
        label=positive if above else negative,
        positive=positive,
        negative=negative,
        probability=probability,
        score=score,
        base=base,
        scale=taken.scale,
        method=taken.method,
        parts=shown,
        rest=score - base - sum(part.contribution for part in shown),
        n_rest=len(order) - len(shown),
    )


def _size(part: Part) -> float:
    return abs(part.contribution)


def importance(
    pipeline: Any,  # noqa: ANN401 (scikit-learn)
    signature: Signature,
    rows: Any,  # noqa: ANN401 (texts, or a frame)
) -> list[tuple[str, float]]:
    """Return what matters over `rows`, most first: (name, mean size of its contribution).

    `rows`: texts, or a frame with the features; at most 500 of them, evenly chosen, are used. A
    name is a word for a text model, else a feature. Raises: InexactError.
    """
    return _importance(pipeline, signature, inputs.sample(rows))[0]


def summary(
    pipeline: Any,  # noqa: ANN401 (scikit-learn)
    signature: Signature,
    rows: Any,  # noqa: ANN401 (texts, or a frame)
) -> dict[str, Any]:
    """Return what a version keeps of `importance`, as plain values; never fails for the model.

    Keys: ``features`` [{name, importance}], at most 30; ``scale``, ``method``, ``rows``; a model
    without exact contributions has none, and ``why`` says so.
    """
    sample = inputs.sample(rows)
    try:
        found, taken = _importance(pipeline, signature, sample)
    except InexactError as problem:
        why = f"{problem}; it is explained one answer at a time"
        return {"features": [], "rows": len(sample), "why": why}
    return {
        "features": [{"name": name, "importance": size} for name, size in found[:MOST_NAMES]],
        "rows": len(sample),
        "scale": taken.scale,
        "method": taken.method,
    }


def _importance(
    pipeline: Any,  # noqa: ANN401
    signature: Signature,
    rows: Any,  # noqa: ANN401
) -> tuple[list[tuple[str, float]], Taken]:
    from scipy import sparse

    from core.explain import taking

    origins, matrix, model = _columns(pipeline, signature, rows)
    taken = taking.take(model, matrix, second=inputs.column(pipeline, signature) == 1)
    if inputs.is_text(signature):
        names, folded = [str(word) for word in origins.words], taken.columns
    else:
        names = inputs.feature_names(signature)
        places = (np.arange(len(origins)), origins.inputs)
        shape = (len(origins), len(names))
        folded = taken.columns @ sparse.csr_matrix((np.ones(len(origins)), places), shape=shape)
    sizes = np.asarray(abs(folded).mean(axis=0), dtype=float).ravel()
    order = [int(place) for place in np.argsort(-sizes, kind="stable") if sizes[place]]
    return [(names[place], float(sizes[place])) for place in order], taken


def _exactly(
    pipeline: Any,  # noqa: ANN401
    signature: Signature,
    given: Given,
    rows: Any,  # noqa: ANN401
) -> tuple[Taken, list[Part]]:
    """Fold what the columns add into inputs and words: one column each in the answer."""
    from core.explain import taking

    origins, matrix, model = _columns(pipeline, signature, rows)
    taken = taking.take(model, matrix, second=inputs.column(pipeline, signature) == 1)
    row = taken.columns.tocoo()
    totals: dict[tuple[int, str], float] = {}
    for column, added in zip(row.col, row.data, strict=True):
        key = int(origins.inputs[column]), str(origins.words[column])
        totals[key] = totals.get(key, 0.0) + float(added)
    counted = inputs.word_counts(pipeline, signature, given)
    features = [] if isinstance(given, str) else inputs.feature_names(signature)
    return taken, [
        Part(
            name=_name(features, number, word),
            value=float(counted[number][word]) if word else _value(given, features[number]),
            contribution=added,
            word=bool(word),
        )
        for (number, word), added in totals.items()
    ]


def _name(features: list[str], number: int, word: str) -> str:
    if not word:
        return features[number]
    return f"{features[number]}: {word}" if features else word


def _value(given: Given, name: str) -> float | str | None:
    return None if isinstance(given, str) else given.get(name)


def _columns(
    pipeline: Any,  # noqa: ANN401
    signature: Signature,
    rows: Any,  # noqa: ANN401
) -> tuple[Any, Any, Any]:
    """Return where the model's columns come from, the matrix that it sees, and the model."""
    from core.explain import columns

    n_inputs = 1 if inputs.is_text(signature) else len(inputs.feature_names(signature))
    if not hasattr(pipeline, "steps"):
        return columns.plain(range(n_inputs)), _array(rows), pipeline
    before, model = pipeline[:-1], pipeline[-1]
    if len(before.steps) == 0:
        return columns.plain(range(n_inputs)), _array(rows), model
    matrix = before.transform(rows)
    if isinstance(matrix, list):
        raise InexactError("it reads the texts themselves")
    matrix = _array(matrix)
    learnt = getattr(pipeline, "feature_names_in_", None)  # in an order of its own
    origins = columns.trace(before, n_inputs if learnt is None else len(learnt))
    if len(origins) != matrix.shape[1]:
        raise InexactError("the columns of its preprocessing cannot be told apart")
    if learnt is not None:
        names = inputs.feature_names(signature)
        origins = origins.after(columns.plain([_place(names, name) for name in learnt]))
    return origins, matrix, model


def _place(names: list[str], name: object) -> int:
    return names.index(str(name)) if str(name) in names else -1  # -1: it is not used


def _array(matrix: Any) -> Any:  # noqa: ANN401 (a frame, an array or a sparse matrix)
    return matrix.to_numpy(dtype=float) if hasattr(matrix, "to_numpy") else matrix
