"""What is known about a model right now: typed facts with a name, a value and a source."""

import math
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy.orm import Session

from core.agent import sources
from core.agent.fact_names import LABELS
from core.chain import canonical
from core.db import settings_of
from core.settings import Settings

LONGEST_TERM = 24
LONGEST_EXAMPLE = 60
MOST_TERMS = 20


@dataclass(frozen=True)
class Fact:
    """One thing that was read. Facts made of other people's words are shown, never `citable`."""

    id: str
    value: Any
    source: str
    at: str
    n: int | None = None
    interval: tuple[float, float] | None = None
    citable: bool = True

    @property
    def label(self) -> str:
        """The fact's name in words.

        >>> Fact("accuracy.n_labelled", 200, "", "").label
        'predictions with a known truth'
        """
        return LABELS.get(self.id, self.id.replace(".", ": ").replace("_", " "))


class FactBook:
    """The facts behind one decision. Only what really exists is in it."""

    def __init__(self, model: str, facts: list[Fact], release_seq: int = 0) -> None:
        self.model = model
        self.release_seq = release_seq
        self.recommendation = ""
        """The id that a proposal made from these facts will have: traces name it before it is."""
        self._facts = {fact.id: fact for fact in facts}

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts.values())

    def __contains__(self, fact_id: str) -> bool:
        return fact_id in self._facts

    def fact(self, fact_id: str) -> Fact | None:
        """Return a fact, or None."""
        return self._facts.get(fact_id)

    def get(self, fact_id: str) -> Any:  # noqa: ANN401
        """Return a fact's value, or None where nothing is known."""
        fact = self._facts.get(fact_id)
        return None if fact is None else fact.value

    def number(self, fact_id: str) -> float:
        """Return a number, or NaN where none is known: every comparison with NaN is false."""
        value = self.get(fact_id)
        return float(value) if isinstance(value, int | float) else math.nan

    def without(self, *fact_ids: str) -> "FactBook":
        """Return the book without some facts, to ask what the policy says apart from them."""
        facts = [fact for fact in self if fact.id not in fact_ids]
        return FactBook(self.model, facts, self.release_seq)

    def plain(self) -> list[dict[str, Any]]:
        """Plain values, ready for JSON."""
        return [asdict(fact) for fact in self]

    def digest(self) -> str:
        """Return the SHA-256 of the facts."""
        return sha256(canonical({"model": self.model, "facts": self.plain()})).hexdigest()

    @classmethod
    def from_plain(
        cls, model: str, facts: list[Mapping[str, Any]], release_seq: int = 0
    ) -> "FactBook":
        """Return the book that `plain` wrote down, for a replay."""
        pairs = [dict(fact) for fact in facts]
        for fact in pairs:
            low_high = fact.get("interval")
            fact["interval"] = tuple(low_high) if low_high else None
        return cls(model, [Fact(**fact) for fact in pairs], release_seq)


def gather(
    session: Session,
    model: str,
    *,
    now: datetime,
    settings: Settings | None = None,
    wanted: Collection[str] | None = None,
) -> FactBook:
    """Read facts about `model` from the tables: all, or until those that are `wanted` are read.

    `settings`: the process's own unless given.
    """
    scope = sources.scope(session, model, now, settings or settings_of(session))
    found: list[Fact] = []
    missing = set(wanted or ())
    for item in (item for source in sources.SOURCES for item in source(scope)):
        if _known(item.value):
            found.append(_fact(item, now))
            missing.discard(item.id)
        if wanted is not None and not missing:
            break
    return FactBook(model, found, scope.release.seq if scope.release else 0)


def _fact(item: sources.Item, now: datetime) -> Fact:
    return Fact(
        id=item.id,
        value=_readable(item.value) if item.foreign else _plain(item.value),
        source=item.source,
        at=(item.at or now).isoformat(),
        n=item.n,
        interval=item.interval,
        citable=not item.foreign,
    )


def _known(value: object) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _plain(value: Any) -> Any:  # noqa: ANN401
    return round(value, 6) if isinstance(value, float) else value


def _readable(value: Any) -> Any:  # noqa: ANN401
    """Return words, or at most 20 rows of words and figures, short and without anything hidden."""
    if isinstance(value, str):
        return safe_words(value, LONGEST_EXAMPLE)
    rows = [row for row in list(value)[:MOST_TERMS] if isinstance(row, Mapping)]
    return [{str(name): _shown(str(name), one) for name, one in row.items()} for row in rows]


def _shown(name: str, value: Any) -> Any:  # noqa: ANN401
    longest = LONGEST_EXAMPLE if name == "example" else LONGEST_TERM
    return safe_words(value, longest) if isinstance(value, str) else _plain(value)


def safe_words(text: str, longest: int = LONGEST_TERM) -> str:
    """Return a stranger's words so that they can only be read: normalised, visible, short.

    >>> safe_words("ﬁne" + chr(0x200b) + chr(7) + "!" * 30)
    'fine!!!!!!!!!!!!!!!!!!!!'
    """
    normal = unicodedata.normalize("NFKC", text)
    visible = "".join(c for c in normal if not unicodedata.category(c).startswith("C"))
    return visible[:longest]
