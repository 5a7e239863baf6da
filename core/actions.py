"""Carries out what was approved, exactly once: effect, action and proposal change together."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import jobs, outbox, recommendations, releases, runs
from core.access import Actor, system
from core.db import Command, Database
from core.errors import ConflictError, NotFoundError, PilothouseError, UnavailableError
from core.experiments import lifecycle
from core.jobs import Claim
from core.recommendations import Basis
from core.settings import Settings
from core.tables.base import Json
from core.tables.entities import ActionRow, Recommendation, Release
from core.tables.operational import Job

EXECUTOR = system("executor")
Effect = Callable[[Command, ActionRow, Recommendation], tuple[Json, Json]]
"""Does what an action says inside a command; returns (after, inverse)."""


def execute(db: Database, settings: Settings, claim: Claim, action_id: str) -> ActionRow:
    """Carry out an approved action; one that was carried out already is left as it is.

    The claim is checked in the transaction of the effect, so that a worker that was taken over
    writes nothing. An action that may no longer happen is failed, with the reason.

    Raises: NotFoundError; ConflictError (what failed it, or the claim is lost); UnavailableError.
    """
    try:
        with db.command(EXECUTOR, "action.execute") as command:
            jobs.check_fence(command.session, claim)
            return _carry_out(command, action_id, outbox.channels(settings))
    except UnavailableError:
        raise
    except PilothouseError as problem:
        fail(db, action_id, str(problem), claim=claim)
        raise


def fail(db: Database, action_id: str, error: str, *, claim: Claim) -> None:
    """Record that an action did not happen; one that has ended already is left as it is.

    So is one whose job another worker has taken over: it may happen yet. Raises: NotFoundError.
    """
    with db.read() as session:
        if get(session, action_id).state != "queued":
            return  # nothing happens, so the audit trail has nothing to say
    with db.command(EXECUTOR, "action.finish") as command:
        job = command.session.get(Job, claim.job_id, with_for_update=True)  # locked in one order
        action = _locked(command.session, action_id)
        command.note(model=action.model, action_id=action.id, reason=error)
        if action.state != "queued" or job is None or job.fence != claim.fence:
            command.note(left_as=action.state)
            return
        action.state, action.error, action.finished_at = "failed", error, command.now
        if action.recommendation_id:
            row = recommendations.get(command.session, action.recommendation_id)
            recommendations.move(command.session, row.id, ("approved",), "failed")
            what = f"failed: {row.title} ({error})"
            recommendations.tell_incident(command, row.incident_id, what)


def undo(
    db: Database,
    actor: Actor,
    action_id: str,
    *,
    reason: str = "",
    channels: Sequence[str] = (),
) -> str:
    """Take an action back where it has an inverse, and say in a sentence what that did.

    What was promoted is rolled back and an experiment is stopped at once. Serving again what a
    rollback took away is a promotion: it becomes a proposal that another person decides.
    `channels` are told of a rollback and of a proposal.

    Raises: ForbiddenError; NotFoundError; ConflictError (no inverse, or overtaken by events).
    """
    with db.command(actor, "action.undo") as command:
        action = _locked(command.session, action_id)
        command.note(model=action.model, action_id=action.id, kind=action.kind, reason=reason)
        if action.state != "succeeded":
            raise ConflictError(f"this action has {action.state}; there is nothing to undo")
        if not action.inverse:
            raise ConflictError(_NO_INVERSE.get(action.kind, "this action has no inverse"))
        take_back = _INVERSES[action.inverse["kind"]]
        sentence = take_back(command, action, reason or "undone", channels)
        command.note(did=sentence)
        return sentence


def recent(session: Session, *, model: str | None = None, limit: int = 50) -> list[ActionRow]:
    """Return the newest actions, newest first."""
    query = select(ActionRow).order_by(ActionRow.id.desc()).limit(limit)
    return list(session.scalars(query.filter_by(model=model) if model else query))


def get(session: Session, action_id: str) -> ActionRow:
    """Return an action. Raises: NotFoundError."""
    if action := session.get(ActionRow, action_id):
        return action
    raise NotFoundError(f"there is no action {action_id}")


def _locked(session: Session, action_id: str) -> ActionRow:
    query = select(ActionRow).filter_by(id=action_id).with_for_update()
    return session.scalars(query).first() or get(session, action_id)


def _carry_out(command: Command, action_id: str, channels: list[str]) -> ActionRow:
    session, action = command.session, _locked(command.session, action_id)
    command.note(model=action.model, action_id=action.id, kind=action.kind)
    if action.state != "queued":
        command.note(already=action.state)
        return action
    row = _approved(command, action)
    current = releases.find_current(session, action.model)
    action.before = _serving(current)
    action.after, action.inverse = _EFFECTS[action.kind](command, action, row)
    action.state, action.finished_at = "succeeded", command.now
    if not recommendations.move(session, row.id, ("approved",), "succeeded"):
        raise ConflictError(f"the proposal is not approved: {recommendations.outcome(row)}")
    command.note(before=action.before, after=action.after, recommendation=row.id)
    recommendations.tell_incident(command, row.incident_id, f"done: {row.title}", mitigating=True)
    outbox.post(
        command,
        channels,
        f"Done: {row.title}",
        model=row.model,
        text=f"Approved by {row.decided_by}.",
        path=f"/recommendation?id={row.id}",
    )
    return action


def _approved(command: Command, action: ActionRow) -> Recommendation:
    """Return the action's proposal after checking again all that its approval rested on."""
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
    return row


def _serving(release: Release | None) -> Json:
    if release is None:
        return {"serves": "nothing", "release": 0}
    return {"serves": releases.label(release), "release": release.seq}


def _retrain(command: Command, action: ActionRow, row: Recommendation) -> tuple[Json, Json]:
    run = runs.request_in(
        command, action.model, kind="retrain", trigger="recommendation", reason=row.title
    )
    return {"run_id": run.id}, {}


def _promote(command: Command, action: ActionRow, row: Recommendation) -> tuple[Json, Json]:
    release = releases.promote(
        command,
        action.model,
        action.arguments["version"],
        replaces=row.release_seq,
        reason=row.title,
    )
    inverse: Json = {}
    with suppress(ConflictError):  # the first release has nothing to go back to
        good = releases.last_good_before(command.session, release)
        inverse = {"kind": "rollback", "arguments": {"to": releases.champion(good)}}
    return _serving(release), inverse


def _roll_back(command: Command, action: ActionRow, row: Recommendation) -> tuple[Json, Json]:
    bad = releases.current(command.session, action.model)
    good = releases.champion(releases.last_good_before(command.session, bad))
    if good != action.arguments["to"]:
        raise ConflictError(f"a rollback would serve {good}, not {action.arguments['to']}")
    release = releases.undo(command, bad, reason=row.title)
    inverse = {"kind": "promote", "arguments": {"version": releases.champion(bad)}}
    return _serving(release), inverse


def _start(command: Command, action: ActionRow, _row: Recommendation) -> tuple[Json, Json]:
    release = lifecycle.start_in(command, action.arguments["experiment_id"])
    return _serving(release), {"kind": "stop_experiment", "arguments": action.arguments}


def _widen(command: Command, action: ActionRow, _row: Recommendation) -> tuple[Json, Json]:
    experiment_id, share = action.arguments["experiment_id"], float(action.arguments["share"])
    release = lifecycle.widen_in(command, experiment_id, share)
    inverse = {"kind": "stop_experiment", "arguments": {"experiment_id": experiment_id}}
    return _serving(release), inverse


def _stop(command: Command, action: ActionRow, row: Recommendation) -> tuple[Json, Json]:
    lifecycle.stop_in(command, action.arguments["experiment_id"], reason=row.title)
    return _serving(releases.find_current(command.session, action.model)), {}


_EFFECTS: Mapping[str, Effect] = {
    "retrain": _retrain,
    "promote": _promote,
    "rollback": _roll_back,
    "start_experiment": _start,
    "widen_experiment": _widen,
    "stop_experiment": _stop,
}

_NO_INVERSE = {
    "retrain": "a training changes nothing that serves; cancel it while it runs",
    "promote": "nothing served before this release; there is nothing to go back to",
    "stop_experiment": "draft a new experiment to compare these versions again",
}


def _take_back(command: Command, action: ActionRow, reason: str, channels: Sequence[str]) -> str:
    """Roll the action's own release back, unless something else serves by now."""
    bad = releases.current(command.session, action.model)
    if bad.seq != action.after.get("release"):
        raise ConflictError("another release serves by now; roll back that one instead")
    release = releases.undo(command, bad, reason=reason, channels=channels)
    action.state = "reverted"
    return f"{action.model} serves {releases.label(release)} again"


def _end_experiment(
    command: Command, action: ActionRow, reason: str, _channels: Sequence[str]
) -> str:
    row = lifecycle.stop_in(command, action.arguments["experiment_id"], reason=reason)
    action.state = "reverted"
    return f"experiment {row.name} is stopped; {row.control} serves everything"


def _propose_again(
    command: Command, action: ActionRow, reason: str, channels: Sequence[str]
) -> str:
    version = action.inverse["arguments"]["version"]
    recommendations.propose_in(
        command,
        model=action.model,
        kind="promote",
        arguments={"version": version},
        title=f"Release {action.model} {version} again",
        reasoning=f"Undo of a rollback: {reason}",
        basis=Basis(severity="medium"),
        channels=channels,
    )
    return f"releasing {version} again is proposed; another person decides"


_INVERSES: Mapping[str, Callable[[Command, ActionRow, str, Sequence[str]], str]] = {
    "rollback": _take_back,
    "stop_experiment": _end_experiment,
    "promote": _propose_again,
}


def inverse_of(action: ActionRow) -> dict[str, Any] | None:
    """Return what undoing would do, or None; the panel shows it before it is done."""
    return dict(action.inverse) if action.inverse and action.state == "succeeded" else None
