"""The two models, fitted once: in an installation of ours, as a joblib file, as an MLflow model."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import orjson
import pandas as pd
from sklearn.pipeline import Pipeline

from core import keys, migrations, releases, specs
from core.access import local, system
from core.clock import utc_now
from core.datasets import schema, sources
from core.db import Database
from core.serving import artifacts
from core.settings import ROOT, Settings
from core.specs import Candidate, ModelSpec
from core.tables.entities import ModelVersion
from core.training import data, pipelines
from core.training.run import planned

SECRET = "only-for-benchmarks-0123456789abcdefghij"
_BODIES = 500
_SAVE_WITH_MLFLOW = """
import sys, joblib, mlflow
mlflow.sklearn.save_model(
    joblib.load(sys.argv[1]), sys.argv[2], pyfunc_predict_fn="predict_proba",
    pip_requirements=["scikit-learn"], serialization_format="cloudpickle",
)
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One fitted pipeline in all its forms, and what is asked of it."""

    name: str
    title: str
    source: str
    folder: Path
    settings: Settings
    key: str
    plan_mb: float
    bodies: dict[str, list[bytes]]  # by server: the JSON that it wants

    @property
    def joblib_file(self) -> Path:
        """The pipeline as tutorials keep it."""
        return self.folder / "model.joblib"

    @property
    def mlflow_folder(self) -> Path:
        """The pipeline as MLflow keeps it."""
        return self.folder / "mlflow-model"


def text(folder: Path) -> Case:
    """Words and word pairs of text messages, weighted, into a logistic regression."""
    return _case("text", "sms_spam", Candidate(kind="logistic_regression"), folder)


def forest(folder: Path) -> Case:
    """30 numbers of a tissue sample into 200 trees."""
    trees = Candidate(kind="random_forest", parameters={"n_estimators": 200})
    return _case("forest", "breast_cancer", trees, folder)


def _case(name: str, model: str, candidate: Candidate, folder: Path) -> Case:
    folder.mkdir()
    settings = _settings(folder / "home")
    spec = specs.parse((settings.specs_dir / f"{model}.yaml").read_text())
    loaded = sources.read(spec, settings)
    rows = schema.conform(loaded.frame, spec)
    fitted = _fitted(candidate, spec, rows)
    key, digest = _install(settings, spec, fitted, rows)
    case = Case(
        name,
        f"{spec.title}: {candidate.kind.replace('_', ' ')}",
        loaded.sentence,
        folder,
        settings,
        key,
        artifacts.path(settings, digest, artifacts.PLAN).stat().st_size / 2**20,
        _bodies(schema.inputs(rows, spec), spec.name),
    )
    joblib.dump(fitted, case.joblib_file)
    subprocess.run(
        [sys.executable, "-c", _SAVE_WITH_MLFLOW, str(case.joblib_file), str(case.mlflow_folder)],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    return case


def _settings(home: Path) -> Settings:
    home.mkdir()
    given = Settings()
    beside = ROOT.parent / "shared" / "data"
    return Settings(
        _env_file=None,
        env="test",
        offline=True,
        home=home,
        database_url=f"sqlite:///{home / 'pilothouse.db'}",
        secret_key=SECRET,
        data_dir=given.data_dir or (beside if beside.is_dir() else None),
    )


def _fitted(candidate: Candidate, spec: ModelSpec, rows: pd.DataFrame) -> Pipeline:
    inputs, target = schema.inputs(rows, spec), rows[spec.target.column]
    features = pipelines.features(spec)
    numbers = features.fit_transform(inputs, target)
    model = pipelines.model(candidate, spec).fit(numbers, target)
    return pipelines.assembled(features, model)


def _install(
    settings: Settings, spec: ModelSpec, fitted: Pipeline, rows: pd.DataFrame
) -> tuple[str, str]:
    """Register and release the pipeline; return a key for it, and the digest of its plan."""
    db, worker = Database(settings, utc_now), system("worker")
    migrations.upgrade(db)
    specs.install(db, settings.specs_dir)
    digest, note = planned(settings, fitted, rows, spec)
    if digest is None:
        raise SystemExit(f"this pipeline got no plan: {note}")
    with db.command(worker, "version.register") as command:
        version = ModelVersion(
            **dict.fromkeys(("train_dataset_id", "test_dataset_id", "reference_dataset_id"), "-"),
            **{"model": spec.name, "version": "1.0.0", "number": 1, "state": "candidate"},
            **{"run_id": "-", "algorithm": "-", "metrics": {}, "gate": {}, "threshold": 0.5},
            artifact=artifacts.save(settings, fitted),
            plan=digest,
            plan_note=note,
            signature=data.signature(spec),
            at=command.now,
        )
        command.session.add(version)
    with db.command(system("bootstrap"), "release.first") as command:
        releases.promote(command, spec.name, "1.0.0", replaces=0, reason="a benchmark")
    _, key = keys.create(db, local("bench"), name="bench", scopes=["predict"])
    db.engine.dispose()
    return key, digest


def _bodies(inputs: Any, model: str) -> dict[str, list[bytes]]:  # noqa: ANN401 (list of texts, or a frame)
    if isinstance(inputs, list):
        texts = inputs[:_BODIES]
        ours = [orjson.dumps({"message": one}) for one in texts]
        return {
            "ours": ours,
            "tutorial": ours,
            "mlflow": [orjson.dumps({"inputs": [one]}) for one in texts],
        }
    rows = [
        {k: float(v) for k, v in one.items()} for one in inputs.head(_BODIES).to_dict("records")
    ]
    return {
        "ours": [orjson.dumps({"model": model, "features": row}) for row in rows],
        "tutorial": [orjson.dumps(row) for row in rows],
        "mlflow": [orjson.dumps({"dataframe_records": [row]}) for row in rows],
    }
