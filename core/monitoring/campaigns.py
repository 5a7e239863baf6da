"""Campaigns: groups of near-copies that are new, judged by exact counting.

Near-copies are taken out before the permutation test, for they are not independent texts; that
test is therefore blind to a campaign of nothing but copies. Which texts belong together is decided
without a look at the windows, so while nothing changes every group falls on the windows like cards
that are dealt: how many of its texts land in the current one is hypergeometric, exactly. Bonferroni
over the groups, no approximation.

What exact counting cannot know is a client that sends everything twice. Where other new texts come
repeated too, a group counts for as many times less.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from core.monitoring import labels as safe
from core.monitoring import tokens
from core.monitoring.tokens import Corpus

FEWEST = 5
"""Texts that a campaign has at least."""

TIMES_MORE = 10
"""A group is new where its share of the current texts is so many times that of the reference."""

MOST_SHOWN = 10
MOST_TERMS = 5
LONGEST_EXAMPLE = 80

Groups = NDArray[np.intp]


@dataclass(frozen=True)
class Campaign:
    """Near-copies among the current texts: how many, their share, one of them, their new words."""

    size: int
    share: float
    share_reference: float
    p_value: float
    example: str
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """The campaigns with a p of at most the level, the least p of all, and who belongs to them.

    `p_value` is Bonferroni's over the groups; `members` marks the pooled texts.
    """

    p_value: float
    campaigns: tuple[Campaign, ...]
    members: NDArray[np.bool_]


def find(corpus: Corpus, texts: Sequence[str], *, n_reference: int, level: float) -> Found:
    """Find the new groups of near-copies in pooled texts, the reference first.

    >>> texts = [f"letter number {i} of {'abcdefghijklm'[i % 13] * 3}" for i in range(300)]
    >>> spam = [f"hello {n}, claim your prize today" for n in ("ann", "bob", "cy", "dee", "eve")]
    >>> pooled = texts + spam
    >>> found = find(tokens.corpus(pooled), pooled, n_reference=250, level=0.05)
    >>> found.campaigns[0].size, found.campaigns[0].terms[:2]
    (5, ('hello', 'claim'))
    """
    groups = tokens.template_groups(corpus)
    is_current = np.arange(len(texts)) >= n_reference
    current, reference = (
        np.bincount(groups[part], minlength=groups.max() + 1) for part in (is_current, ~is_current)
    )
    n = len(texts) - n_reference
    large = np.flatnonzero(current + reference >= FEWEST)
    grown = current[large] * n_reference >= TIMES_MORE * reference[large] * n
    new = large[grown & (current[large] >= FEWEST) & (current[large] < n)]
    if not len(new):
        return Found(1.0, (), np.zeros(len(texts), dtype=bool))
    repeated = _repetition(texts, groups, is_current, reference, new)
    p_values = _chance(current[new], reference[new], repeated, n=n, total=len(texts))
    p_values = np.minimum(1.0, p_values * len(large))
    listed = [place for place in np.argsort(p_values, kind="stable") if p_values[place] <= level]
    told = tuple(
        _campaign(corpus, texts, groups == new[place], n_reference, float(p_values[place]))
        for place in listed[:MOST_SHOWN]
    )
    return Found(float(p_values.min()), told, np.isin(groups, new[listed]) & is_current)


def _chance(
    current: Groups, reference: Groups, repeated: NDArray[np.float64], *, n: int, total: int
) -> NDArray[np.float64]:
    """Chance that so many texts of a group, or more, are dealt to the current window."""
    from scipy.stats import hypergeom  # slow to import

    times = np.floor(current / repeated)
    size = times + np.ceil(reference / repeated)
    return np.asarray(hypergeom.sf(times - 1, total, size, n))


def _repetition(
    texts: Sequence[str],
    groups: Groups,
    is_current: NDArray[np.bool_],
    reference: Groups,
    new: Groups,
) -> NDArray[np.float64]:
    """How often the other texts that are new here come on average, word for word, per group."""
    known = {text for text, now in zip(texts, is_current, strict=True) if not now}
    rows = [
        row
        for row in np.flatnonzero(is_current & (reference[groups] == 0)).tolist()
        if texts[row] not in known
    ]
    owner = {texts[row]: int(groups[row]) for row in rows}
    sent = np.bincount(groups[rows], minlength=len(reference)) if rows else reference * 0
    different = np.bincount(list(owner.values()), minlength=len(reference)) if rows else sent
    others = len(rows) - sent[new], len(owner) - different[new]
    return np.maximum(1.0, others[0] / np.maximum(1, others[1]))


def _campaign(
    corpus: Corpus,
    texts: Sequence[str],
    member: NDArray[np.bool_],
    n_reference: int,
    p_value: float,
) -> Campaign:
    rows = np.flatnonzero(member)
    current = rows[rows >= n_reference]
    return Campaign(
        size=len(current),
        share=len(current) / (len(texts) - n_reference),
        share_reference=(len(rows) - len(current)) / n_reference,
        p_value=p_value,
        example=safe.short(texts[current[-1]], LONGEST_EXAMPLE),
        terms=_terms(corpus, current, n_reference),
    )


def _terms(corpus: Corpus, rows: Groups, n_reference: int) -> tuple[str, ...]:
    """Words in at least half of a campaign's texts, those the reference has least of first."""
    inside = _documents(corpus.counts[rows]) / len(rows)
    usual = _documents(corpus.counts[:n_reference]) / n_reference
    common = np.flatnonzero((inside >= 0.5) & (inside >= TIMES_MORE * usual))
    order = sorted(common.tolist(), key=lambda word: (usual[word], -inside[word]))
    words = (safe.short(corpus.words[word]) for word in order)
    return tuple(word for word in words if word[0] != "#")[:MOST_TERMS]


def _documents(counts: sparse.csr_matrix) -> NDArray[np.float64]:
    return np.asarray((counts > 0).sum(axis=0), dtype=np.float64).ravel()
