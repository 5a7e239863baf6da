"""Approve a proposal, carry it out as a worker does, and say what came of it."""

from datetime import timedelta

from sqlalchemy import select

from core import actions, jobs, recommendations, releases
from core.access import system
from core.experiments import lifecycle
from core.tables.entities import ActionRow, Recommendation
from core.tables.operational import Job

AGENT = system("agent")
LEASE = timedelta(seconds=30)


def approved(db, apo, kind="promote", **arguments):
    row = recommendations.propose(
        db,
        AGENT,
        model="spam",
        kind=kind,
        arguments=arguments,
        title=f"{kind} spam",
        reasoning="because",
    )
    return recommendations.approve(db, apo, row.id, digest=row.digest, solo=False)


def claimed(db, owner="w1"):
    with db.read() as session:  # other jobs wait too, of the releases that a test begins with
        waiting = select(Job.id).where(Job.kind == "execute", Job.state.in_(("queued", "running")))
        newest = session.scalars(waiting.order_by(Job.state, Job.created_at.desc())).first()
    claim = jobs.claim(db, owner, lease=LEASE, only=newest)
    return claim, claim.payload["action_id"]


def carry_out(db, settings):
    claim, action_id = claimed(db)
    return actions.execute(db, settings, claim, action_id)


def served(db):
    with db.read() as session:
        return releases.label(releases.current(session, "spam"))


def states(db):
    with db.read() as session:
        action = session.scalars(select(ActionRow)).one()
        return action.state, session.get(Recommendation, action.recommendation_id).state


def two_versions(release):
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)


def experiment(db, ana):
    return lifecycle.draft(
        db,
        ana,
        model="spam",
        name="e",
        control="1.0.0",
        treatment="2.0.0",
        share=0.1,
        hypothesis="better",
    )


def undo(db, actor, **options):
    with db.read() as session:
        action = actions.recent(session)[0]
    return actions.undo(db, actor, action.id, reason="regret", **options)
