"""Shows finished trainings in MLflow: a view for people, never needed to train or to serve."""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.clock import epoch_ms
from core.errors import UnavailableError
from core.serving import artifacts
from core.settings import Settings

if TYPE_CHECKING:
    from core.training.tracking import FinishedRun

SECONDS, RETRIES = 4, 0  # a server that is away costs a training a few seconds, once
_LIBRARIES = {
    "core.serving.boosted.LightGBM": "lightgbm",
    "core.serving.boosted.XGBoost": "xgboost",
    "core.serving.onnx_text.OnnxText": "onnxruntime",
}
FIGURES = ("accuracy", "f1", "precision", "recall", "roc_auc", "brier")


class MlflowStore:
    """The tracking server of the settings: a SQLite file beside our database unless set."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def log(self, run: "FinishedRun") -> str | None:
        """Keep a run: parameters, metrics per fold and in all, figures, data, model; its id there.

        Raises: UnavailableError (the server is away, or refused; with the reason).
        """
        with self.answering():
            return self._log(run)

    def client(self) -> Any:  # noqa: ANN401
        """Return a client of the tracking server, with limits that suit a short visit."""
        _prepare()
        import mlflow

        mlflow.set_tracking_uri(self._settings.tracking_uri)
        return mlflow.MlflowClient()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn any failure of the server into `UnavailableError`, without passwords in it."""
        _prepare()
        import requests
        from mlflow.exceptions import MlflowException

        try:
            yield
        except (MlflowException, requests.RequestException, OSError) as error:
            kind = type(error.__cause__ or error).__name__  # its text may hold the password
            raise UnavailableError(
                f"MLflow at {self._address()} does not answer, or refused ({kind})"
            ) from error

    def _address(self) -> str:
        """Return the server without a user's name or password in it."""
        parts = urlsplit(self._settings.tracking_uri)
        return parts.hostname or parts.scheme

    def _log(self, run: "FinishedRun") -> str:
        client = self.client()
        experiment = client.get_experiment_by_name(run.model)
        experiment_id = experiment.experiment_id if experiment else self.create(client, run.model)
        if known := _known(client, experiment_id, run.run_id):
            return known
        started = client.create_run(
            experiment_id,
            start_time=epoch_ms(run.started_at),
            run_name=f"{run.model} {run.version}",
            tags=_tags(run),
        )
        run_id = str(started.info.run_id)
        client.log_batch(run_id, metrics=_metrics(run), params=_parameters(run))
        client.log_inputs(run_id, datasets=[_dataset(run)])
        self._log_files(client, run_id, run)
        client.set_terminated(run_id, "FINISHED", end_time=epoch_ms(run.finished_at))
        return run_id

    def create(self, client: Any, experiment: str) -> str:  # noqa: ANN401
        """Make an experiment whose files lie where the settings say; returns its id."""
        return str(client.create_experiment(experiment, artifact_location=self._artifacts()))

    def _artifacts(self) -> str | None:
        """Return where files go: beside the SQLite store, or where a server wants them."""
        if self._settings.tracking_uri.startswith("sqlite"):
            return self._settings.folder("mlartifacts").as_uri()
        return None

    def _log_files(self, client: Any, run_id: str, run: "FinishedRun") -> None:  # noqa: ANN401
        from matplotlib.figure import Figure

        client.log_dict(run_id, {"leaderboard": run.leaderboard}, "leaderboard.json")
        client.log_dict(run_id, run.gate, "gate.json")
        client.log_text(run_id, run.card, "model_card.md")
        client.log_figure(run_id, _confusion(Figure(figsize=(4, 4)), run), "confusion.png")
        client.log_figure(run_id, _curves(Figure(figsize=(8, 4)), run), "curves.png")
        with tempfile.TemporaryDirectory() as folder:
            _write_model(Path(folder), run_id, run)
            client.log_artifacts(run_id, folder, "model")


def _known(client: Any, experiment_id: str, run_id: str) -> str | None:  # noqa: ANN401
    """Return the run that shows this training already; end what an interrupted attempt left."""
    found = client.search_runs([experiment_id], f"tags.`pilothouse.run_id` = '{run_id}'")
    for earlier in found:
        if earlier.info.status == "FINISHED":
            return str(earlier.info.run_id)
        if earlier.info.status == "RUNNING":
            client.set_terminated(earlier.info.run_id, "KILLED")
    return None


def _prepare() -> None:
    """Set, for this process: no telemetry, no catalogue, a server that is away fails in seconds."""
    settings = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_MODEL_CATALOG_URI": "",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(SECONDS),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(RETRIES),
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
        "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    os.environ.update(settings)  # noqa: TID251, MLflow reads its limits from nowhere else
    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _tags(run: "FinishedRun") -> dict[str, str]:
    return {
        "mlflow.source.name": "pilothouse",
        "pilothouse.run_id": run.run_id,
        "pilothouse.model": run.model,
        "pilothouse.version": run.version,
        "pilothouse.kind": run.kind,
        "pilothouse.trigger": run.trigger,
        "pilothouse.gate": str(run.gate.get("answer")),
        "pilothouse.artifact_sha256": Path(run.artifact_path).stem,
    }


def _parameters(run: "FinishedRun") -> list[Any]:
    from mlflow.entities import Param

    return [Param(name, str(value)[:500]) for name, value in run.parameters.items()]


def _metrics(run: "FinishedRun") -> list[Any]:
    """Return the figures of the version, the folds of the chosen candidate, and all means."""
    from mlflow.entities import Metric

    at = epoch_ms(run.finished_at)
    found = [Metric(name, float(run.metrics[name]), at, 0) for name in FIGURES]
    for name, (low, high) in run.metrics["intervals"].items():
        found += [Metric(f"{name}_low", low, at, 0), Metric(f"{name}_high", high, at, 0)]
    folds = run.leaderboard[0]["folds"] if run.leaderboard else {}  # none: trained elsewhere
    for name, values in folds.items():
        found += [Metric(f"cv_{name}", value, at, fold) for fold, value in enumerate(values)]
    for place, row in enumerate(run.leaderboard):
        label = f"candidate_{place + 1}_{row['kind']}"
        found += [Metric(f"{label}_{name}", value, at, 0) for name, value in row["mean"].items()]
    return found


def _dataset(run: "FinishedRun") -> Any:  # noqa: ANN401
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=run.model,
        digest=run.dataset_digest[:36],
        source_type="local",
        source=json.dumps({"said": run.dataset_source}),
        schema=json.dumps({"input": run.signature["input"]}),
        profile=json.dumps({"num_rows": run.dataset_rows}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _confusion(figure: Any, run: "FinishedRun") -> Any:  # noqa: ANN401
    counts = run.metrics["confusion"]
    table = [[counts["tn"], counts["fp"]], [counts["fn"], counts["tp"]]]
    positive = run.signature["positive"]
    names = [next(label for label in run.signature["labels"] if label != positive), positive]
    axes = figure.subplots()
    axes.imshow(table, cmap="Blues")
    for row, line in enumerate(table):
        for column, count in enumerate(line):
            axes.text(column, row, f"{count:,}", ha="center", va="center")
    axes.set(xticks=[0, 1], yticks=[0, 1], xticklabels=names, yticklabels=names)
    axes.set(xlabel="predicted", ylabel="true", title=f"{run.model} {run.version}")
    return figure


def _curves(figure: Any, run: "FinishedRun") -> Any:  # noqa: ANN401
    left, right = figure.subplots(1, 2)
    for axes, name, x, y in (
        (left, "roc", "false positive rate", "true positive rate"),
        (right, "pr", "recall", "precision"),
    ):
        points = run.metrics[name]
        axes.plot([point[0] for point in points], [point[1] for point in points])
        axes.set(xlabel=x, ylabel=y, title=name.upper(), xlim=(0, 1), ylim=(0, 1.02))
    return figure


def _write_model(folder: Path, run_id: str, run: "FinishedRun") -> None:
    """Lay out a model that ``mlflow.sklearn.load_model`` reads, with signature and example."""
    import sklearn
    from mlflow import pyfunc
    from mlflow.models import Model, infer_signature

    example, described = _example(run)
    model = Model(run_id=run_id, artifact_path="model")
    model.signature = infer_signature(example, [run.signature["labels"][0]])
    model.saved_input_example_info = {"artifact_path": "input_example.json", **described}
    pyfunc.add_to_model(
        model, loader_module="mlflow.sklearn", model_path="model.skops", predict_fn="predict"
    )
    model.add_flavor(
        "sklearn",
        pickled_model="model.skops",
        sklearn_version=sklearn.__version__,
        serialization_format="skops",
        skops_trusted_types=list(artifacts.TRUSTED),
        code=None,
    )
    shutil.copyfile(run.artifact_path, folder / "model.skops")
    (folder / "requirements.txt").write_text(requirements(Path(run.artifact_path)))
    model.save(str(folder / "MLmodel"))
    kept = example if isinstance(example, list) else example.to_dict("split")
    content = {"inputs": kept} if isinstance(kept, list) else kept
    (folder / "input_example.json").write_text(json.dumps(content, default=str))


def _example(run: "FinishedRun") -> tuple[Any, dict[str, str]]:
    if run.signature["task"] == "text":
        return run.examples, {"type": "ndarray", "format": "tf-serving"}
    import pandas as pd

    frame = pd.DataFrame(run.examples)
    return frame, {"type": "dataframe", "pandas_orient": "split"}


def requirements(artifact: Path) -> str:
    """Return what to install to load a model file, one ``name==version`` a line."""
    from importlib.metadata import packages_distributions, version

    import skops.io

    held = set(skops.io.get_untrusted_types(file=artifact))
    libraries = [library for type_, library in _LIBRARIES.items() if type_ in held]
    names = ["scikit-learn", "skops", "numpy", "pandas"]
    if libraries:
        providers = packages_distributions()
        names += [providers[library][0] for library in libraries]
    return "".join(f"{name}=={version(name)}\n" for name in names)
