"""Two windows of texts made ready to be compared: sampled, cut to a length, freed of copies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInputError
from core.monitoring import tokens
from core.monitoring.limits import LONGEST_TEXT, MOST_ROWS
from core.monitoring.tokens import Corpus

Array = NDArray[np.float64]

MOST_CHARACTERS = 10_000_000
FEWEST_TEXTS = 10

REPEATED = 1.5
"""A window whose longer texts come so many times each repeats its short ones too."""

_MOST_WORDS = 20_000


@dataclass(frozen=True)
class Pool:
    """The texts that are read, reference first; `cut_at` is where long ones end, if any was cut."""

    texts: list[str]
    n_reference: int
    cut_at: int | None

    @property
    def n_current(self) -> int:
        """Texts of the current window."""
        return len(self.texts) - self.n_reference


@dataclass(frozen=True)
class Windows:
    """Texts that take part, reference first, and the words that occur in at least two of them.

    `campaign` counts the copies of each, left out here, that belong to a campaign.
    """

    texts: list[str]
    corpus: Corpus
    n_reference: int
    campaign: Array

    @property
    def n_current(self) -> int:
        """Texts of the current window."""
        return len(self.texts) - self.n_reference


def pooled(
    reference: Sequence[object], current: Sequence[object], rng: np.random.Generator
) -> Pool:
    """Take at most 5,000 texts of each window; what is no text counts as an empty one.

    Long texts are cut at 10,000 characters, or where ten million in all are reached: at one
    length for both windows, and so that a few texts of a megabyte bound the work.
    Raises: InvalidInputError (an empty window).

    >>> pool = pooled(["a" * 10**6, None], ["b"], np.random.default_rng(0))
    >>> [len(text) for text in pool.texts], pool.cut_at
    ([10000, 0, 1], 10000)
    """
    first = _sample(reference, rng)
    texts = first + _sample(current, rng)
    lengths = np.array([len(text) for text in texts])
    longest = LONGEST_TEXT
    if np.minimum(lengths, longest).sum() > MOST_CHARACTERS:
        longest = MOST_CHARACTERS // len(texts)
    cut_at = longest if lengths.max() > longest else None
    return Pool([text[:longest] for text in texts], len(first), cut_at)


def _sample(texts: Sequence[object], rng: np.random.Generator) -> list[str]:
    if len(texts) == 0:
        raise InvalidInputError("Both windows need at least one text to compare.")
    picked = np.sort(rng.permutation(len(texts))[:MOST_ROWS])
    return [text if isinstance(text := texts[i], str) else "" for i in picked.tolist()]


def without_copies(
    pool: Pool, corpus: Corpus, members: NDArray[np.bool_], rng: np.random.Generator
) -> Windows:
    """Keep one text, picked at random, of each group of copies in the pooled windows.

    `members` marks the texts that belong to a campaign.

    Picked at random over both windows, the kept copy's window is exchangeable under the null.
    Where that would empty a window, one of each group stays in both.
    """
    texts, n_reference = pool.texts, pool.n_reference
    groups = tokens.copy_groups(corpus.counts)
    order = rng.permutation(len(texts))
    apart = order[np.isin(order, _thinned(pool, groups, corpus))]
    kept = _first_of_each(groups, apart)
    if int((kept < n_reference).sum()) in (0, len(kept)):
        current = np.arange(len(texts)) >= n_reference
        kept = _first_of_each(groups + current * (groups.max() + 1), apart)
    sent = np.bincount(groups[members], minlength=groups.max() + 1)[groups[kept]]
    counts = corpus.counts[kept]
    documents = np.asarray((counts > 0).sum(axis=0)).ravel()
    common = np.argsort(-documents, kind="stable")[:_MOST_WORDS]
    common = np.sort(common[documents[common] >= 2])
    return Windows(
        texts=[texts[row] for row in kept.tolist()],
        corpus=Corpus(counts[:, common], tuple(corpus.words[column] for column in common.tolist())),
        n_reference=int((kept < n_reference).sum()),
        campaign=np.maximum(0.0, sent - 1.0),
    )


def _thinned(pool: Pool, groups: NDArray[np.intp], corpus: Corpus) -> NDArray[np.intp]:
    """Rows without the short texts that are repeated as the longer ones of their window are.

    Short texts coincide by chance and are no copies, unless everything is sent again and again.
    """
    long = np.asarray((corpus.counts > 0).sum(axis=1)).ravel() >= tokens.SHORT
    rows = np.arange(len(pool.texts))
    kept = [rows[long]]
    for side in (rows < pool.n_reference, rows >= pool.n_reference):
        times = (side & long).sum() / max(1, len(np.unique(groups[side & long])))
        short = rows[side & ~long]
        if times >= REPEATED and len(short):
            _, same = np.unique([pool.texts[row] for row in short], return_inverse=True)
            order = np.argsort(same, kind="stable")
            first = np.searchsorted(same[order], same[order])
            short = short[order[(np.arange(len(order)) - first) % np.floor(times) == 0]]
        kept.append(short)
    return np.sort(np.concatenate(kept))


def _first_of_each(groups: NDArray[np.intp], order: NDArray[np.intp]) -> NDArray[np.intp]:
    _, first = np.unique(groups[order], return_index=True)
    return np.asarray(np.sort(order[first]), dtype=np.intp)


def too_few(windows: Windows, copies: tuple[int, int]) -> str:
    """Say which window holds too few different texts to be compared, or nothing."""
    sides = (("reference", windows.n_reference), ("current window", windows.n_current))
    for (name, n), dropped in zip(sides, copies, strict=True):
        if n < FEWEST_TEXTS:
            rest = f"; {dropped:,} others are copies of them" if dropped else ""
            return (
                f"The {name} holds {n} different text{'s' * (n != 1)}{rest}: "
                f"at least {FEWEST_TEXTS} are needed to compare."
            )
    return ""
