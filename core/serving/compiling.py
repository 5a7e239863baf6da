"""A plan for a version that was registered without one."""

from core import registry
from core.access import Actor
from core.db import Database
from core.errors import ConflictError
from core.serving import artifacts, compiler
from core.settings import Settings
from core.tables.entities import ModelVersion


def compile_again(
    db: Database, actor: Actor, settings: Settings, model: str, version: str, *, reason: str = ""
) -> ModelVersion:
    """Compile a version that scikit-learn serves; it has a plan from now on if one agrees with it.

    What serves it already goes on as it is: a process takes the plan when it loads the version.
    Raises: ForbiddenError; NotFoundError; ConflictError (it has a plan, or its file was changed).
    """
    with db.attempt(actor, "version.compile") as attempt:
        attempt.note(model=model, version=version, reason=reason)
        row = _without_plan(registry.get(attempt.session, model, version))
        pipeline = artifacts.load(settings, row.artifact)
        plan, note = compiler.attempt(pipeline, row.signature)
        digest = artifacts.save_plan(settings, plan) if plan is not None else None
    with db.command(actor, "version.compile") as command:
        row = _without_plan(registry.get(command.session, model, version))
        command.note(model=row.model, version=row.version, reason=reason, plan=digest, said=note)
        row.plan, row.plan_note = digest, note
        return row


def _without_plan(row: ModelVersion) -> ModelVersion:
    if row.plan is not None:
        raise ConflictError(f"{row.model} {row.version} serves with {row.plan_note} already")
    return row
