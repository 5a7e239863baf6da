"""Kinds about what serves: promote, roll back, other weights, another threshold."""

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import releases
from core.actions.cases import Back, Case, Effect, Found, inverse, serving
from core.actions.proposing import propose_back
from core.errors import ConflictError
from core.experiments import lifecycle
from core.releases import Arm
from core.tables.base import Json
from core.tables.entities import ActionRow, ModelVersion, Release

NOT_PLAIN = "it took back more than one version; release the one that should serve again"


def _promote(case: Case) -> tuple[Json, Json]:
    before = releases.find_current(case.session, case.model)
    release = releases.promote(
        case.command,
        case.model,
        case.arguments["version"],
        replaces=case.row.release_seq,
        reason=case.row.title,
    )
    # the first release has nothing to go back to
    return serving(release), inverse("rollback", to=releases.label(before)) if before else {}


def _roll_back(case: Case) -> tuple[Json, Json]:
    bad = releases.current(case.session, case.model)
    good = releases.champion(releases.last_good_before(case.session, bad))
    if good != case.arguments["to"]:
        raise ConflictError(f"a rollback would serve {good}, not {case.arguments['to']}")
    release = releases.undo(case.command, bad, reason=case.row.title)
    if releases.arms(bad) != releases.only(releases.champion(bad)):  # no promotion serves that
        return {**serving(release), "final": NOT_PLAIN}, {}
    return serving(release), inverse("promote", version=releases.champion(bad))


def _no_experiment(case: Case) -> None:
    if row := lifecycle.running(case.session, case.model):
        raise ConflictError(f"experiment {row.name} runs and holds the weights; stop it first")


def _weigh(case: Case) -> tuple[Json, Json]:
    """Give a version a share; the users between the old and the new boundary move, no others."""
    before = releases.current(case.session, case.model)
    arms = releases.split(before, case.arguments["version"], float(case.arguments["share"]))
    release = _serve(case, before, arms, mode="canary" if len(arms) > 1 else "live")
    version, former = case.arguments["version"], _share_of(before, case.arguments["version"])
    return serving(release), inverse("change_weights", version=version, share=f"{former:g}")


def _share_of(release: Release, version: str) -> float:
    weights = (arm.weight for arm in releases.arms(release) if arm.version == version)
    return next(weights, 0) / releases.BUCKETS


def _cut(case: Case) -> tuple[Json, Json]:
    """Let every version of the release answer positive from another probability on."""
    before, cut = releases.current(case.session, case.model), float(case.arguments["threshold"])
    former = _thresholds(case, before)
    if set(former) == {cut}:
        raise ConflictError(f"{case.model} answers positive from {cut:g} already")
    arms = [replace(arm, threshold=cut) for arm in releases.arms(before)]
    release = _serve(case, before, arms, mode=before.mode)
    told = " and ".join(dict.fromkeys(f"{one:g}" for one in former))
    return {**serving(release), "threshold": cut}, inverse("set_threshold", threshold=told)


def _thresholds(case: Case, release: Release) -> list[float]:
    names = [arm.version for arm in releases.arms(release)]
    rows = [case.session.get_one(ModelVersion, (case.model, name)) for name in names]
    return [releases.threshold(release, row) for row in rows]


def _serve(case: Case, before: Release, arms: list[Arm], *, mode: str) -> Release:
    seq, reason = case.row.release_seq, case.row.title
    return releases.append(
        case.command, case.model, arms, replaces=seq, mode=mode, salt=before.salt, reason=reason
    )


def _take_back(back: Back) -> str:
    """Serve exactly what served before the action, unless something else serves by now."""
    bad = own_release(back)
    earlier = back.session.get_one(Release, (bad.model, back.action.before["release"]))
    release = releases.restore(back.command, bad, earlier, reason=back.reason)
    releases.tell_back(back.command, bad, release, reason=back.reason, channels=back.channels)
    note_back(back.action, release)
    return f"{bad.model} serves {releases.label(release)} again"


def _take_weight_back(back: Back) -> str:
    """Take a share away at once; to give one again is a promotion, and another person decides."""
    version, share = back.arguments["version"], float(back.arguments["share"])
    if share < _share_of(own_release(back), version):
        return _take_back(back)
    title = f"Give {back.action.model} {version} {share:.1%} of the traffic again"
    return propose_back(back, "change_weights", title)


def _promote_again(back: Back) -> str:
    own_release(back)
    title = f"Release {back.action.model} {back.arguments['version']} again"
    return propose_back(back, "promote", title)


def own_release(done: Back | Found) -> Release:
    """Return what serves now, where it is the action's own release, or that one again.

    It is that one again once all that came after it was taken back. Another one that serves the
    same is not: its action is the one to undo.
    Raises: ConflictError (something else serves).
    """
    session, action = done.session, done.action
    current = releases.current(session, action.model)
    own = session.get(Release, (current.model, action.after.get("release") or 0))
    again = _as_it_was(session, current)
    if own is None or own.seq != again or not releases.same(current, own):
        raise ConflictError("another release serves by now; roll back that one instead")
    return current


def _serves_own(found: Found) -> None:
    own_release(found)


def note_back(action: ActionRow, release: Release) -> None:
    """Say of an action that `release` took it back."""
    action.state, action.inverse = "reverted", {**action.inverse, "release": release.seq}


def _as_it_was(session: Session, current: Release) -> int:
    """Return the release that serves again, where the current one only took others back."""
    rows = session.scalars(select(ActionRow).filter_by(model=current.model, state="reverted"))
    before = {row.inverse.get("release"): row.before.get("release") for row in rows}
    seq: int = current.seq
    while earlier := before.pop(seq, None):
        seq = earlier
    return seq


EFFECTS = {
    "promote": Effect(_promote),
    "rollback": Effect(_roll_back),
    "change_weights": Effect(_weigh, _no_experiment),
    "set_threshold": Effect(_cut, _no_experiment),
}

INVERSES = {
    "rollback": _take_back,
    "promote": _promote_again,
    "change_weights": _take_weight_back,
    "set_threshold": _take_back,
}

STILL = {kind: _serves_own for kind in INVERSES}

FINAL = {"promote": "nothing served before this release; there is nothing to go back to"}
