"""Kinds about who decides what: the policy in force, the gate, and leaves to act alone."""

from core import autonomy, policies, specs
from core.actions.cases import Back, Case, Effect, Found, inverse
from core.actions.proposing import propose_back
from core.errors import ConflictError
from core.recommendations.arguments import BUILT_IN
from core.specs import gates
from core.tables.base import Json


def _change(case: Case) -> tuple[Json, Json]:
    before = policies.active(case.session, case.model)
    version = case.arguments["version"]
    if version == BUILT_IN:
        policies.retire_in(case.command, case.model)
    else:
        policies.activate_in(case.command, case.model, int(version))
    former = str(before.version) if before else BUILT_IN
    case.note_before(policy=former)
    return {"policy": version}, inverse("change_policy", version=former)


def _change_back(back: Back) -> str:
    """Another policy is another person's decision, also where it is an earlier one."""
    _in_force(back)
    version, scope = back.arguments["version"], back.action.model
    what = "what it lies over" if version == BUILT_IN else f"version {version}"
    title = f"Let the policy of {policies.scope_words(scope)} be {what} again"
    return propose_back(back, "change_policy", title)


def _in_force(done: Back | Found) -> None:
    row = policies.active(done.session, done.action.model)
    if (str(row.version) if row else BUILT_IN) != done.action.after["policy"]:
        raise ConflictError("another policy is in force by now; propose the one that should be")


def _gate(case: Case) -> tuple[Json, Json]:
    """Give the model another gate; versions that exist keep the one of their training."""
    before, after = specs.active(case.session, case.model).gate, gates.of(case.arguments)
    row = specs.put_gate_in(case.command, case.model, after)
    case.note_before(gate=gates.words(before))
    way_back = inverse("change_gate", **gates.words(before))
    return {"gate": gates.words(after), "spec": row.version}, way_back


def _gate_back(back: Back) -> str:
    """Another gate is another person's decision, also where it is the earlier one."""
    _gate_stands(back)
    return propose_back(back, "change_gate", f"Let the gate of {back.action.model} be as it was")


def _gate_stands(done: Back | Found) -> None:
    after = gates.of(done.action.after["gate"])
    if specs.active(done.session, done.action.model).gate != after:
        raise ConflictError("another gate is in force by now; propose the one that should be")


def _grant(case: Case) -> tuple[Json, Json]:
    kind = case.arguments["kind"]
    autonomy.grant_in(
        case.command,
        model=case.model,
        kind=kind,
        reason=case.row.reasoning,
        by=case.row.decided_by or "",
    )
    return {"leave": kind}, inverse("withdraw_autonomy", kind=kind)


def _withdraw(back: Back) -> str:
    kind, model = back.arguments["kind"], back.action.model
    autonomy.withdraw_in(back.command, model=model, kind=kind, reason=back.reason)
    back.action.state = "reverted"
    return f"a person decides again to {kind.replace('_', ' ')} {model}"


def _has_leave(found: Found) -> None:
    autonomy.granted(found.session, found.action.model, found.arguments["kind"])


EFFECTS = {
    "change_policy": Effect(_change),
    "change_gate": Effect(_gate),
    "grant_autonomy": Effect(_grant),
}

INVERSES = {
    "change_policy": _change_back,
    "change_gate": _gate_back,
    "withdraw_autonomy": _withdraw,
}

STILL = {
    "change_policy": _in_force,
    "change_gate": _gate_stands,
    "withdraw_autonomy": _has_leave,
}
