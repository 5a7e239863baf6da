import shutil
import socket
import threading
from datetime import timedelta

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from core import jobs, runs, specs
from core.adapters.mlflow_registry import MlflowRegistry
from core.adapters.mlflow_store import MlflowStore, requirements
from core.clock import monotonic
from core.errors import UnavailableError
from core.serving import artifacts
from core.serving.boosted import LightGBM, XGBoost
from core.training import tracking
from core.training.run import carry_out
from core.training.tracking import FinishedRun

SPEC = """
name: small
title: Small
task: tabular
target: {column: diagnosis, positive: malignant, negative: benign}
input: {features: [{name: mean_radius, type: numeric}, {name: mean_texture, type: numeric}]}
source: {builtin: breast_cancer}
candidates: [{kind: logistic_regression}]
folds: 2
"""
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """The file of an empty tracking server: laying its tables out takes a second."""
    import mlflow

    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture(autouse=True)
def _empty_server(laid_out, settings):
    shutil.copy(laid_out, settings.home)


@pytest.fixture
def trained(db, settings, ana):
    """Train and track one model; return the run's row."""

    def work(settings=settings):
        specs.apply(db, ana, SPEC)
        run = runs.request(db, ana, "small", trigger="test")
        claim = jobs.claim(db, "one", lease=timedelta(minutes=5))
        carry_out(settings, db, claim, run.id, MlflowRegistry(settings))
        with db.read() as session:
            lines = [line.text for line in jobs.lines(session, run.job_id)]
            return runs.get(session, run.id), lines

    return work


def finished(**changes):
    fields = dict.fromkeys(FinishedRun.__dataclass_fields__, "x")
    return FinishedRun(**{**fields, **changes})


def test_a_training_is_shown_with_figures_folds_data_plots_and_a_model_that_loads(
    trained, settings
):
    import mlflow

    run, lines = trained()
    assert run.mlflow_run_id, lines
    mlflow.set_tracking_uri(settings.tracking_uri)
    client = mlflow.MlflowClient()
    there = client.get_run(run.mlflow_run_id)
    assert there.info.status == "FINISHED"
    assert client.get_experiment(there.info.experiment_id).name == "small"
    assert there.data.tags["pilothouse.version"] == "1.0.0"
    assert there.data.tags["pilothouse.run_id"] == run.id
    assert there.data.metrics["accuracy"] == pytest.approx(run.metrics["accuracy"])
    assert len(client.get_metric_history(run.mlflow_run_id, "cv_f1")) == 2
    assert there.data.params["algorithm"] == "logistic_regression"
    assert there.data.params["decision_threshold"] == "0.5"
    assert there.inputs.dataset_inputs[0].dataset.name == "small"
    files = {file.path for file in client.list_artifacts(run.mlflow_run_id)}
    assert {"confusion.png", "curves.png", "gate.json", "leaderboard.json", "model"} <= files
    card = mlflow.artifacts.load_text(f"{there.info.artifact_uri}/model_card.md")
    assert card.startswith("# Small, version 1.0.0")
    model = mlflow.pyfunc.load_model(f"runs:/{run.mlflow_run_id}/model")
    assert model.metadata.signature.inputs.input_names() == ["mean_radius", "mean_texture"]
    assert set(model.predict(model.input_example)) <= {"benign", "malignant"}


@pytest.mark.parametrize(
    ("model", "library"),
    [
        (LogisticRegression(), None),
        (LightGBM(n_estimators=2), "lightgbm"),
        (XGBoost(n_estimators=2), "xgboost"),
    ],
)
def test_what_a_model_needs_to_load_is_listed(settings, model, library):
    rows = np.arange(40.0).reshape(-1, 1)
    digest = artifacts.save(settings, model.fit(rows, ["no", "yes"] * 20))
    lines = requirements(artifacts.path(settings, digest)).splitlines()
    found = {line.partition("==")[0].removesuffix("-cpu") for line in lines}
    assert found - {"scikit-learn", "skops", "numpy", "pandas"} == ({library} - {None})


def test_a_server_that_refuses_fails_at_once_and_its_password_is_not_repeated(settings):
    uri = "http://mary:s3cret@127.0.0.1:9"
    store = MlflowStore(settings.model_copy(update={"mlflow_tracking_uri": uri}))
    started = monotonic()
    with pytest.raises(UnavailableError, match=r"MLflow at 127\.0\.0\.1 does not answer") as away:
        store.log(finished())
    assert monotonic() - started < 20  # the client's own patience is minutes
    assert "s3cret" not in str(away.value)


def test_a_server_that_never_answers_costs_seconds_and_leaves_a_note(trained, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        held: list[socket.socket] = []
        threading.Thread(target=lambda: held.append(silent.accept()[0]), daemon=True).start()
        started = monotonic()
        run, lines = trained(settings.model_copy(update={"mlflow_tracking_uri": address}))
        assert monotonic() - started < 15
    assert (run.state, run.version, run.mlflow_run_id) == ("finished", "1.0.0", None)
    assert any(line.startswith("not shown on the tracking server: Unavail") for line in lines)


def test_a_training_that_is_shown_already_is_not_shown_twice(trained, settings, db):
    import mlflow

    run, _ = trained()
    with db.command(runs.WORKER, "run.finish") as command:
        runs.get(command.session, run.id).mlflow_run_id = None
    again = tracking.once(db, settings, MlflowStore(settings), run.id)
    assert again == run.mlflow_run_id
    mlflow.set_tracking_uri(settings.tracking_uri)
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("small").experiment_id
    assert len(client.search_runs([experiment])) == 1


def test_what_an_interrupted_attempt_left_is_ended_and_the_training_shown(trained, settings, db):
    import mlflow

    run, _ = trained()
    mlflow.set_tracking_uri(settings.tracking_uri)
    client = mlflow.MlflowClient()
    client.update_run(run.mlflow_run_id, status="RUNNING")
    with db.command(runs.WORKER, "run.finish") as command:
        runs.get(command.session, run.id).mlflow_run_id = None
    again = tracking.once(db, settings, MlflowStore(settings), run.id)
    assert again != run.mlflow_run_id
    assert client.get_run(run.mlflow_run_id).info.status == "KILLED"
    assert client.get_run(again).info.status == "FINISHED"


@pytest.fixture
def elsewhere(settings):
    import mlflow

    mlflow.set_tracking_uri(settings.tracking_uri)
    return mlflow.MlflowClient()


def test_a_version_that_was_trained_elsewhere_is_shown_without_folds(
    trained, settings, db, elsewhere
):
    run, _ = trained()
    elsewhere.set_terminated(run.mlflow_run_id, "FAILED")
    with db.command(runs.WORKER, "run.finish") as command:
        row = runs.get(command.session, run.id)
        row.mlflow_run_id, row.leaderboard = None, []
    there = elsewhere.get_run(tracking.once(db, settings, MlflowStore(settings), run.id))
    assert there.info.status == "FINISHED"
    assert there.data.metrics["f1"] == pytest.approx(run.metrics["f1"])


def test_versions_carry_our_number_as_a_tag_and_aliases_follow_what_serves(
    trained, settings, elsewhere
):
    trained()
    shelf = MlflowRegistry(settings)
    shelf.point("small", {"champion": "1.0.0", "challenger": "1.0.0"}, shown=set())
    there = elsewhere.get_model_version_by_alias("small", "champion")
    assert there.tags["pilothouse.version"] == "1.0.0"
    shelf.point("small", {"champion": "1.0.0"}, shown=set())
    assert elsewhere.get_registered_model("small").aliases == {"champion": there.version}


def test_a_version_that_was_only_tracked_is_registered_when_an_alias_needs_it(
    trained, settings, elsewhere
):
    trained()
    elsewhere.delete_registered_model("small")
    MlflowRegistry(settings).point("small", {"champion": "1.0.0"}, shown=set())
    assert elsewhere.get_model_version_by_alias("small", "champion").tags["pilothouse.version"]


def test_an_alias_waits_for_a_version_that_is_not_shown_yet_and_the_others_move(
    trained, settings, elsewhere
):
    trained()
    shelf = MlflowRegistry(settings)
    shelf.point("small", {"champion": "1.0.0"}, shown=set())
    with pytest.raises(UnavailableError, match=r"does not know small 9\.0\.0 yet"):
        shelf.point("small", {"champion": "9.0.0", "previous": "1.0.0"}, shown={"9.0.0"})
    assert elsewhere.get_registered_model("small").aliases.keys() == {"champion", "previous"}
    skipped = shelf.point("small", {"champion": "9.0.0", "previous": "1.0.0"}, shown={"1.0.0"})
    assert skipped == {"9.0.0"}
    assert elsewhere.get_registered_model("small").aliases.keys() == {"previous"}
