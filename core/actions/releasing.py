"""Kinds about what serves: promote, roll back."""

from contextlib import suppress

from core import recommendations, releases
from core.actions.cases import Back, Case, Effect, inverse, serving
from core.errors import ConflictError
from core.recommendations import Basis
from core.tables.base import Json


def _promote(case: Case) -> tuple[Json, Json]:
    release = releases.promote(
        case.command,
        case.model,
        case.arguments["version"],
        replaces=case.row.release_seq,
        reason=case.row.title,
    )
    way_back: Json = {}
    with suppress(ConflictError):  # the first release has nothing to go back to
        good = releases.last_good_before(case.session, release)
        way_back = inverse("rollback", to=releases.champion(good))
    return serving(release), way_back


def _roll_back(case: Case) -> tuple[Json, Json]:
    bad = releases.current(case.session, case.model)
    good = releases.champion(releases.last_good_before(case.session, bad))
    if good != case.arguments["to"]:
        raise ConflictError(f"a rollback would serve {good}, not {case.arguments['to']}")
    release = releases.undo(case.command, bad, reason=case.row.title)
    return serving(release), inverse("promote", version=releases.champion(bad))


def _take_back(back: Back) -> str:
    """Roll the action's own release back, unless something else serves by now."""
    bad = releases.current(back.session, back.action.model)
    if bad.seq != back.action.after.get("release"):
        raise ConflictError("another release serves by now; roll back that one instead")
    release = releases.undo(back.command, bad, reason=back.reason, channels=back.channels)
    back.action.state = "reverted"
    return f"{back.action.model} serves {releases.label(release)} again"


def _propose_again(back: Back) -> str:
    version, model = back.arguments["version"], back.action.model
    recommendations.propose_in(
        back.command,
        model=model,
        kind="promote",
        arguments={"version": version},
        title=f"Release {model} {version} again",
        reasoning=f"Undo of a rollback: {back.reason}",
        basis=Basis(severity="medium"),
        channels=back.channels,
    )
    return f"releasing {version} again is proposed; another person decides"


EFFECTS = {"promote": Effect(_promote), "rollback": Effect(_roll_back)}

INVERSES = {"rollback": _take_back, "promote": _propose_again}

FINAL = {"promote": "nothing served before this release; there is nothing to go back to"}
