"""What came of a change of what serves: labelled traffic after it against before.

Where the other version answered too in the same period (an arm, or in shadow) the two are compared
there, else each in its own time. Only answers that are old enough count, so that labels that come
first decide nothing (`core/monitoring/maturity`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import predictions, registry, releases, specs
from core.monitoring import maturity, reports
from core.monitoring.checks import labels
from core.monitoring.checks.subject import Subject
from core.monitoring.reports import LIVE
from core.outcomes import grading
from core.outcomes.cases import PATIENCE, Case
from core.outcomes.grading import MOST, Counted, Expects, Graded
from core.outcomes.watched import shares_by_version
from core.predictions import Outcome
from core.tables.entities import Incident, Release
from core.tables.telemetry import Label, Prediction
from core.truth import with_label

_LOOK_BACK = timedelta(days=60)
_FRESH = timedelta(hours=1)  # so young a report still knows how late labels come
_BLAMED = ("errors", "latency", "serving")  # causes of incidents that a release may open


@dataclass(frozen=True)
class Change:
    """A change of what serves: `gained` answers more since `at`, `lost` less; one where equal."""

    gained: str
    lost: str
    at: datetime
    until: datetime
    before: Release
    after: Release


@dataclass(frozen=True)
class Sides:
    """Labelled answers since the change, oldest first, and those that they are compared with."""

    after: list[Outcome]
    before: list[Outcome]
    same_period: bool
    delay: float
    settled: bool

    @property
    def smaller(self) -> int:
        """How many labelled answers the side has that has fewer."""
        return min(len(self.after), len(self.before))

    def look(self, fewest: int, *, over: bool) -> int:
        """Return at how many answers the newest look is, 0 where a side has too few.

        What served before is not waited for: its answers are all there.
        """
        if self.smaller < fewest:
            return 0
        n = self.smaller if self.same_period else len(self.after)
        return min(n, MOST) if over else grading.look_at(n, fewest)

    def first(self, size: int) -> tuple[list[Outcome], list[Outcome]]:
        """Return (before, after) up to the moment at which a look had its `size` answers."""
        waited = [self.after, self.before] if self.same_period else [self.after]
        cut = max(side[size - 1].at for side in waited)
        after = [one for one in self.after if one.at <= cut]
        return [one for one in self.before if one.at <= cut], after


def grade(case: Case) -> Graded | None:
    """Grade a promotion, a rollback, other weights or another threshold; None: not known yet."""
    change = change_of(case)
    if change is None:
        return Graded("neutral", "Nothing served before, so there is nothing to compare with.")
    if found := _incident(case, change):
        return found
    if _asked_for_errors(case):
        return _by_errors(case, change)
    return _by_accuracy(case, change)


def change_of(case: Case) -> Change | None:
    """Return what an action changed in what serves; None where nothing served before."""
    session, action = case.session, case.action
    seqs = (action.before.get("release"), action.after.get("release"))
    rows = [session.get(Release, (action.model, seq)) for seq in seqs if seq]
    if len(rows) != 2 or rows[0] is None or rows[1] is None:
        return None
    before, after = rows[0], rows[1]
    gained, lost = _moved(before, after)
    until = _until(session, after, gained if gained != lost else None) or case.now
    return Change(gained, lost, case.at, min(until, case.now), before, after)


def _moved(before: Release, after: Release) -> tuple[str, str]:
    """Return the version that answers more than before, and the one that answers less."""
    old = {arm.version: arm.weight for arm in releases.arms(before)}
    new = {arm.version: arm.weight for arm in releases.arms(after)}
    change = {name: new.get(name, 0) - old.get(name, 0) for name in {*old, *new}}
    if not any(change.values()):
        return releases.champion(after), releases.champion(after)
    by_change = sorted(change, key=lambda name: (change[name], name))
    return by_change[-1], by_change[0]


def _until(session: Session, after: Release, gained: str | None) -> datetime | None:
    """Return when a later release took the version away; with None the next release does."""
    query = select(Release).filter_by(model=after.model).where(Release.seq > after.seq)
    for later in session.scalars(query.order_by(Release.seq)):
        live = {arm.version for arm in releases.arms(later) if arm.weight}
        if gained is None or gained not in live:
            return later.at
    return None


def _incident(case: Case, change: Change) -> Graded | None:
    """Blame an incident about errors or latency that the change opened within three days."""
    if change.gained == change.lost:
        return None
    query = select(Incident).filter_by(model=case.action.model, version=change.gained)
    end = min(change.until, change.at + PATIENCE)
    query = query.where(Incident.cause.in_(_BLAMED), Incident.opened_at > change.at)
    found = case.session.scalars(query.where(Incident.opened_at <= end)).first()
    if found is None:
        return None
    hours = (found.opened_at - change.at).total_seconds() / 3600
    words = f"An incident opened {hours:.1f} h after it: {found.title}."
    return Graded("bad", words, {"incident": found.id, "cause": found.cause})


def _asked_for_errors(case: Case) -> bool:
    """Say whether errors, and no accuracy, are what the proposal rests on."""
    facts = {item.get("fact") for item in case.row.evidence}
    return case.row.expected.get("effect") is None and "service.error_rate" in facts


def _by_errors(case: Case, change: Change) -> Graded | None:
    hours = (case.now - change.at).total_seconds() / 3600
    if hours < 1:
        return None  # the counters are of whole hours, and answers reach them late
    pairs = shares_by_version(case, change.lost, change.gained, change.at)
    if pairs is None:
        return _too_few(case, 0, "too few requests came") if case.is_late else None
    where = f"{change.lost} before, {change.gained} since"
    found = grading.of_shares(pairs[:1], better="as intended", where=where)
    if found is None and case.is_late:
        return Graded("neutral", f"The share of errors did not surely change ({where}).")
    return found


def _by_accuracy(case: Case, change: Change) -> Graded | None:
    rows = _answers(case.session, case.action.model, change.gained, change.at, change.until)
    if len(rows) < case.fewest and not case.is_late:
        return None
    sides = _sides(case, change, rows)
    over = case.is_late or _over(case, change, sides)
    size = sides.look(case.fewest, over=over)
    if not size:
        return _too_few(case, sides.smaller, _why(sides)) if over else None
    before, after = sides.first(size)
    where = "in the same period" if sides.same_period else "before"
    return grading.of_accuracy(
        _counted(before),
        _counted(after),
        expects=_expects(case),
        margin=specs.active(case.session, case.action.model).gate.margin,
        against=f"{change.lost} {where}",
        last=over or grading.is_last(size, case.fewest),
    )


def _sides(case: Case, change: Change, rows: list[Outcome]) -> Sides:
    """Keep the answers that are old enough, and find those that they are compared with."""
    session, model = case.session, case.action.model
    delay, settled = _delay(case, change)
    ripe = case.now - timedelta(seconds=delay)
    after = [one for one in rows if one.at <= ripe]
    beside: list[Outcome] = []
    if change.gained != change.lost:
        beside = _answers(session, model, change.lost, change.at, min(change.until, ripe))
        if len(beside) < case.fewest and _shadows(session, change):
            beside = _in_shadow(session, model, change, min(change.until, ripe))
    if settled and len(beside) >= case.fewest:
        return Sides(after, beside, same_period=True, delay=delay, settled=settled)
    since = change.at - _LOOK_BACK if change.gained != change.lost else change.before.at
    before = _answers(session, model, change.lost, since, min(change.at, ripe))
    return Sides(after, before if settled else [], False, delay, settled)


def _delay(case: Case, change: Change) -> tuple[float, bool]:
    """Return how old answers must be to be judged, in seconds, and whether that is known.

    The version that served before is asked too: its labels tell how late the last ones come.
    """
    since = max(change.at, case.now - _FRESH)
    known = [
        _told(case, change.gained, since) or _learnt(case, change.gained, change.at),
        _told(case, change.lost, change.at - _LOOK_BACK, settled=True)
        or _learnt(case, change.lost, change.at - _LOOK_BACK),
    ]
    settled = [delay for delay, is_settled in known if is_settled]
    return (max(settled), True) if settled else (0.0, False)


def _told(
    case: Case, version: str, since: datetime, *, settled: bool = False
) -> tuple[float, bool] | None:
    """Return what the newest check of performance learnt of a version's labels: at no cost."""
    model = case.action.model
    found = reports.reports(
        case.session, model, "performance", limit=1, version=version, origin=LIVE, since=since
    )
    told = found[0].figures.get("labels") if found else None
    if not told or (settled and not told["settled"]):
        return None
    return 3600.0 * float(told["delay_hours"]), bool(told["settled"])


def _learnt(case: Case, version: str, since: datetime) -> tuple[float, bool]:
    spec = specs.active(case.session, case.action.model)
    row = registry.get(case.session, spec.name, version)
    learnt = labels.learn(case.session, Subject(spec, row, since, None), case.now)
    return learnt.delay, learnt.settled


def _answers(
    session: Session, model: str, version: str, since: datetime, until: datetime
) -> list[Outcome]:
    found = predictions.outcomes(session, model, version, since=since, until=until, limit=MOST)
    return found[::-1]


def _shadows(session: Session, change: Change) -> bool:
    """Say whether the other version ran along in shadow."""
    query = select(Release).filter_by(model=change.after.model)
    query = query.where(Release.seq >= change.after.seq, Release.at <= change.until)
    arms = [arm for row in session.scalars(query) for arm in releases.arms(row)]
    return any(arm.version == change.lost and arm.variant == "shadow" for arm in arms)


def _in_shadow(session: Session, model: str, change: Change, until: datetime) -> list[Outcome]:
    answers = select(Prediction).where(
        Prediction.is_shadow,
        Prediction.model == model,
        Prediction.version == change.lost,
        Prediction.at >= change.at,
        Prediction.at <= until,
    )
    of = (Prediction.id, Prediction.at, Prediction.label, Prediction.probability)
    told = (Label.value, Label.at, Prediction.version)
    query = with_label(session, model, answers).with_only_columns(*of, *told)
    rows = session.execute(query.order_by(Prediction.at, Prediction.id).limit(MOST))
    return [Outcome(*row) for row in rows]


def _over(case: Case, change: Change, sides: Sides) -> bool:
    """Say whether no more labels will come: it serves no longer, and they have matured."""
    ended = change.until < case.now
    return ended and sides.settled and change.until + timedelta(seconds=sides.delay) <= case.now


def _expects(case: Case) -> Expects:
    """Return what was proposed: to be better, or to be no worse."""
    effect = case.row.expected.get("effect")
    if case.row.kind == "promote":
        version = registry.get(case.session, case.action.model, str(case.arguments["version"]))
        if version.gate.get("rule") == "non_inferiority":
            return "not worse"
    return "better" if effect is not None and effect > 0 else "not worse"


def _why(sides: Sides) -> str:
    if not sides.settled:
        return "how late labels come is not known"
    if sides.delay:
        return f"answers are judged once they are {maturity.words_of(sides.delay)} old"
    return "more are needed"


def _too_few(case: Case, n: int, why: str) -> Graded:
    words = f"Not enough labels came: {n:,} to compare with, {case.fewest:,} are needed ({why})."
    return Graded("neutral", words, {"n": n})


def _counted(rows: list[Outcome]) -> Counted:
    return Counted(sum(one.correct for one in rows), len(rows))
