"""The rows of one training: where they come from, and which are kept out to judge it."""

from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import predictions, registry, releases, specs
from core.access import system
from core.datasets import derived, ranking, schema, versions
from core.datasets.values import category
from core.db import Database
from core.errors import NotFoundError
from core.predictions import Labelled
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion, ModelVersion, Run
from core.tables.telemetry import MonitorReport
from core.training import evaluation

RECENT_SHARE = 0.3
MOST_PRODUCTION_ROWS = 50_000
_MOST_ANSWERS = 5_000_000  # that labelled ones are looked for among: 1 % of them may be


@dataclass(frozen=True)
class Material:
    """What a training learns from and is judged on; frames are conformed.

    The last `n_recent` rows of `test` are the newest labelled ones from production, the rows
    before them the old held-out ones.
    """

    dataset: DatasetVersion
    train: pd.DataFrame
    test: pd.DataFrame
    n_recent: int
    champion: ModelVersion | None
    note: str = ""  # what whoever reads the gate's answer must know about these rows

    @property
    def n_old(self) -> int:
        """How many of the test rows are old."""
        return len(self.test) - self.n_recent


def prepare(db: Database, settings: Settings, run: Run, spec: ModelSpec) -> Material:
    """Load or reuse the rows of a run and split them without leaks.

    A retrain starts from the rows of the version that serves, adds labelled rows from production
    to the training, and keeps the newest 30 % of them, and the old test rows, out of it. Where the
    rows of that version are not here (it was imported), the best data and its held-out rows do.

    Raises: InvalidInputError (no data, or the checks reject it), NotFoundError, ConflictError.
    """
    with db.read() as session:
        champion = serving(session, spec.name)
        seed = specs.at_version(session, run.model, run.spec_version).seed
    # a run's own seed is for its fits: other held-out rows would be another try at the gate
    spec = spec.model_copy(update={"seed": seed})
    base = _base(db, settings, run, spec, champion)
    rows = schema.conform(derived.complete(db, versions.frame(settings, base), spec), spec)
    if run.kind == "retrain" and champion is not None and _same_inputs(champion, spec):
        return _with_production(db, settings, spec, rows, base, champion)
    test = evaluation.held_out(rows, spec)
    return Material(base, _rows(rows, ~test), _rows(rows, test), 0, champion)


def serving(session: Session, model: str) -> ModelVersion | None:
    """Return the version that serves now, or None."""
    release = releases.find_current(session, model)
    return registry.get(session, model, releases.champion(release)) if release else None


def signature(spec: ModelSpec) -> dict[str, Any]:
    """Return what a version of this spec reads and answers."""
    features = [feature.model_dump(exclude_none=True) for feature in spec.input.features]
    return {
        "task": spec.task,
        "input": {"text": spec.input.text} if spec.input.text else {"features": features},
        "labels": spec.labels,
        "positive": spec.positive,
    }


def _same_inputs(champion: ModelVersion, spec: ModelSpec) -> bool:
    return champion.signature == signature(spec)


def _base(
    db: Database, settings: Settings, run: Run, spec: ModelSpec, champion: ModelVersion | None
) -> DatasetVersion:
    """Return the data a run names; else the champion's for a retrain; else the best there is.

    The source is read first, so that what it holds today is among what is ranked; rows that the
    checks reject end the training rather than be passed over in silence.
    """
    with db.read() as session:
        if run.dataset_id is not None:
            return versions.usable(versions.get(session, run.dataset_id))
        if run.kind == "retrain" and champion is not None and _same_inputs(champion, spec):
            learnt = versions.get(session, champion.train_dataset_id)
            if versions.path_of(settings, learnt).exists():
                return versions.usable(learnt)
    source = spec.source
    if source.path or source.download or source.builtin:
        versions.usable(versions.load(db, WORKER, settings, spec.name, spec=spec))
    with db.read() as session:
        return ranking.best(session, settings, spec, now=db.clock())


def _with_production(
    db: Database,
    settings: Settings,
    spec: ModelSpec,
    rows: pd.DataFrame,
    base: DatasetVersion,
    champion: ModelVersion,
) -> Material:
    with db.read() as session:
        stored = versions.get(session, champion.test_dataset_id)
        labelled = _labelled(session, spec)
        begun = drift_began(session, champion)
    old, note = _old(settings, spec, rows, stored, champion)
    known, held_out = schema.row_keys(rows, spec), schema.row_keys(old, spec)
    stretch = [one for one in labelled if begun is None or one.prediction.at >= begun]
    newest = round(RECENT_SHARE * len(stretch))
    # What judges must look like the traffic: only rows that were learnt from are left out of it.
    judges = _production(labelled[:newest], spec)
    recent = _unlike(judges, known[~np.isin(known, held_out)], spec)
    keys = schema.row_keys(recent, spec)
    learnt = _production(labelled[newest:], spec)
    added = _unlike(learnt, np.concatenate([known, held_out, keys]), spec)
    n_recent = len(recent)
    everything = pd.concat([rows, added], ignore_index=True)
    dataset = base
    if len(added):
        words = f"{base.source}; plus {len(added):,} labelled {spec.source.noun} from production"
        dataset = versions.usable(
            versions.load(
                db,
                WORKER,
                settings,
                spec.name,
                frame=everything,
                source=words,
                spec=spec,
                parent_id=base.id,
            )
        )
    kept_out = np.concatenate([schema.row_keys(old, spec), keys])
    train = _rows(everything, ~np.isin(schema.row_keys(everything, spec), kept_out))
    test = pd.concat([old, recent], ignore_index=True)
    return Material(dataset, train, test, n_recent, champion, note)


def _old(
    settings: Settings,
    spec: ModelSpec,
    rows: pd.DataFrame,
    stored: DatasetVersion,
    champion: ModelVersion,
) -> tuple[pd.DataFrame, str]:
    """Return the old rows that judge a retrain: the champion's, or else some of `rows`; and why."""
    if versions.path_of(settings, stored).exists():
        return schema.conform(versions.frame(settings, stored), spec), ""
    note = (
        f"the rows that judged {champion.version}, which serves, are not here: held-out rows of "
        f"the data of this training judge instead; {champion.version} may have learnt some of them"
    )
    return _rows(rows, evaluation.held_out(rows, spec)), note


def drift_began(session: Session, champion: ModelVersion) -> datetime | None:
    """Return the start of the drifted windows that have not ended yet, or None.

    Rows from before would only water down the question whether a retrain helps now.
    """
    query = select(MonitorReport).filter_by(
        model=champion.model, version=champion.version, kind="drift"
    )
    judged = query.where(MonitorReport.state.in_(("pass", "warn", "fail")))
    newest = session.scalars(judged.order_by(MonitorReport.window_end.desc()).limit(100))
    drifted = list(takewhile(lambda report: report.state == "fail", newest))
    return min((report.window_start for report in drifted), default=None)


def _unlike(rows: pd.DataFrame, keys: NDArray[Any], spec: ModelSpec) -> pd.DataFrame:
    """Return the first of each kind of row whose key is none of `keys`."""
    own = schema.row_keys(rows, spec)
    first = ~pd.Series(own).duplicated().to_numpy()
    return _rows(rows, first & ~np.isin(own, keys))


def _labelled(session: Session, spec: ModelSpec) -> list[Labelled]:
    return predictions.labelled(
        session, spec.name, limit=MOST_PRODUCTION_ROWS, most_read=_MOST_ANSWERS
    )


def _production(labelled: list[Labelled], spec: ModelSpec) -> pd.DataFrame:
    """Return labelled predictions as conformed rows, newest first; foreign labels are left out."""
    found = []
    for one in labelled:
        label = category(one.label.value)
        if label in spec.labels:
            found.append({**_inputs(one.prediction.input, spec), spec.target.column: label})
    frame = pd.DataFrame(found, columns=[*spec.columns, spec.target.column])
    return schema.conform(frame, spec)


def _inputs(logged: dict[str, Any], spec: ModelSpec) -> dict[str, Any]:
    if spec.input.text:
        return {spec.input.text: logged.get("message")}
    return dict(logged.get("features") or {})


def _rows(frame: pd.DataFrame, mask: Any) -> pd.DataFrame:  # noqa: ANN401 (a boolean array)
    kept: pd.DataFrame = frame[mask].reset_index(drop=True)
    return kept


def reference(train: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Return the sample that monitoring compares with: training rows without repetitions."""
    _keys, first = np.unique(schema.row_keys(train, spec), return_index=True)
    rng = np.random.default_rng(spec.seed)
    size = min(len(first), spec.monitoring.reference_rows)
    return train.iloc[np.sort(rng.choice(first, size, replace=False))].reset_index(drop=True)


def seen_by(
    settings: Settings,
    session: Session,
    champion: ModelVersion,
    test: pd.DataFrame,
    spec: ModelSpec,
) -> Any:  # noqa: ANN401 (a boolean array)
    """Return which test rows the champion was trained on; these cannot judge it fairly."""
    try:
        return learnt_by(settings, session, champion, test, spec)
    except NotFoundError:  # its rows were deleted on request: nothing can be compared
        return np.zeros(len(test), dtype=bool)


def learnt_by(
    settings: Settings, session: Session, version: ModelVersion, rows: pd.DataFrame, spec: ModelSpec
) -> Any:  # noqa: ANN401 (a boolean array)
    """Return which rows say the same as one that a version was trained on.

    Raises: NotFoundError (its data is no longer stored).
    """
    learnt, judged = (
        schema.conform(
            derived.complete_in(
                session, versions.frame(settings, versions.get(session, dataset)), spec
            ),
            spec,
        )
        for dataset in (version.train_dataset_id, version.test_dataset_id)
    )
    keys = schema.row_keys(rows, spec)
    return np.isin(keys, schema.row_keys(learnt, spec)) & ~np.isin(
        keys, schema.row_keys(judged, spec)
    )


def unlearnt(
    settings: Settings,
    session: Session,
    known_to: tuple[ModelVersion, ...],
    spec: ModelSpec,
    *,
    more: pd.DataFrame,
) -> pd.DataFrame:
    """Return `more` and the labelled production rows, each kind once, that none of these learnt.

    Raises: NotFoundError (the data of one of them is no longer stored).
    """
    rows = pd.concat([_production(_labelled(session, spec), spec), more], ignore_index=True)
    rows = _unlike(rows, np.array([], dtype=np.uint64), spec)
    for version in known_to:
        rows = _rows(rows, ~learnt_by(settings, session, version, rows, spec))
    return rows


WORKER = system("worker")
