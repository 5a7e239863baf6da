"""Texts as sparse counts of words, and which texts are copies of each other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from core.monitoring.labels import clean

EMPTY = "(no words)"
SHORT = 4
"""Texts with fewer different words coincide by chance, so they are never taken for copies."""

SIMILAR = 0.8

# Words, single ideographs and kana, digits of one number, currency signs, pictographs.
_TOKEN = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff]|[^\\W\\d_\u3040-\u30ff\u3400-\u9fff]+(?:['\u2019][^\\W\\d_]+)?"
    "|\\d+|[$£€₿]|[\u2600-\u27bf\U0001f300-\U0001faff]"
)


@dataclass(frozen=True)
class Corpus:
    """`counts` has shape (documents, words); `words[j]` names column j."""

    counts: sparse.csr_matrix
    words: tuple[str, ...]


def tokens(text: str) -> list[str]:
    """Words in lower case; a number becomes one # per digit, so that its value does not count.

    >>> tokens("WIN £1000 now, don't wait!")
    ['win', '£', '####', 'now', "don't", 'wait']
    """
    found = _TOKEN.findall(clean(text).casefold())
    return ["#" * min(12, len(word)) if word.isdigit() else word for word in found] or [EMPTY]


def corpus(texts: Sequence[str]) -> Corpus:
    """Count the words of every text."""
    index: dict[str, int] = {}
    columns: list[int] = []
    ends = [0]
    for text in texts:
        columns.extend(index.setdefault(token, len(index)) for token in tokens(text))
        ends.append(len(columns))
    counts = sparse.csr_matrix(
        (np.ones(len(columns)), np.array(columns, dtype=np.int32), np.array(ends)),
        shape=(len(texts), len(index)),
    )
    counts.sum_duplicates()
    return Corpus(counts, tuple(index))


def copy_groups(counts: sparse.csr_matrix) -> NDArray[np.intp]:
    """One group number per document; near-copies (Jaccard of words >= .8) share it."""
    presence = (counts > 0).astype(np.float32).tocsr()
    presence.sort_indices()
    exact = _exact_groups(presence)
    _, first = np.unique(exact, return_index=True)
    near = _near_groups(presence[first])
    return np.asarray(near[exact], dtype=np.intp)


def _exact_groups(presence: sparse.csr_matrix) -> NDArray[np.intp]:
    """Documents with the same words; short ones stay alone."""
    keys: dict[object, int] = {}
    groups = []
    for row, (start, end) in enumerate(zip(presence.indptr[:-1], presence.indptr[1:], strict=True)):
        key = presence.indices[start:end].tobytes() if end - start >= SHORT else row
        groups.append(keys.setdefault(key, len(keys)))
    return np.array(groups, dtype=np.intp)


def _near_groups(presence: sparse.csr_matrix) -> NDArray[np.intp]:
    """Connected documents of a Jaccard index of at least `SIMILAR`."""
    first, second = _candidates(presence)
    common = np.asarray(presence[first].multiply(presence[second]).sum(axis=1)).ravel()
    sizes = np.diff(presence.indptr)
    similar = common >= SIMILAR * (sizes[first] + sizes[second] - common)
    similar &= np.minimum(sizes[first], sizes[second]) >= SHORT
    links = sparse.coo_matrix(
        (np.ones(int(similar.sum())), (first[similar], second[similar])),
        shape=(presence.shape[0],) * 2,
    )
    _, groups = sparse.csgraph.connected_components(links, directed=False)
    return np.asarray(groups, dtype=np.intp)


def _candidates(presence: sparse.csr_matrix) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs that share one of their rarest words, as all similar pairs do.

    Prefix filtering: Chaudhuri, Ganti, Kaushik (2006), ICDE. Words of more than 200 documents
    are no use as a key and are skipped.
    """
    frequency = np.asarray(presence.sum(axis=0)).ravel()
    rank = np.empty(len(frequency), dtype=np.int32)
    rank[np.argsort(frequency, kind="stable")] = np.arange(len(frequency))
    ranked = sparse.csr_matrix((presence.data, rank[presence.indices], presence.indptr))
    ranked.sort_indices()
    sizes = np.diff(ranked.indptr)
    place = np.arange(ranked.nnz) - np.repeat(ranked.indptr[:-1], sizes)
    length = sizes - np.ceil(SIMILAR * sizes).astype(int) + 1
    keep = place < np.repeat(length, sizes)
    keep &= np.sort(frequency, kind="stable")[ranked.indices] <= 200
    rows = np.repeat(np.arange(len(sizes)), sizes)[keep]
    shape = (len(sizes), len(frequency))
    keys = sparse.csr_matrix((np.ones(len(rows)), (rows, ranked.indices[keep])), shape=shape)
    pairs = sparse.triu(keys @ keys.T, k=1).tocoo()
    return pairs.row.astype(np.intp), pairs.col.astype(np.intp)
