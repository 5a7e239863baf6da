"""What carrying a proposal out would change, as things stand: (what, before, after) by row."""

from collections.abc import Callable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import answers, label_requests, policies, releases, specs
from core.answers import Stretch
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.recommendations import scaling
from core.recommendations.arguments import BUILT_IN
from core.recommendations.kinds import EVERYWHERE
from core.recommendations.means import check_means
from core.recommendations.reading import Difference
from core.specs import gates
from core.tables.decisions import PolicyVersion
from core.tables.entities import Experiment, ModelVersion, Recommendation, Release
from core.tables.telemetry import Prediction

LOOKED_AT = 1_000
"""So many of the newest answers say what another threshold would change."""

AS_IT_IS = "as things stand"


def difference(session: Session, row: Recommendation) -> Difference:
    """Return what carrying the proposal out would change; why it cannot be done now is a row too.

    A kind that this release of the product does not know changes nothing.
    """
    try:
        return _KINDS[row.kind](session, row) if row.kind in _KINDS else []
    except (ConflictError, InvalidInputError, NotFoundError) as problem:
        return [(AS_IT_IS, "it cannot be done", str(problem))]


def _retrain(session: Session, row: Recommendation) -> Difference:
    now = _now(session, row)
    return [("candidates", "none from this training", "one more"), ("serves", now, now)]


def _promote(session: Session, row: Recommendation) -> Difference:
    current, version = releases.find_current(session, row.model), str(row.arguments["version"])
    arms = releases.only(version)
    champion = releases.champion(current) if current else ""
    return [
        ("serves", _now(session, row), version),
        *_cut(session, row.model, current, arms),
        *_ended(session, current),
        *_measured(session, row.model, champion, version),
    ]


def _roll_back(session: Session, row: Recommendation) -> Difference:
    current, to = releases.current(session, row.model), str(row.arguments["to"])
    rows = [("serves", releases.label(current), to)]
    try:
        rows += _cut(session, row.model, current, releases.alone(_good(session, current, to)))
    except ConflictError as problem:
        rows.append((AS_IT_IS, "it cannot be done", str(problem)))
    measured = _measured(session, row.model, releases.champion(current), to)
    return [*rows, *_ended(session, current), *measured]


def _good(session: Session, bad: Release, to: str) -> Release:
    good = releases.last_good_before(session, bad)
    if releases.champion(good) != to:
        raise ConflictError(f"a rollback would serve {releases.champion(good)}, not {to}")
    return good


def _ended(session: Session, current: Release | None) -> Difference:
    row = (
        session.get(Experiment, current.experiment_id)
        if current and current.experiment_id
        else None
    )
    return [(f"experiment {row.name}", "runs", "ends")] if row else []


def _cut(
    session: Session, model: str, current: Release | None, arms: list[releases.Arm]
) -> Difference:
    """Return a row where the champion would answer positive from another probability on."""
    first = next(arm for arm in arms if arm.variant == "control")
    after = session.get(ModelVersion, (model, first.version))
    if current is None or after is None:
        return []
    before = session.get_one(ModelVersion, (model, releases.champion(current)))
    old = releases.threshold(current, before)
    new = releases.threshold(None, after) if first.threshold is None else first.threshold
    return [("positive from a probability of", f"{old:g}", f"{new:g}")] if old != new else []


def _weigh(session: Session, row: Recommendation) -> Difference:
    current = releases.current(session, row.model)
    if current.experiment_id:
        raise ConflictError("an experiment holds the weights; stop it first")
    version, share = str(row.arguments["version"]), float(row.arguments["share"])
    before = {arm.version: arm.weight for arm in releases.arms(current)}
    after = {arm.version: arm.weight for arm in releases.split(current, version, share)}
    return [
        (f"share of {one}", _percent(before.get(one, 0)), _percent(after.get(one, 0)))
        for one in {**before, **after}
    ]


def _threshold(session: Session, row: Recommendation) -> Difference:
    current, cut = releases.current(session, row.model), float(row.arguments["threshold"])
    found = []
    for arm in releases.arms(current):
        version = session.get_one(ModelVersion, (row.model, arm.version))
        old = releases.threshold(current, version)
        found.append((f"{arm.version} answers positive from", f"{old:g}", f"{cut:g}"))
        found += _moved(session, version, old, cut)
    return found


def _moved(session: Session, version: ModelVersion, old: float, new: float) -> Difference:
    """Return how many of a version's newest answers are positive from one probability or other."""
    of = Stretch(version.model, version.version)
    chances = [
        chance
        for part in answers.newest(session, of, LOOKED_AT)
        for chance in session.scalars(answers.joined(select(Prediction.probability), part))
    ]
    if not chances:
        return []
    before, after = (sum(one > cut for one in chances) / len(chances) for cut in (old, new))
    what = f"positive among its last {len(chances):,} answers"
    return [(what, f"{before:.1%}", f"{after:.1%}")]


def _start(session: Session, row: Recommendation) -> Difference:
    if (one := session.get(Experiment, row.arguments["experiment_id"])) is None:
        return []
    now = _now(session, row)
    if one.mode == "shadow":
        beside = f"{one.treatment} answers the log too"
        return [("serves", now, now), ("in shadow", "nothing", beside)]
    share = float(row.arguments.get("share") or one.share)
    split = f"{one.control} {100 - share * 100:g}% + {one.treatment} {share * 100:g}%"
    return [("serves", now, split)]


def _stop(session: Session, row: Recommendation) -> Difference:
    one = session.get(Experiment, row.arguments["experiment_id"])
    return [("serves", _now(session, row), one.control)] if one else []


def _collect(session: Session, row: Recommendation) -> Difference:
    known = label_requests.open_of(session, row.model)
    before = f"{len(known.prediction_ids)} are asked for" if known else "none are asked for"
    return [("labels of answers", before, f"up to {row.arguments['rows']} are asked for")]


def _freeze(_session: Session, row: Recommendation) -> Difference:
    about = "all models" if row.model == EVERYWHERE else row.model
    until = f"frozen for {row.arguments['hours']} h; a rollback stays possible"
    return [(f"changes of {about}", "free", until)]


def _silence(_session: Session, row: Recommendation) -> Difference:
    about = "all models" if row.model == EVERYWHERE else row.model
    held = f"silent for {row.arguments['hours']} h, but for critical ones"
    return [(f"alerts about {row.arguments['cause']} of {about}", "heard", held)]


def _notify(session: Session, row: Recommendation) -> Difference:
    check_means(session, row.kind)
    return [("every channel", "not told", row.title)]


def _scale(session: Session, row: Recommendation) -> Difference:
    check_means(session, row.kind)
    return [("API replicas", str(scaling.replicas(session)), str(row.arguments["replicas"]))]


def _policy(session: Session, row: Recommendation) -> Difference:
    version, before = str(row.arguments["version"]), policies.active(session, row.model)
    name, beneath = f"policy of {policies.scope_words(row.model)}", "what lies underneath"
    after = PolicyVersion(model=row.model, version=0, thresholds={})
    if version != BUILT_IN:
        after = policies.get(session, row.model, int(version))
    policies.check(session, row.model, after.thresholds)
    old = f"version {before.version}" if before else beneath
    rows = [(name, old, f"version {version}" if after.version else beneath)]
    changed = policies.changes_of(session, after)
    rows += [(n.replace("_", " "), f"{a:g}", f"{b:g}") for n, a, b in changed]
    return rows + _by_itself(session, row.model, before=bool(before), after=bool(after.version))


def _by_itself(session: Session, scope: str, *, before: bool, after: bool) -> Difference:
    """Say that an approved policy, whatever it holds, lets the product do one thing by itself."""
    everywhere = scope != policies.ALL and policies.active(session, policies.ALL) is not None
    if before == after or everywhere:
        return []
    words = {False: "asks a person", True: "done without asking"}
    return [("retraining in the middle of the drift ladder", words[before], words[after])]


def _gate(session: Session, row: Recommendation) -> Difference:
    now = specs.active(session, row.model).gate
    changed = gates.changes(now, gates.of(row.arguments))
    if not changed:
        raise ConflictError(f"the gate of {row.model} is that already")
    return [(f"gate: {name}", before, after) for name, before, after in changed]


def _leave(_session: Session, row: Recommendation) -> Difference:
    what = f"to {str(row.arguments['kind']).replace('_', ' ')} {row.model}"
    return [(what, "a person decides", "the product, while its record is good enough")]


_KINDS: Mapping[str, Callable[[Session, Recommendation], Difference]] = {
    "retrain": _retrain,
    "promote": _promote,
    "rollback": _roll_back,
    "change_weights": _weigh,
    "set_threshold": _threshold,
    "start_experiment": _start,
    "widen_experiment": _start,
    "stop_experiment": _stop,
    "collect_labels": _collect,
    "freeze": _freeze,
    "silence": _silence,
    "notify": _notify,
    "scale": _scale,
    "change_policy": _policy,
    "change_gate": _gate,
    "grant_autonomy": _leave,
}


def _now(session: Session, row: Recommendation) -> str:
    current = releases.find_current(session, row.model)
    return releases.label(current) if current else "nothing"


def _percent(weight: int) -> str:
    return f"{weight * 100 / releases.BUCKETS:g} %"


def _measured(session: Session, model: str, before: str, after: str) -> Difference:
    rows = [session.get(ModelVersion, (model, version)) for version in (before, after)]
    old, new = (row.metrics if row else {} for row in rows)
    return [
        (f"{name} on held-out rows", _figure(old.get(name)), _figure(new.get(name)))
        for name in ("accuracy", "f1")
        if name in new
    ]


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float | int) else "unknown"
