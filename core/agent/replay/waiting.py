"""What would wait in the inbox of a replay, as far as it is not what waited in the real one."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.agent.facts import Fact, FactBook
from core.recommendations import LIFETIME

PENDING = "pending_approval"


class Waiting:
    """Corrects the fact about waiting proposals, once a replay has decided otherwise.

    A proposal that it would not have made does not wait; one that only it would have made waits
    until it lapses: whether people would have decided before is not known.
    """

    def __init__(self) -> None:
        self._gone: set[str] = set()
        self._severity: dict[str, str] = {}
        self._own: dict[tuple[str, str], tuple[datetime, dict[str, Any]]] = {}

    def seen(self, book: FactBook, at: datetime) -> FactBook:
        """Return the facts as the replay would have read them."""
        live = [row for row in book.get(PENDING) or () if isinstance(row, Mapping)]
        rows = [self._as_replayed(row) for row in live if str(row.get("id")) not in self._gone]
        own = ((name, *one) for (name, _), one in self._own.items())
        mine = [row for name, until, row in own if name == book.model and until > at]
        if rows + mine == live:
            return book
        before = book.fact(PENDING)
        facts = [fact for fact in book if fact.id != PENDING]
        if rows + mine:
            known = before or Fact(PENDING, None, "/inbox", at.isoformat())
            facts.append(replace(known, value=rows + mine))
        return FactBook(book.model, facts, book.release_seq)

    def decided(
        self,
        model: str,
        at: datetime,
        live: Mapping[str, Any],
        mine: Mapping[str, Any],
        proposal: str | None,
    ) -> None:
        """Note what was proposed really (as `proposal`) and what the replay proposes instead."""
        before, after = _kinds(live["actions"]), _kinds(mine["actions"])
        if proposal and before and before[0] not in after:
            self._gone.add(proposal)
        elif proposal and before and live["severity"] != mine["severity"]:
            self._severity[proposal] = mine["severity"]
        for kind in after:
            if kind not in before:
                row = {"id": f"replay {at.isoformat()}", "kind": kind}
                row |= {"severity": mine["severity"], "decision": mine["decision"]}
                self._own[(model, kind)] = (at + LIFETIME, row)

    def _as_replayed(self, row: Mapping[str, Any]) -> dict[str, Any]:
        changed = self._severity.get(str(row.get("id")))
        return {**row, "severity": changed} if changed else dict(row)


def _kinds(actions: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(act["kind"]) for act in actions]
