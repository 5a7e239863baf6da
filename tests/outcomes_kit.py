"""Carry out what the agent proposed, let labelled traffic come, and read the outcome."""

from datetime import timedelta

from sqlalchemy import select

from core import outcomes, recommendations
from core.access import system
from core.recommendations import Basis
from core.tables.decisions import Outcome
from core.tables.entities import ActionRow, ModelVersion
from tests.actions_kit import AGENT, carry_out
from tests.conftest import version_row
from tests.fakes.watched import METRICS, Watched

BETTER = {"metric": "accuracy", "effect": 0.1, "low": 0.02, "high": 0.18, "n": 300}


class Served(Watched):
    """A model under watch without the rows that its inputs would be compared with."""

    def _keep_reference(self):
        return "d3"


def candidate(model, version="2.0.0", **gate):
    """Register a version that does not serve yet."""
    with model.db.command(system("worker"), "version.register") as command:
        row = version_row(model.spec.name, version, int(version.split(".")[0]), command.now)
        row.reference_dataset_id, row.metrics = model.reference, METRICS
        row.gate = {"answer": "promote", **gate}
        command.session.add(row)


def done(db, settings, apo, kind="promote", *, expected=None, facts=(), incident_id=None, **given):
    """Propose as the agent does, approve, and carry out; returns the proposal's id."""
    row = recommendations.propose(
        db,
        AGENT,
        model="spam",
        kind=kind,
        arguments=given,
        title=f"{kind} spam",
        reasoning="because",
        basis=Basis(
            expected=expected or {},
            reasoner="rules",
            evidence=[{"fact": name} for name in facts],
            incident_id=incident_id,
        ),
    )
    recommendations.approve(db, apo, row.id, digest=row.digest, solo=False)
    carry_out(db, settings)
    return row.id


def promoted(model, apo, **more):
    """Release 2.0.0 by a proposal; it answers from then on."""
    key = done(model.db, model.settings, apo, version="2.0.0", **more)
    model.version = "2.0.0"
    return key


def traffic(model, n, *, wrong=0, version=None):
    """Answer `n` messages and label them at once, the first ones as wrong."""
    rows = model.log([{"message": "hello"}] * n, version=version)
    model.label(rows, wrong=wrong)
    model.clock.now += timedelta(minutes=1)
    return rows


def graded(db, settings, recommendation_id):
    """Grade what is due, and return the outcome of one proposal, or None."""
    outcomes.grade_due(db, settings)
    with db.read() as session:
        return outcomes.of(session, recommendation_id)


def action_of(db, recommendation_id):
    with db.read() as session:
        query = select(ActionRow).filter_by(recommendation_id=recommendation_id)
        return session.scalars(query).one()


def put_outcomes(db, *grades, model="spam", kind="retrain", reasoner="rules", edit_of=None):
    """Add executed proposals with these grades, the oldest first, a minute apart."""
    with db.command(system("worker"), "outcome.grade") as command:
        for grade in grades:
            db.clock.forward(minutes=1)
            row = recommendations.propose_in(
                command,
                model=model,
                kind="notify",
                arguments={},
                title="earlier",
                reasoning="",
                basis=Basis(reasoner=reasoner),
            )
            row.kind, row.state, row.edit_of = kind, "succeeded", edit_of
            outcome = Outcome(
                recommendation_id=row.id,
                model=model,
                kind=kind,
                grade=grade,
                expected={},
                measured={},
                sentence=f"It was {grade}.",
                at=db.clock(),
            )
            command.session.add(outcome)
            command.session.flush()


def version_gate(db, version, **gate):
    """Let the gate have answered otherwise."""
    with db.command(system("worker"), "version.register") as command:
        command.session.get_one(ModelVersion, ("spam", version)).gate = gate
