"""What an approval rested on is checked again before anything happens."""

from core import autonomy, notes, recommendations
from core.db import Command
from core.errors import ConflictError
from core.recommendations import kinds
from core.recommendations.reading import LEAVES
from core.tables.entities import ActionRow, Recommendation


def approved(command: Command, action: ActionRow) -> Recommendation:
    """Return an action's proposal after checking again all that its approval rested on.

    Raises: ConflictError (not approved, changed, overtaken, too old, frozen); InvalidInputError and
    NotFoundError (an argument that cannot be any more).
    """
    if action.recommendation_id is None:
        raise ConflictError("this action has no approval")
    row = recommendations.get(command.session, action.recommendation_id)
    if row.state != "approved":
        raise ConflictError(f"the proposal is not approved: {recommendations.outcome(row)}")
    recommendations.check_seal(row, row.digest)
    if (action.kind, action.arguments) != (row.kind, row.arguments):
        raise ConflictError("the action is not what was approved")
    recommendations.check_arguments(command.session, row.model, row.kind, row.arguments)
    recommendations.check_target(command.session, row)
    if command.now > recommendations.valid_until(row):
        raise ConflictError("the approval is too old to act on; ask for a fresh proposal")
    alone = action.origin in LEAVES
    if alone or kinds.of(row.kind).frozen:
        notes.check_freeze(command.session, row.model, command.now)
    if alone:
        autonomy.check_leave(command.session, action, row)
    return row
