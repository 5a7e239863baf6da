"""Pipelines that were trained elsewhere: judged like our own, or refused in one sentence."""

import io
import json
import pickle
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC
from sqlalchemy import func, select

from core import audit, registry, runs, specs
from core.datasets import versions
from core.errors import ForbiddenError, InvalidInputError
from core.serving import scorer
from core.serving.boosted import LightGBM
from core.tables.entities import DatasetVersion, ModelVersion, Run
from core.training import registering

SPEC = """
name: churn
title: Churn
task: tabular
target: {column: left, positive: "yes", negative: "no"}
input: {features: [{name: months, type: numeric}, {name: plan, type: category}]}
candidates: [{kind: logistic_regression}]
validation: {min_rows: 60, min_test_rows: 20, max_duplicate_share: 0.9}
gate: {floor: 0.6}
"""


def rows(n=400, seed=3):
    rng = np.random.default_rng(seed)
    months = np.round(rng.uniform(0, 60, n), 3)
    plan = rng.choice(np.array(["basic", "plus"], dtype=object), n)
    left = np.where(months + 20 * (plan == "plus") + rng.normal(0, 4, n) < 32, "yes", "no")
    return pd.DataFrame({"months": months, "plan": plan, "left": left})


def columns():
    return ColumnTransformer(
        [
            ("numbers", SimpleImputer(), ["months"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["plan"]),
        ]
    )


def learnt(frame, last=None, target="left"):
    pipeline = make_pipeline(columns(), last or LogisticRegression(max_iter=500))
    return pipeline.fit(frame[["months", "plan"]], frame[target])


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """The transaction is the same over either database; a training's tests cover both."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def churn(db, settings, ana):
    specs.apply(db, ana, SPEC)
    versions.load(db, ana, settings, "churn", frame=rows(), source="a test")
    return "churn"


@pytest.fixture
def take(db, settings, ana, churn):
    def register(pipeline, **how):
        content = pipeline if isinstance(pipeline, bytes) else skops.io.dumps(pipeline)
        return registering.register(db, settings, how.pop("actor", ana), churn, content, **how)

    return register


def test_a_pipeline_from_elsewhere_becomes_a_version_that_serves_as_it_did(take, settings):
    pipeline = learnt(rows(seed=9))
    version = take(pipeline, trained_on=rows(seed=9), name="our churn model")
    assert (version.version, version.algorithm) == ("1.0.0", "our churn model")
    loaded = scorer.load(settings, version)
    said = loaded.score([loaded.check({"months": 10, "plan": "basic"})])[0]
    mine = pipeline.predict_proba(pd.DataFrame({"months": [10.0], "plan": ["basic"]}))[0]
    assert list(said.probabilities.values()) == pytest.approx(list(mine))


def test_it_has_a_run_of_its_own_and_one_row_in_the_audit_trail(take, db):
    version = take(learnt(rows(seed=9)), reason="from the lab")
    with db.read() as session:
        run = runs.get(session, version.run_id)
        trail = audit.tail(session, action="version.register")
    assert (run.kind, run.state, run.version) == ("register", "finished", "1.0.0")
    assert [(row.actor, row.reason) for row in trail] == [("ana", "from the lab")]


def test_known_training_rows_do_not_judge_it_and_the_gate_may_promote(take, db, settings):
    everything = rows()
    seen = everything.head(200)
    version = take(learnt(seen), trained_on=seen)
    with db.read() as session:
        judges = versions.frame(settings, versions.get(session, version.test_dataset_id))
        train = versions.get(session, version.train_dataset_id)
    assert not set(judges["months"]) & set(seen["months"])
    assert version.gate["answer"] == "promote"
    assert train.n_rows == 200


def test_unknown_training_rows_are_said_and_never_promoted(take):
    gate = take(learnt(rows())).gate
    assert gate["answer"] == "not_enough_evidence"
    assert gate["reasons"][0].startswith("what it was trained on is not known")
    assert gate["overlap"] == "unknown"


def test_a_bad_model_is_refused_whatever_it_was_trained_on(take):
    upside_down = rows(seed=9).assign(left=lambda f: np.where(f["left"] == "yes", "no", "yes"))
    version = take(learnt(upside_down))
    assert (version.gate["answer"], version.state) == ("refuse", "rejected")


def test_too_few_rows_that_it_has_not_learnt_are_named(take):
    with pytest.raises(InvalidInputError, match="trained on all but 0; 20 are needed.*--data"):
        take(learnt(rows()), trained_on=rows())


def test_the_next_one_is_compared_with_what_serves(take, db, worker):
    from core import releases

    take(learnt(rows(seed=9)), trained_on=rows(seed=9))
    with db.command(worker, "release.promote") as command:
        releases.promote(command, "churn", "1.0.0", replaces=0, reason="test")
    second = take(learnt(rows(seed=9)), trained_on=rows(seed=9))
    assert second.gate["champion"] == "1.0.0"
    assert second.gate["answer"] == "not_enough_evidence"


def test_what_matters_to_it_is_kept(take):
    kept = take(learnt(rows(seed=9))).explanation
    assert {one["name"] for one in kept["features"]} == {"months", "plan"}


class Own(ClassifierMixin, BaseEstimator):
    """Code of somebody's own."""

    def fit(self, _x, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x):
        return np.full((len(x), 2), 0.5)


def older(pipeline):
    """The same file, as an older scikit-learn would have written it."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(pipeline))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    import sklearn

    here, old = json.dumps(sklearn.__version__)[1:-1], "1.2.0"
    parts["schema.json"] = parts["schema.json"].replace(here.encode(), old.encode())
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return written.getvalue()


def zipped(**files):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_json", ".json"), content)
    return written.getvalue()


def renamed(frame):
    return frame.rename(columns={"months": "age"})


def no_imputer():
    frame = rows()
    from sklearn.preprocessing import StandardScaler

    plain = ColumnTransformer([("numbers", StandardScaler(), ["months"])])
    return make_pipeline(plain, LogisticRegression()).fit(frame[["months", "plan"]], frame["left"])


def strict_categories():
    frame = rows()
    strict = ColumnTransformer(
        [("numbers", SimpleImputer(), ["months"]), ("words", OneHotEncoder(), ["plan"])]
    )
    return make_pipeline(strict, LogisticRegression()).fit(frame[["months", "plan"]], frame["left"])


def other_columns():
    frame = renamed(rows())
    plain = ColumnTransformer([("numbers", SimpleImputer(), ["age"])])
    return make_pipeline(plain, LogisticRegression()).fit(frame[["age", "plan"]], frame["left"])


def numbers_for_labels():
    return learnt(rows().assign(left=lambda f: (f["left"] == "yes").astype(int)))


def regressor():
    frame = rows()
    target = (frame["left"] == "yes").astype(float)
    return make_pipeline(columns(), LinearRegression()).fit(frame[["months", "plan"]], target)


REFUSED = {
    "pickle": (lambda: pickle.dumps(learnt(rows())), "pickle or joblib file.*skops.io.dump"),
    "text": (lambda: b"hello", "no skops file"),
    "another zip": (lambda: zipped(a="1"), "a zip archive but no skops file"),
    "a broken schema": (lambda: zipped(schema_json='{"__class__": 1}'), "damaged"),
    "own code": (lambda: Own().fit(None, ["no", "yes"]), r"not trusted: .*\.Own\. "),
    "our own types": (
        lambda: learnt(rows(), LightGBM(n_estimators=5)),
        "holds LightGBM, which only",
    ),
    "older": (lambda: older(learnt(rows())), r"scikit-learn 1\.2\.0, and .* runs here"),
    "regressor": (regressor, "LinearRegression answers with numbers"),
    "no probabilities": (lambda: learnt(rows(), LinearSVC()), "LinearSVC has no predict_proba"),
    "labels": (numbers_for_labels, "answers 0 and 1, the spec wants no and yes"),
    "inputs": (other_columns, r"columns months, plan\): .*age"),
    "nothing imputed": (no_imputer, "everything is missing"),
    "strict": (strict_categories, "not learnt"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_does_not_fit_is_refused_in_a_sentence_and_nothing_is_kept(take, db, kind):
    make, words = REFUSED[kind]
    with pytest.raises(InvalidInputError, match=words):
        take(make())
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(ModelVersion)) == 0
        assert session.scalar(select(func.count()).select_from(Run)) == 0


def test_nobody_registers_without_the_right_and_nothing_is_kept_by_halves(take, db, vic):
    with pytest.raises(ForbiddenError):
        take(learnt(rows(seed=9)), actor=vic)
    with db.read() as session:
        assert registry.versions(session, "churn") == []
        roles = session.scalars(select(DatasetVersion.role)).all()
    assert roles == ["train"]


def test_data_is_not_touched_for_one_who_may_not_register_and_the_try_is_kept(
    take, db, vic, monkeypatch
):
    monkeypatch.setattr(registering.data, "prepare", None)
    with pytest.raises(ForbiddenError):
        take(b"no model", actor=vic)
    with db.read() as session:
        (row,) = audit.tail(session, action="version.register")
    assert (row.actor, row.outcome) == ("vic", "refused")
