"""An experiment and the proposal to start it, in one command: both are there, or neither is."""

from collections.abc import Sequence

from core.access import Actor, require
from core.db import Database
from core.experiments import drafting, lifecycle
from core.recommendations.proposing import propose_in
from core.tables.entities import Experiment, Recommendation


def propose_experiment(
    db: Database, actor: Actor, wanted: drafting.Plan, *, channels: Sequence[str] = ()
) -> tuple[Experiment, Recommendation]:
    """Draft an experiment and propose its start, which an approver decides.

    Raises: ForbiddenError; InvalidInputError; NotFoundError (version); ConflictError (name).
    """
    with db.command(actor, "experiment.draft") as command:
        require(command.actor, "recommendation.propose")
        row = drafting.draft_in(command, wanted)
        command.session.flush()
        made = propose_in(
            command,
            model=row.model,
            kind="start_experiment",
            arguments={"experiment_id": row.id},
            title=f"Start experiment {row.name}: {lifecycle.plan(row)}",
            reasoning=row.hypothesis,
            channels=channels,
        )
        return row, made
