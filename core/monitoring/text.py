"""Have the texts changed? One calibrated answer, a size that is the same at every n, new words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import ndtri, xlogy

from core.monitoring import campaigns, documents, tokens
from core.monitoring import labels as safe
from core.monitoring.campaigns import Campaign, Found
from core.monitoring.documents import Pool, Windows
from core.monitoring.limits import MOST_ROWS
from core.monitoring.sequential import Evidence
from core.statistics import permutation
from core.statistics.permutation import LARGEST_Z

Array = NDArray[np.float64]

THRESHOLD = 0.15
MOST_TERMS = 20
LONGEST_EXAMPLE = 80

CAMPAIGN_SHARE = 0.1
"""Of the error allowed: so much for campaigns, the rest for the permutation test (Bonferroni)."""

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
    `families["text"]` is standard normal while nothing changes. `campaigns` are groups of
    near-copies that are new. `inconclusive` says why nothing can be concluded, "" where it can.
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
    campaigns: tuple[Campaign, ...]
    families: dict[str, float]
    n_reference: int
    n_current: int
    copies_reference: int
    copies_current: int
    method: str
    assumptions: tuple[str, ...]
    sentence: str
    inconclusive: str = ""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What one check adds to what is followed from check to check."""
        if self.inconclusive:
            return ()
        return tuple(Evidence(family, "", z) for family, z in self.families.items())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def compare(
    reference_texts: Sequence[str],
    current_texts: Sequence[str],
    *,
    alpha: float = 0.01,
    permutations: int | None = None,
    seed: int = 0,
) -> TextDrift:
    """Compare two windows of texts by shuffling whole documents.

    Three statistics share the shuffles: Jensen-Shannon divergence of which words are present, the
    same on TF-IDF mass, and the strongest likelihood ratio of a single word; their p is
    Westfall-Young's. Copies and near-copies count once there; groups of them that are new have an
    exact test of their own, to which a tenth of the error goes. At most 5,000 texts of each
    window, and the first characters of long ones, are read. There are 999 `permutations`, or as
    many as `alpha` needs.
    Raises: InvalidInputError (an empty window, alpha too small for the permutations).

    >>> before = ["see you soon", "at home now", "call me"] * 20
    >>> result = compare(before, ["claim a prize"] * 5 + before[:15])
    >>> result.drift_detected, result.new_terms[0].term
    (True, 'claim')
    """
    permutations = permutation.enough(alpha * (1 - CAMPAIGN_SHARE), permutations)
    rng = np.random.default_rng(seed)
    pool = documents.pooled(reference_texts, current_texts, rng)
    corpus = tokens.corpus(pool.texts)
    level = alpha * CAMPAIGN_SHARE
    found = campaigns.find(corpus, pool.texts, n_reference=pool.n_reference, level=level)
    windows = documents.without_copies(pool, corpus, found.members, rng)
    copies = pool.n_reference - windows.n_reference, pool.n_current - windows.n_current
    labels = permutation.shuffled_labels(
        windows.n_reference, windows.n_current, permutations=permutations, rng=rng
    )
    statistics = _statistics(windows, labels)
    judged = _judged(windows, found, statistics, alpha=alpha)
    inconclusive = "" if found.campaigns else documents.too_few(windows, copies)
    if inconclusive:
        judged = _Judged(1.0, np.zeros(2), 0.0)
    drifted = judged.p_value <= alpha
    new, vanished = _terms(windows, alpha=alpha) if drifted else ((), ())
    return TextDrift(
        p_value=judged.p_value,
        alpha=alpha,
        score=float(judged.distances.max()),
        vocabulary_drift=float(judged.distances[0]),
        tfidf_drift=float(judged.distances[1]),
        drift_detected=drifted,
        threshold=THRESHOLD,
        new_terms=new,
        vanished_terms=vanished,
        campaigns=found.campaigns,
        families={"text": judged.z},
        n_reference=windows.n_reference,
        n_current=windows.n_current,
        copies_reference=copies[0],
        copies_current=copies[1],
        method=f"{permutations} permutations of documents, Westfall-Young minP; campaigns: "
        "hypergeometric, Bonferroni; distances: debiased Jensen-Shannon; terms: hypergeometric "
        "test, Benjamini-Hochberg",
        assumptions=_assumptions(pool),
        sentence=inconclusive
        or _sentence(windows, judged, alpha, new, found.campaigns)
        + _about_copies(copies[1], pool.n_current),
        inconclusive=inconclusive,
    )


@dataclass(frozen=True)
class _Judged:
    """The joint p, both distances (0 where it exceeds alpha), and the score to follow."""

    p_value: float
    distances: Array
    z: float


def _judged(windows: Windows, found: Found, statistics: Array, *, alpha: float) -> _Judged:
    """Join the permutation test and the count of campaigns, each with its part of the error.

    The score to follow is the permutation's, or that of the campaigns where it is larger: the
    chance to exceed any value is then at most 1 + `CAMPAIGN_SHARE` times that of a standard normal.
    """
    permuted = permutation.minp(permutation.exchangeable_z(statistics))
    by_campaign = found.p_value / CAMPAIGN_SHARE
    p_value = min(1.0, permuted / (1 - CAMPAIGN_SHARE), by_campaign)
    divergences = statistics[:, :2]
    if found.campaigns:  # the copies of a campaign are part of how large the change is
        divergences = np.vstack([_as_sent(windows), divergences[1:]])
    distances = permutation.debiased_distance(divergences) * (p_value <= alpha)
    z_campaign = float(np.clip(-ndtri(min(1.0, max(by_campaign, 1e-300))), -np.inf, LARGEST_Z))
    return _Judged(p_value, distances, max(permutation.observed_z(statistics), z_campaign))


def _as_sent(windows: Windows) -> Array:
    """Both divergences with every copy that a campaign sent, shape (1, 2)."""
    presence = (windows.corpus.counts > 0).astype(np.float32).tocsr()
    is_current = (np.arange(len(windows.texts)) >= windows.n_reference).astype(np.float64)
    weights = is_current * (1 + windows.campaign)
    parts = []
    for matrix in (presence, _tfidf(windows.corpus.counts, presence)):
        current, rest = matrix.T @ weights, matrix.T @ (1 - is_current)
        parts.append(
            permutation.jensen_shannon(
                current / max(current.sum(), 1e-12), rest / max(rest.sum(), 1e-12)
            )
        )
    return np.array([parts], dtype=np.float64)


def _assumptions(pool: Pool) -> tuple[str, ...]:
    always = (
        "Texts are independent of each other; copies and near-copies were counted once, but for "
        "the count of campaigns.",
        f"At most {MOST_ROWS:,} texts of each window are compared, picked at random.",
    )
    if pool.cut_at is None:
        return always
    return (*always, f"Of long texts the first {pool.cut_at:,} characters were read.")


def _statistics(windows: Windows, labels: NDArray[np.float32]) -> Array:
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


def _terms(windows: Windows, *, alpha: float) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
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
    windows: Windows, presence: sparse.csc_matrix, word: int, p_value: float, place: int
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
    windows: Windows,
    judged: _Judged,
    alpha: float,
    new: tuple[Term, ...],
    found: tuple[Campaign, ...],
) -> str:
    figures = (
        f" p = {judged.p_value:.3g}, {windows.n_current:,} texts against {windows.n_reference:,}."
    )
    if judged.p_value > alpha:
        return "No drift." + figures
    words = ", ".join(f"'{term.term}'" for term in new[:3])
    size = f"Drift of size {judged.distances.max():.2f}{': more of ' + words if words else ''}."
    return size + _about_campaigns(found) + figures


def _about_campaigns(found: tuple[Campaign, ...]) -> str:
    if not found:
        return ""
    first, more = found[0], len(found) - 1
    others = f", and {more} more" if more else ""
    return (
        f" A new campaign{others}: {first.size:,} near-copies, {first.share:.1%} of the texts, "
        f"such as '{first.example}'."
    )


def _about_copies(copies: int, n: int) -> str:
    if copies < 0.1 * n:
        return ""
    return f" {copies:,} of {n:,} current texts were copies of others and counted once."
