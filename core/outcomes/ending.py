"""What came of what ends by itself (training, experiment, labels, silence), and of a scaling."""

from datetime import timedelta

from sqlalchemy import or_, select

from core import label_requests, registry, releases
from core.errors import NotFoundError
from core.experiments import lifecycle
from core.incidents import silences
from core.monitoring.checks import labels
from core.monitoring.checks.subject import Subject
from core.outcomes import grading, watched
from core.outcomes.cases import Case
from core.outcomes.grading import LEVEL, Graded
from core.specs import active
from core.statistics.intervals import newcombe
from core.tables.decisions import LabelRequest
from core.tables.entities import Alert, Experiment, Incident, ModelVersion, Run, Silence

_SETTLES = timedelta(hours=1)  # answers and counters reach the database after their hour
_DECIDED = ("won", "lost", "equivalent")
_MOST_LABELS = 0.5  # of those asked for: from here on it was worth asking


def training(case: Case) -> Graded | None:
    """Good where the gate let the candidate through, or it was released; bad where it failed."""
    run = case.named(Run)
    if run is None:
        return Graded("neutral", "The training is no longer on record.")
    if run.state in ("failed", "cancelled"):
        why = f": {run.error}" if run.error else ""
        return Graded("bad", f"The training {_was(run.state)}{why}.", {"run": run.id})
    if run.state != "finished" or run.version is None:
        return Graded("neutral", "The training did not end in 14 days.") if case.is_late else None
    return _candidate(case, registry.get(case.session, run.model, run.version))


def _was(state: str) -> str:
    return "was cancelled" if state == "cancelled" else state


def _candidate(case: Case, version: ModelVersion) -> Graded | None:
    name, answer = version.version, version.gate.get("answer")
    measured = _by_gate(version)
    if _was_released(case, version):
        return Graded("good", f"The training made {name}, which was released.", measured)
    if answer == "promote":
        return Graded("good", f"The training made {name}, which passed the gate.", measured)
    if answer == "refuse" and not version.overridden:
        reasons = "; ".join(str(one) for one in version.gate.get("reasons") or [])
        return Graded("bad", f"The gate refused {name}: {reasons or 'no reason kept'}.", measured)
    if not case.is_late:
        return None
    more = version.gate.get("more_rows_needed")
    words = f"{more:,} more labelled rows are needed" if more else "the gate could not tell"
    return Graded("neutral", f"Whether {name} is better is still open: {words}.", measured)


def _by_gate(version: ModelVersion) -> dict[str, object]:
    change, n = version.gate.get("difference") or {}, version.gate.get("n")
    if change.get("value") is None:
        return {"version": version.version}
    measured = {"effect": change["value"], "low": change.get("low"), "high": change.get("high")}
    return {"metric": "accuracy", **measured, "n": n, "version": version.version}


def _was_released(case: Case, version: ModelVersion) -> bool:
    rows = releases.history(case.session, version.model)
    return any(
        arm.version == version.version and arm.variant == "control"
        for row in rows
        for arm in releases.arms(row)
    )


def experiment(case: Case) -> Graded | None:
    """Good where the experiment came to a decision, bad where its split was invalid."""
    row = case.session.get(Experiment, str(case.arguments.get("experiment_id")))
    if row is None:
        return Graded("neutral", "The experiment is no longer on record.")
    if lifecycle.true_state(case.session, row) != "stopped":
        return None  # before its traffic is counted
    status = lifecycle.status(case.session, row.id)
    result = str(status["result"] or "inconclusive")
    measured = {"result": result, "n": sum(status["labelled"].values())}
    words = f"Experiment {row.name} ended {result}"
    if result == "invalid":
        return Graded("bad", f"{words}: the users were not split as planned.", measured)
    if result in _DECIDED:
        return Graded("good", f"{words} on {measured['n']:,} labelled answers.", measured)
    return Graded("neutral", f"{words}: it was stopped before it could tell.", measured)


def stopped_experiment(case: Case) -> Graded | None:
    """Grade a stop by what was measured while the experiment ran: errors first, then accuracy."""
    row = case.session.get(Experiment, str(case.arguments.get("experiment_id")))
    if row is None or row.started_at is None:
        return Graded("neutral", "The experiment is no longer on record.")
    if case.now < case.at + _SETTLES:
        return None
    if row.mode == "canary" and (found := _by_errors(case, row)):
        return found
    if not (_matured(case, row) or case.is_late):
        return None
    status = lifecycle.status(case.session, row.id)
    (n, m), (right, correct) = ((s["control"], s["treatment"]) for s in
                                (status["labelled"], status["correct"]))  # fmt: skip
    if min(n, m) < case.fewest:
        words = f"The treatment's harm was not measured: {min(n, m)} labels in an arm."
        return Graded("neutral", words, {"n": min(n, m)})
    gap = newcombe(right, n, correct, m, level=LEVEL)
    measured = grading.figures("accuracy", gap, n + m)
    words = f"The treatment was right in {correct / m:.1%} of cases, the control in {right / n:.1%}"
    if gap.high < 0:
        return Graded("good", f"{words}: surely worse, stopping was right.", measured)
    if gap.low > 0:
        return Graded("bad", f"{words}: surely better, stopping lost that.", measured)
    return Graded("neutral", f"{words}: no difference beyond chance.", measured)


def _by_errors(case: Case, row: Experiment) -> Graded | None:
    started = row.started_at or case.at
    both = watched.arms(case, started, case.at)
    if both is None:
        return None
    gap = newcombe(both[0].hits, both[0].n, both[1].hits, both[1].n, level=LEVEL)
    measured = grading.figures("error_rate", gap, both[0].n + both[1].n)
    share = f"{both[1].hits / both[1].n:.1%} of the treatment's requests failed"
    beside = f"{both[0].hits / both[0].n:.1%} of the control's"
    if gap.low > 0:
        return Graded("good", f"{share}, {beside}: surely more, stopping was right.", measured)
    return None


def _matured(case: Case, row: Experiment) -> bool:
    """Say whether the labels of the experiment's answers have come, as far as they will."""
    spec = active(case.session, row.model)
    for version in (row.treatment, row.control):
        try:
            found = registry.get(case.session, spec.name, version)
        except NotFoundError:
            continue
        since = row.started_at or case.at
        known = labels.learn(case.session, Subject(spec, found, since, None), case.now)
        if known.settled:
            return case.at + timedelta(seconds=known.delay) <= case.now
    return False


def asked_labels(case: Case) -> Graded | None:
    """Grade by how many of the labels that were asked for came until the request ended."""
    request = case.named(LabelRequest)
    if request is None:
        return Graded("neutral", "The request for labels is no longer on record.")
    asked, given = len(request.prediction_ids), label_requests.given(case.session, request)
    if request.state == "open" and given < asked and not case.is_late:
        return None
    measured = {"metric": "labels", "effect": given, "n": asked}
    words = f"{given:,} of {asked:,} labels came."
    if given >= _MOST_LABELS * asked:
        return Graded("good", words, measured)
    return Graded("neutral" if given else "bad", words, measured)


def silence(case: Case) -> Graded | None:
    """Bad where something grave that was silent became an incident; good where it ended silently.

    It is looked at an hour after the silence, when what still fired has opened its incident.
    """
    row = case.named(Silence)
    if row is None:
        return Graded("neutral", "The silence is no longer on record.")
    if case.now < row.ends_at + _SETTLES:
        return None
    covered = _covered(case, row)
    grave = {one.incident_id for one in covered if one.severity in ("critical", "high")}
    found = case.session.scalars(
        select(Incident).where(Incident.id.in_(grave), Incident.opened_at >= row.starts_at)
    ).first()
    if found is not None:
        words = f"What was silent became an incident: {found.title}."
        return Graded("bad", words, {"incident": found.id, "n": len(covered)})
    if covered:
        words = f"{len(covered)} silent alerts came to nothing."
        return Graded("good", words, {"n": len(covered)})
    return Graded("neutral", "It silenced nothing.", {"n": 0})


def _covered(case: Case, row: Silence) -> list[Alert]:
    """Return the alerts that a silence held back: those that lived while it held."""
    query = select(Alert).where(Alert.at <= row.ends_at)
    query = query.where(or_(Alert.ended_at.is_(None), Alert.ended_at >= row.starts_at))
    if model := row.matchers.get("model"):
        query = query.where(Alert.model == model)
    return [
        alert
        for alert in case.session.scalars(query)
        if silences.covers(row.matchers, **silences.about(alert))
    ]


def scaling(case: Case) -> Graded | None:
    """Grade by errors and slow answers in the six whole hours after against those before."""
    if case.now < case.at + timedelta(hours=watched.HOURS + 1) + _SETTLES:
        return None
    seen = watched.shares_by_time(case, case.at)
    if seen is None:
        return Graded("neutral", "Too few requests came to compare six hours before and after.")
    where = f"{watched.HOURS} hours before and after"
    found = grading.of_shares(seen, better="as intended", where=where)
    words = f"Errors and slow answers did not surely change ({where})."
    return found or Graded("neutral", words)


def not_measured(case: Case) -> Graded:
    """Grade what has no effect that can be measured."""
    return Graded("neutral", f"To {case.row.kind.replace('_', ' ')} has no effect to measure.")
