"""Proposals of the agent about a model with two versions."""

from core import recommendations
from core.access import system
from core.recommendations import Basis

AGENT = system("agent")
EVIDENCE = [{"fact": "accuracy.current", "label": "accuracy now", "value": 0.81, "n": 700}]


def basis(**more):
    return Basis(severity="high", confidence=0.9, reasoner="rules", evidence=EVIDENCE, **more)


def propose(db, kind="widen_experiment", actor=AGENT, *, model="spam", **arguments):
    return recommendations.propose(
        db,
        actor,
        model=model,
        kind=kind,
        arguments=arguments,
        title=f"{kind} {model}",
        reasoning="words changed",
        basis=basis(),
    )


def approve(db, actor, row, *, solo=False):
    return recommendations.approve(db, actor, row.id, digest=row.digest, solo=solo)


def edit(db, actor, row, reason="a smaller step", *, digest=None, **arguments):
    return recommendations.edit(
        db, actor, row.id, digest=digest or row.digest, arguments=arguments, reason=reason
    )


def stored(db, row):
    with db.read() as session:
        return recommendations.get(session, row.id)
