"""Proposals as tests make, decide and read them."""

from sqlalchemy import select

from core import recommendations
from core.access import system
from core.tables.entities import Incident, ModelVersion

AGENT = system("agent")


def propose(db, actor=AGENT, kind="retrain", arguments=None, **more):
    return recommendations.propose(
        db,
        actor,
        model="spam",
        kind=kind,
        arguments=arguments or {},
        title=f"{kind} spam",
        reasoning="words changed",
        **more,
    )


def promotion(db, actor=AGENT, version="1.0.0", **more):
    return propose(db, actor, "promote", {"version": version}, **more)


def approve(db, actor, row, *, solo=False, digest=None):
    return recommendations.approve(db, actor, row.id, digest=digest or row.digest, solo=solo)


def stored(db, row):
    with db.read() as session:
        return recommendations.get(session, row.id)


def rows(db, table):
    with db.read() as session:
        return list(session.scalars(select(table)))


def measure(db, version, metrics, gate=None):
    with db.command(system("worker"), "version.register") as command:
        row = command.session.get(ModelVersion, ("spam", version))
        row.metrics = metrics
        row.gate = row.gate if gate is None else gate


def incident(db, clock):
    with db.command(system("worker"), "incident.open") as command:
        row = Incident(
            id="i1",
            model="spam",
            version="1.0.0",
            state="open",
            severity="high",
            cause="drift",
            title="words changed",
            timeline=[],
            opened_at=clock(),
        )
        command.session.add(row)
