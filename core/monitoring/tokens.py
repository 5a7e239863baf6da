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

OF_ONE_TEMPLATE = 0.6
"""Texts made from one template share so many of their words: all but names and numbers."""

LONGEST_WORD = 64

_MOST_PAIRS = 1_000_000  # looked at by prefix; the words that many texts share give way
_CHUNK = 20_000
_BANDS, _ROWS = 24, 3  # of MinHash: finds 99.6 % of pairs at a Jaccard index of .6

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
    words = ["#" * min(12, len(word)) if word.isdigit() else word for word in found]
    return [word[:LONGEST_WORD] for word in words] or [EMPTY]


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
    return _connected(presence, *_candidates(presence), similar=SIMILAR)


def template_groups(corpus: Corpus) -> NDArray[np.intp]:
    """One group number per document; texts that differ in numbers and a few words share it.

    Groups are documents connected by a Jaccard index of words of at least .6, found among the
    pairs that MinHash proposes (Broder 1997): each with the first and the next of its bucket, so
    that the work grows with the number of documents only.
    """
    words = [j for j, word in enumerate(corpus.words) if word[0] != "#" and word != EMPTY]
    presence = (corpus.counts[:, words] > 0).astype(np.float32).tocsr()
    presence.sort_indices()
    exact = _exact_groups(presence)
    _, first = np.unique(exact, return_index=True)
    unique = presence[first]
    groups = _connected(unique, *_proposed(unique), similar=OF_ONE_TEMPLATE)
    return np.asarray(groups[exact], dtype=np.intp)


def _proposed(presence: sparse.csr_matrix) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs that agree in a band of their MinHash signatures."""
    rows = np.flatnonzero(np.diff(presence.indptr) >= SHORT)
    if not len(rows):
        return rows, rows
    kept = presence[rows]
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(_BANDS):
        key = np.zeros(len(rows), dtype=np.uint64)
        for _ in range(_ROWS):
            hashed = rng.permutation(presence.shape[1]).astype(np.uint64)
            least = np.minimum.reduceat(hashed[kept.indices], kept.indptr[:-1])
            key = key * np.uint64(presence.shape[1] + 1) + least
        order = np.argsort(key, kind="stable")
        same = np.flatnonzero(key[order][1:] == key[order][:-1])
        _, first, bucket = np.unique(key, return_index=True, return_inverse=True)
        others = order[same + 1]
        pairs += [(order[same], others), (first[bucket[others]], others)]
    both = np.unique(np.concatenate([np.column_stack(pair) for pair in pairs]), axis=0)
    return rows[both[:, 0]], rows[both[:, 1]]


def _connected(
    presence: sparse.csr_matrix,
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    *,
    similar: float,
) -> NDArray[np.intp]:
    """Group documents by those of the pairs whose Jaccard index is at least `similar`."""
    sizes = np.diff(presence.indptr)
    linked = np.zeros(len(first), dtype=bool)
    for start in range(0, len(first), _CHUNK):
        a, b = first[start : start + _CHUNK], second[start : start + _CHUNK]
        common = np.asarray(presence[a].multiply(presence[b]).sum(axis=1)).ravel()
        linked[start : start + _CHUNK] = common >= similar * (sizes[a] + sizes[b] - common)
    linked &= np.minimum(sizes[first], sizes[second]) >= SHORT
    links = sparse.coo_matrix(
        (np.ones(int(linked.sum())), (first[linked], second[linked])),
        shape=(presence.shape[0],) * 2,
    )
    _, groups = sparse.csgraph.connected_components(links, directed=False)
    return np.asarray(groups, dtype=np.intp)


def _candidates(presence: sparse.csr_matrix) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs that share one of their rarest words, as all similar pairs do.

    Prefix filtering: Chaudhuri, Ganti, Kaushik (2006), ICDE. Words of more than 200 documents
    are no use as a key and are skipped, and fewer where those would give too many pairs.
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
    used = np.bincount(ranked.indices[keep], minlength=len(frequency))
    keep &= (np.sort(frequency, kind="stable") <= 200)[ranked.indices]
    keep &= (np.cumsum(used.astype(np.float64) ** 2) <= _MOST_PAIRS)[ranked.indices]
    rows = np.repeat(np.arange(len(sizes)), sizes)[keep]
    shape = (len(sizes), len(frequency))
    keys = sparse.csr_matrix((np.ones(len(rows)), (rows, ranked.indices[keep])), shape=shape)
    pairs = sparse.triu(keys @ keys.T, k=1).tocoo()
    return pairs.row.astype(np.intp), pairs.col.astype(np.intp)
