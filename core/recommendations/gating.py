"""Proposing another gate for a model: what differs is the evidence, another person decides."""

from collections.abc import Mapping, Sequence
from typing import Any

from core import registry, specs
from core.access import Actor
from core.db import Command, Database
from core.errors import InvalidInputError
from core.recommendations.proposing import Basis, propose_in
from core.specs import gates
from core.tables.entities import Recommendation


def propose_gate(
    db: Database,
    actor: Actor,
    *,
    model: str,
    changes: Mapping[str, str],
    reason: str,
    channels: Sequence[str] = (),
) -> Recommendation:
    """Propose to change some values of a model's gate; `changes` holds them as words by name.

    Raises: ForbiddenError (role; two people decide and nobody knows who the proposer is);
    NotFoundError (model); InvalidInputError (no reason; name, value; nothing would change).
    """
    with db.command(actor, "recommendation.propose") as command:
        name = specs.canonical(model)
        command.note(model=name, changes=dict(changes), reason=reason)
        if not reason.strip():
            raise InvalidInputError("say why the gate should change: the reason is kept on record")
        now = specs.active(command.session, name).gate
        after = gates.altered(now, changes)
        changed = gates.changes(now, after)
        told = ", ".join(f"{what} {old} → {new}" for what, old, new in changed)
        return propose_in(
            command,
            model=name,
            kind="change_gate",
            arguments=gates.words(after),
            title=f"Change the gate of {name}: {told}",
            reasoning=reason.strip(),
            basis=Basis(severity="medium", evidence=_evidence(command, name, changed)),
            channels=channels,
        )


def _evidence(
    command: Command, model: str, changed: Sequence[tuple[str, str, str]]
) -> list[Mapping[str, Any]]:
    """Return each value that differs, and what the gate said of the newest version."""
    told = [(f"{what} of the gate (now {old})", new) for what, old, new in changed]
    newest = next(iter(registry.versions(command.session, model)), None)
    if newest is not None:
        said = str(newest.gate.get("answer") or "nothing yet").replace("_", " ")
        told.append((f"what the gate said about {newest.version}", said))
    link = f"/models?model={model}"
    return [
        {"fact": "gate", "label": label, "value": value, "interval": None, "n": None, "link": link}
        for label, value in told
    ]
