"""Have the texts changed? One calibrated answer, a size that is the same at every n, new words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import xlogy

from core.errors import InvalidInputError
from core.monitoring import labels as safe
from core.monitoring import tokens
from core.monitoring.tokens import Corpus
from core.statistics import permutation

Array = NDArray[np.float64]

THRESHOLD = 0.15
MOST_TEXTS = 5_000
MOST_TERMS = 20
LONGEST_EXAMPLE = 80

_MOST_WORDS = 20_000
_CHUNK = 200


@dataclass(frozen=True)
class Term:
    """A word whose share of texts changed beyond chance, with one text that holds it."""

    term: str
    share_reference: float
    share_current: float
    p_value: float
    example: str


@dataclass(frozen=True)
class TextDrift:
    """The comparison of two windows of texts.

    `vocabulary_drift` and `tfidf_drift` are debiased distances (0...1), 0 when p > alpha; `score`
    is the larger. `drift_detected` says that the test alarms, `threshold` what size is urgent.
    `families["text"]` is standard normal while nothing changes.
    """

    p_value: float
    alpha: float
    score: float
    vocabulary_drift: float
    tfidf_drift: float
    drift_detected: bool
    threshold: float
    new_terms: tuple[Term, ...]
    vanished_terms: tuple[Term, ...]
    families: dict[str, float]
    n_reference: int
    n_current: int
    copies_reference: int
    copies_current: int
    method: str
    assumptions: tuple[str, ...]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Windows:
    """Texts that take part, reference first, and the words that occur in at least two of them."""

    texts: list[str]
    corpus: Corpus
    n_reference: int

    @property
    def n_current(self) -> int:
        return len(self.texts) - self.n_reference


def compare(
    reference_texts: Sequence[str],
    current_texts: Sequence[str],
    *,
    alpha: float = 0.01,
    permutations: int = 999,
    seed: int = 0,
) -> TextDrift:
    """Compare two windows of texts by shuffling whole documents.

    Three statistics share the shuffles: Jensen-Shannon divergence of which words are present, the
    same on TF-IDF mass, and the strongest likelihood ratio of a single word; the global p is
    Westfall-Young's. Copies and near-copies count once. At most 5,000 texts of each window.
    Raises: InvalidInputError (an empty window, alpha too small for the permutations).

    >>> before = ["see you soon", "at home now", "call me"] * 20
    >>> result = compare(before, ["claim a prize"] * 5 + before[:15])
    >>> result.drift_detected, result.new_terms[0].term
    (True, 'claim')
    """
    permutation.check_permutations(permutations, alpha)
    rng = np.random.default_rng(seed)
    reference, current = _sample(reference_texts, rng), _sample(current_texts, rng)
    windows = _without_copies(reference, current, rng)
    labels = permutation.shuffled_labels(
        windows.n_reference, windows.n_current, permutations=permutations, rng=rng
    )
    statistics = _statistics(windows, labels)
    p_value = permutation.minp(permutation.exchangeable_z(statistics))
    distances = permutation.debiased_distance(statistics[:, :2]) * (p_value <= alpha)
    new, vanished = _terms(windows, alpha=alpha) if p_value <= alpha else ((), ())
    copies_reference = len(reference) - windows.n_reference
    copies_current = len(current) - windows.n_current
    return TextDrift(
        p_value=p_value,
        alpha=alpha,
        score=float(distances.max()),
        vocabulary_drift=float(distances[0]),
        tfidf_drift=float(distances[1]),
        drift_detected=p_value <= alpha,
        threshold=THRESHOLD,
        new_terms=new,
        vanished_terms=vanished,
        families={"text": permutation.observed_z(statistics)},
        n_reference=windows.n_reference,
        n_current=windows.n_current,
        copies_reference=copies_reference,
        copies_current=copies_current,
        method=f"{permutations} permutations of documents, Westfall-Young minP; "
        "distances: debiased Jensen-Shannon; terms: hypergeometric test, Benjamini-Hochberg",
        assumptions=(
            "Texts are independent of each other; copies and near-copies were counted once.",
            f"At most {MOST_TEXTS:,} texts of each window are compared, picked at random.",
        ),
        sentence=_sentence(windows, p_value, alpha, float(distances.max()), new)
        + _about_copies(copies_current, len(current)),
    )


def _sample(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    if len(texts) == 0:
        raise InvalidInputError("Both windows need at least one text to compare.")
    picked = np.sort(rng.permutation(len(texts))[:MOST_TEXTS])
    return [text if isinstance(text := texts[i], str) else "" for i in picked.tolist()]


def _without_copies(reference: list[str], current: list[str], rng: np.random.Generator) -> _Windows:
    """Keep one text, picked at random, of each group of copies in the pooled windows.

    Picked at random over both windows, the kept copy's window is exchangeable under the null.
    Where that would empty a window, everything stays.
    """
    texts = [*reference, *current]
    corpus = tokens.corpus(texts)
    order = rng.permutation(len(texts))
    _, first = np.unique(tokens.copy_groups(corpus.counts)[order], return_index=True)
    kept = np.sort(order[first])
    n_reference = int((kept < len(reference)).sum())
    if n_reference in (0, len(kept)):
        kept, n_reference = np.arange(len(texts)), len(reference)
    counts = corpus.counts[kept]
    documents = np.asarray((counts > 0).sum(axis=0)).ravel()
    common = np.argsort(-documents, kind="stable")[:_MOST_WORDS]
    common = np.sort(common[documents[common] >= 2])
    words = tuple(corpus.words[column] for column in common.tolist())
    return _Windows(
        [texts[row] for row in kept.tolist()], Corpus(counts[:, common], words), n_reference
    )


def _statistics(windows: _Windows, labels: NDArray[np.float32]) -> Array:
    """Shape (1 + permutations, 3): divergence of presence, of TF-IDF mass, strongest word."""
    presence = (windows.corpus.counts > 0).astype(np.float32).tocsr()
    weights = _tfidf(windows.corpus.counts, presence)
    share = windows.n_current / len(windows.texts)
    parts = []
    for start in range(0, len(labels), _CHUNK):
        chunk = labels[start : start + _CHUNK].T
        parts.append(
            np.column_stack(
                [
                    _divergence(presence, chunk),
                    _divergence(weights, chunk),
                    _strongest_word(presence, chunk, share),
                ]
            )
        )
    return np.vstack(parts)


def _tfidf(counts: sparse.csr_matrix, presence: sparse.csr_matrix) -> sparse.csr_matrix:
    """Smoothed TF-IDF with documents of unit length; the idf is pooled, so labels play no part."""
    documents = np.asarray(presence.sum(axis=0)).ravel()
    idf = np.log((1 + counts.shape[0]) / (1 + documents)) + 1
    weights = counts @ sparse.diags(idf)
    lengths = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
    unit = sparse.diags(1 / np.maximum(lengths, 1e-12)) @ weights
    return unit.astype(np.float32).tocsr()


def _divergence(matrix: sparse.csr_matrix, labels: NDArray[np.float32]) -> Array:
    """Jensen-Shannon divergence (bits) of word mass between the windows, per shuffle."""
    current = (matrix.T @ labels).T.astype(np.float64)
    total = np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()
    rest = np.maximum(total - current, 0.0)
    return permutation.jensen_shannon(
        current / np.maximum(current.sum(axis=1, keepdims=True), 1e-12),
        rest / np.maximum(rest.sum(axis=1, keepdims=True), 1e-12),
    )


def _strongest_word(
    presence: sparse.csr_matrix, labels: NDArray[np.float32], share: float
) -> Array:
    """Largest log-likelihood ratio of a word found more often in the current window."""
    if presence.shape[1] == 0:
        return np.zeros(labels.shape[1])
    current = (presence.T @ labels).T.astype(np.float64)
    total = np.asarray(presence.sum(axis=0), dtype=np.float64).ravel()
    rest = total - current
    ratio = xlogy(current, current / (total * share)) + xlogy(rest, rest / (total * (1 - share)))
    return np.asarray(np.where(current > total * share, ratio, 0.0).max(axis=1))


def _terms(windows: _Windows, *, alpha: float) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Words more, and less, frequent than chance allows: hypergeometric tests, BH over words."""
    from scipy.stats import false_discovery_control, hypergeom  # slow to import

    presence = (windows.corpus.counts > 0).tocsc()
    total = np.asarray(presence.sum(axis=0)).ravel()
    current = np.asarray(presence[windows.n_reference :].sum(axis=0)).ravel()
    if not len(total):
        return (), ()
    n, drawn = len(windows.texts), windows.n_current
    found = []
    for p, place in (
        (hypergeom.sf(current - 1, n, total, drawn), -1),
        (hypergeom.cdf(current, n, total, drawn), 0),
    ):
        p_values = np.clip(p, 0.0, 1.0)
        listed = np.flatnonzero(false_discovery_control(p_values) <= alpha)
        order = listed[np.argsort(p_values[listed], kind="stable")][:MOST_TERMS]
        found.append(
            tuple(
                _term(windows, presence, int(word), float(p_values[word]), place)
                for word in order.tolist()
            )
        )
    return found[0], found[1]


def _term(
    windows: _Windows, presence: sparse.csc_matrix, word: int, p_value: float, place: int
) -> Term:
    """`place` -1 takes the newest text that holds the word as example, 0 the oldest."""
    rows = np.sort(presence.indices[presence.indptr[word] : presence.indptr[word + 1]])
    before = int((rows < windows.n_reference).sum())
    return Term(
        term=safe.short(windows.corpus.words[word]),
        share_reference=before / windows.n_reference,
        share_current=(len(rows) - before) / windows.n_current,
        p_value=p_value,
        example=safe.short(windows.texts[rows[place]], LONGEST_EXAMPLE),
    )


def _sentence(
    windows: _Windows, p_value: float, alpha: float, score: float, new: tuple[Term, ...]
) -> str:
    figures = f" p = {p_value:.3g}, {windows.n_current:,} texts against {windows.n_reference:,}."
    if p_value > alpha:
        return "No drift." + figures
    words = ", ".join(f"'{term.term}'" for term in new[:3])
    return f"Drift of size {score:.2f}{': more of ' + words if words else ''}." + figures


def _about_copies(copies: int, n: int) -> str:
    if copies < 0.1 * n:
        return ""
    return f" {copies:,} of {n:,} current texts were copies of others and counted once."
