"""Small real models for tests that serve: trained in milliseconds, kept as real artifacts."""

from functools import cache

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from core import features, releases, specs
from core.access import local, system
from core.serving import artifacts, compiling
from core.tables.entities import ModelVersion
from core.training import pipelines

NAMES = "features", "model"
HAM = ["see you at lunch", "are you home yet", "call me after work", "ok thanks"]
SPAM = ["win a free prize now", "claim your cash reward", "free entry win win", "urgent prize"]
TEXT_SPEC = """
name: sms_spam
title: SMS spam
task: text
target: {column: label, positive: spam, negative: ham}
input: {text: message}
candidates: [{kind: logistic_regression}, {kind: complement_nb}]
"""
TABLE_SPEC = """
name: heart_disease
title: Heart disease
task: tabular
target: {column: num, positive: disease, negative: healthy}
input: {features: [{name: age, type: numeric}, {name: sex, type: category}]}
candidates: [{kind: logistic_regression}]
"""
TEXT = {"task": "text", "input": {"text": "message"}, "labels": ["ham", "spam"], "positive": "spam"}
TABLE = {
    "task": "tabular",
    "input": {
        "features": [{"name": "age", "type": "numeric"}, {"name": "sex", "type": "category"}]
    },
    "labels": ["disease", "healthy"],
    "positive": "disease",
}


@cache
def text_pipeline(flipped=False):
    labels = ["ham"] * len(HAM) + ["spam"] * len(SPAM)
    if flipped:
        labels.reverse()
    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=100)).fit(HAM + SPAM, labels)


@cache
def table_pipeline():
    frame = pd.DataFrame({"age": [30.0, 40.0, None, 70.0], "sex": ["0", "1", "0", "1"]})
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(), ["age"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["sex"]),
        ]
    )
    return make_pipeline(columns, LogisticRegression()).fit(
        frame, ["healthy", "healthy", "disease", "disease"]
    )


def text_plan(flipped=False):
    """`text_pipeline` under the names that a plan is made for."""
    return Pipeline(named(text_pipeline(flipped)))


@cache
def table_plan():
    """A pipeline like `table_pipeline` for which there is a plan."""
    frame = pd.DataFrame({"age": [30.0, 40.0, 50.0, 70.0], "sex": ["0", "1", "0", "1"]})
    steps = [("features", pipelines.features(specs.parse(TABLE_SPEC)))]
    built = Pipeline([*steps, ("model", LogisticRegression())])
    return built.fit(frame, ["healthy", "healthy", "disease", "disease"])


def named(pipeline):
    return [(name, step) for name, (_, step) in zip(NAMES, pipeline.steps, strict=True)]


def apply_specs(db, actor):
    for text in (TEXT_SPEC, TABLE_SPEC):
        specs.apply(db, actor, text)


SHARED = {
    **TABLE,
    "input": {
        "features": [
            {"name": "age", "type": "numeric", "definition": "age@1"},
            {"name": "sex", "type": "category", "definition": "sex@1"},
        ]
    },
}


def share_features(db, actor, monkeypatch):
    """From now on the tabular model looks its age up (30 days old at most); sex is a mail's domain.

    Nonsense, but both ways to share a feature.
    """
    features.define(db, actor, "age", type="numeric", how="lookup", body="30", entity="patient")
    how = {"how": "function", "body": "email_domain", "inputs": {"mail": "text"}}
    features.define(db, actor, "sex", type="category", **how)
    monkeypatch.setitem(globals(), "TABLE", SHARED)


def register(db, settings, model, version, *, flipped=False, pipeline=None, **metrics):
    """Register a version with a real artifact; `metrics` replace or add to the usual ones."""
    if pipeline is None:
        pipeline = table_pipeline() if model == "heart_disease" else text_pipeline(flipped)
    digest = artifacts.save(settings, pipeline)
    with db.command(system("worker"), "version.register") as command:
        row = ModelVersion(
            model=model,
            version=version,
            number=int(version.split(".")[0]),
            state="candidate",
            run_id=f"run-{model}-{version}",
            algorithm="logistic_regression",
            artifact=digest,
            signature=TABLE if model == "heart_disease" else TEXT,
            metrics={"accuracy": 0.9 + int(version[0]) / 100, "f1": 0.9, **metrics},
            gate={},
            train_dataset_id="d1",
            test_dataset_id="d2",
            reference_dataset_id="d3",
            at=command.now,
        )
        command.session.add(row)
    return row


def compiled(db, settings, model, version, pipeline):
    """Register a pipeline of `features` and `model` that serves with a plan; return its version."""
    register(db, settings, model, version, pipeline=pipeline)
    row = compiling.compile_again(db, local("tester"), settings, model, version)
    assert row.plan, row.plan_note
    return row


def release(db, model, *arms, action="release.promote"):
    """Release arms (or one version) on top of what serves."""
    with db.command(system("executor"), action) as command:
        newest = releases.find_current(command.session, model)
        seq = newest.seq if newest else 0
        wanted = releases.only(arms[0]) if isinstance(arms[0], str) else list(arms)
        return releases.append(command, model, wanted, replaces=seq)


def deploy(db, settings, model, version, **how):
    """Register a version and let it serve everything."""
    register(db, settings, model, version, **how)
    return release(db, model, version)
