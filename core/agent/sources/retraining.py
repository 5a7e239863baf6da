"""Facts about training: when, how often, on what is new, and what the newest candidate is worth."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from core import predictions, registry
from core.agent.sources.accuracy import interval, n_test
from core.agent.sources.scope import Item, Scope, dicts
from core.statistics import mcnemar
from core.tables.entities import DatasetVersion, ModelVersion, Recommendation, Run

MOST_VERSIONS = 20
MOST_RUNS = 50
MOST_SLICES = 10


def retraining(of: Scope) -> Iterator[Item]:
    """When the model was trained last, what became of it, and how many labels came since."""
    source = f"/training?model={of.model}"
    query = select(Run).filter_by(model=of.model).order_by(Run.at.desc()).limit(MOST_RUNS)
    runs = list(of.session.scalars(query))
    yield Item("retrain.in_progress", any(r.state in ("queued", "running") for r in runs), source)
    ended = [run for run in runs if run.state == "finished" and run.finished_at]
    yield from _hours("retrain.hours_since_training", of, ended)
    again = [run for run in ended if run.kind == "retrain"]  # a first training is none
    yield from _hours("retrain.hours_since_last", of, again)
    day_ago = of.now - timedelta(days=1)
    recent = sum(run.kind == "retrain" and run.at > day_ago for run in runs)
    yield Item("retrain.retrains_last_24h", recent, source)
    yield Item("retrain.rejected_by_gate_in_a_row", _refused_in_a_row(of), source)
    if of.version is not None:
        since = max([of.version.at, *(run.finished_at for run in ended if run.finished_at)])
        yield from _new_rows(of, of.version, since)


def _hours(name: str, of: Scope, ended: Sequence[Run]) -> Iterator[Item]:
    if last := max((run.finished_at for run in ended if run.finished_at), default=None):
        yield Item(name, of.hours_ago(last), f"/training?model={of.model}", last)


def _new_rows(of: Scope, version: ModelVersion, since: datetime) -> Iterator[Item]:
    """Yield how many answers were labelled since, where it is known how many rows were learnt."""
    learnt = of.session.get(DatasetVersion, version.train_dataset_id)
    if learnt is None:
        return
    source = f"/data?model={of.model}"
    labelled, answered = predictions.label_counts(of.session, of.model, since=since)
    yield Item("retrain.new_rows", labelled, source, n=answered)
    yield Item("retrain.rows_learnt", learnt.n_rows, source, version.at)


def _newest_versions(of: Scope) -> list[ModelVersion]:
    query = select(ModelVersion).filter_by(model=of.model).order_by(ModelVersion.number.desc())
    return list(of.session.scalars(query.limit(MOST_VERSIONS)))


def _refused_in_a_row(of: Scope) -> int:
    """Count the newest retrained versions that the gate refused, since what serves was trained."""
    count = 0
    for version in _newest_versions(of):
        newer = of.version is None or version.number > of.version.number
        if not newer or version.gate.get("answer") != "refuse":
            return count
        run = of.session.get(Run, version.run_id)
        count += run is None or run.kind == "retrain"
    return count


def candidate(of: Scope) -> Iterator[Item]:
    """The newest candidate that is younger than what serves, and what speaks for and against it."""
    newest = next(iter(_newest_versions(of)), None)
    if of.version is None or newest is None or newest.number <= of.version.number:
        return
    if newest.state != "candidate":
        return
    source = f"/models?model={of.model}&version={newest.version}"
    gate, change = newest.gate, newest.gate.get("difference") or {}
    yield Item("candidate.version", newest.version, source, newest.at)
    yield Item("candidate.gate", gate.get("answer"), source, newest.at)
    yield Item("candidate.overridden", bool(newest.overridden), source, newest.at)
    yield Item("candidate.accuracy", newest.metrics.get("accuracy"), source, n=n_test(newest))
    yield Item("candidate.n_test", n_test(newest), source, newest.at)
    known = interval((change.get("low"), change.get("high")))
    yield Item("candidate.improvement", change.get("value"), source, None, gate.get("n"), known)
    yield Item("candidate.proposed_before", _was_proposed(of, newest.version), source)
    told = gate.get("answer") == "refuse"  # whoever asked for the training was told why
    yield Item("candidate.refusal_told", told, source, newest.at)
    yield from _paired(newest, of.version, source)
    yield from _fitness(of, newest, source)


def _was_proposed(of: Scope, version: str) -> bool:
    """Whether people have it or had it before them; what lapsed undecided may be proposed again."""
    query = select(Recommendation.arguments).filter_by(model=of.model, kind="promote")
    query = query.where(Recommendation.state.not_in(("expired", "superseded")))
    return any(arguments.get("version") == version for arguments in of.session.scalars(query))


def _paired(newest: ModelVersion, champion: ModelVersion, source: str) -> Iterator[Item]:
    """Yield how both fared on the same rows: on kept answers row by row, or as the gate counted."""
    kept = newest.metrics.get("evaluations") or {}
    others = champion.metrics.get("evaluations") or {}
    gate = newest.gate
    if gate.get("champion") == champion.version and gate.get("n"):
        first, second, n = gate["only_champion_right"], gate["only_candidate_right"], gate["n"]
    elif shared := kept.keys() & others.keys():
        one = registry.unpack(kept[max(shared)])
        other = registry.unpack(others[max(shared)])
        first, second, n = int((other & ~one).sum()), int((one & ~other).sum()), len(one)
        yield Item("candidate.champion_accuracy", float(other.mean()), source, n=n)
    else:
        return
    yield Item("candidate.only_champion_right", first, source, n=n)
    yield Item("candidate.only_candidate_right", second, source, n=n)
    yield Item("candidate.p_better", mcnemar.mid_p(first, second), source, n=n)


def _fitness(of: Scope, newest: ModelVersion, source: str) -> Iterator[Item]:
    """Yield whether its held-out rows can judge it, and where it is worse than what serves."""
    held_out = of.session.get(DatasetVersion, newest.test_dataset_id)
    if held_out is not None:
        days = (of.now - held_out.at) / timedelta(days=1)
        yield Item("candidate.test_set_age_days", round(days, 2), source, held_out.at)
    yield Item("candidate.train_test_overlap", newest.gate.get("train_test_overlap"), source)
    worse = [one for one in _gate_slices(newest.gate) if one.get("answer") == "refuse"]
    names = [str(one.get("name"))[:100] for one in worse][:MOST_SLICES]
    yield Item("candidate.slice_regressions", names or None, source, n=len(names))


def _gate_slices(gate: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the slices of a gate's answer; of one that judged twice, those of both."""
    old = dicts((gate.get("old") or {}).get("slices"))
    return [*dicts(list(gate.get("slices") or ())), *old]
