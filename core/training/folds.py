"""The folds of one training: features fitted once per fold and shared by whatever is tried."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer

from core.datasets import schema
from core.specs import ModelSpec
from core.training import evaluation, pipelines

Whole = NDArray[np.intp]


@dataclass(frozen=True)
class Fold:
    """Rows to learn from and rows to check with, as numbers; `rows` are places in the training."""

    x: Any  # a sparse or dense matrix
    y: NDArray[np.object_]
    x_check: Any
    truth: NDArray[np.bool_]
    rows: Whole


def split(train: pd.DataFrame, spec: ModelSpec) -> Iterator[Fold]:
    """Yield the folds of conformed training rows, each with features fitted on its own rows."""
    fold_of = evaluation.folds(train, spec)
    labels = train[spec.target.column].to_numpy()
    inputs = _inputs(train, spec)
    for fold in range(spec.folds):
        learn, check = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        x, x_check = inputs.matrices(learn, check)
        yield Fold(x, labels[learn], x_check, np.asarray(labels[check] == spec.positive), check)


class _Frame:
    """Features of any kind: fitted by scikit-learn on the rows of each fold."""

    def __init__(self, train: pd.DataFrame, spec: ModelSpec) -> None:
        self._train, self._spec = train, spec

    def matrices(self, learn: Whole, check: Whole) -> tuple[Any, Any]:
        features = pipelines.features(self._spec)
        return features.fit_transform(self._part(learn)), features.transform(self._part(check))

    def _part(self, rows: Whole) -> Any:  # noqa: ANN401 (texts, or a frame)
        return schema.inputs(self._train.iloc[rows].reset_index(drop=True), self._spec)


class Corpus:
    """Texts taken apart once; each fold's vocabulary and weights follow from its rows exactly.

    The matrices equal those of `TfidfVectorizer` to the last bit: terms are counted in the order
    in which a fold meets them, because sums of squares depend on the order of their terms.
    """

    def __init__(self, vectoriser: TfidfVectorizer, texts: Sequence[str]) -> None:
        self._vectoriser = vectoriser
        analyse, seen = vectoriser.build_analyzer(), dict[str, int]()
        found = [[seen.setdefault(term, len(seen)) for term in analyse(text)] for text in texts]
        rank = np.empty(len(seen), dtype=np.intp)
        rank[[seen[term] for term in sorted(seen)]] = np.arange(len(seen))
        self._terms = rank[np.concatenate([np.array(one, dtype=np.intp) for one in found])]
        self._starts = np.concatenate([[0], np.cumsum([len(one) for one in found])])
        self._size = len(seen)

    def matrices(self, learn: Whole, check: Whole) -> tuple[Any, Any]:
        """Return the weights of the terms in the rows to learn from, and in those to check."""
        documents, terms = self._tokens(learn)
        if not len(terms):
            raise ValueError("empty vocabulary; perhaps the texts have no words")
        known, first = np.unique(terms, return_index=True)
        met = np.full(self._size, -1, dtype=np.intp)
        met[known[np.argsort(first)]] = np.arange(len(known))
        counted = _counts(documents, met[terms], (len(learn), len(known)))
        order = known[np.argsort(first)]  # the term that was met first, second, …
        counted.indices = np.searchsorted(known, order)[counted.indices].astype(np.int32)
        kept = self._kept(counted)
        weights = self._weights()
        x = weights.fit(counted[:, kept]).transform(counted[:, kept], copy=False)
        place = np.full(self._size, -1, dtype=np.intp)
        place[known[kept]] = np.arange(len(kept))
        documents, terms = self._tokens(check)
        inside = place[terms] >= 0
        counted = _counts(documents[inside], place[terms[inside]], (len(check), len(kept)))
        return x, weights.transform(counted, copy=False)

    def _tokens(self, rows: Whole) -> tuple[Whole, Whole]:
        lengths = (self._starts[1:] - self._starts[:-1])[rows]
        documents = np.repeat(np.arange(len(rows)), lengths)
        begin = np.repeat(self._starts[:-1][rows] - (np.cumsum(lengths) - lengths), lengths)
        return documents, self._terms[np.arange(len(documents)) + begin]

    def _kept(self, counted: sparse.csr_array) -> Whole:
        """Choose the terms like scikit-learn: neither rare nor common, the most frequent."""
        given, n = self._vectoriser, counted.shape[0]
        low, high = (
            edge if isinstance(edge, int) else edge * n for edge in (given.min_df, given.max_df)
        )
        in_rows = np.bincount(counted.indices, minlength=counted.shape[1])
        mask = (in_rows >= low) & (in_rows <= high)
        if given.max_features is not None and mask.sum() > given.max_features:
            often = np.asarray(counted.sum(axis=0)).ravel()
            most = (-often[mask]).argsort()[: given.max_features]
            mask = np.isin(np.arange(len(mask)), np.flatnonzero(mask)[most])
        if not mask.any():
            raise ValueError("no word is in enough texts to learn from")
        return np.flatnonzero(mask)

    def _weights(self) -> TfidfTransformer:
        names = ("norm", "use_idf", "smooth_idf", "sublinear_tf")
        return TfidfTransformer(**{name: getattr(self._vectoriser, name) for name in names})


def _counts(documents: Whole, terms: Whole, shape: tuple[int, int]) -> sparse.csr_array:
    keys, counts = np.unique(documents * np.intp(shape[1]) + terms, return_counts=True)
    rows = keys // shape[1]
    starts = np.searchsorted(rows, np.arange(shape[0] + 1)).astype(np.int32)
    columns = (keys % shape[1]).astype(np.int32)
    return sparse.csr_array((counts.astype(np.float64), columns, starts), shape=shape)


def _inputs(train: pd.DataFrame, spec: ModelSpec) -> _Frame | Corpus:
    features, texts = pipelines.features(spec), schema.inputs(train, spec)
    if isinstance(texts, list) and _is_plain(features):
        return Corpus(features, texts)
    return _Frame(train, spec)


def _is_plain(features: BaseEstimator) -> bool:
    """Say whether these features are counted words and nothing that we do not imitate."""
    return type(features) is TfidfVectorizer and features.vocabulary is None and not features.binary
