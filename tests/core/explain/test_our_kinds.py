"""Every kind that a spec may name, trained and kept as the product does it."""

import numpy as np
import pytest

from core import explain, specs
from core.serving import artifacts
from core.settings import Settings
from core.specs.candidates import FOR_ONE_TASK, PARAMETERS, Candidate
from core.training import pipelines
from tests.core.explain import test_service as kit

SMALL = {"n_estimators": 8, "max_iter": 8, "max_depth": 4}
TABLE_SPEC = specs.parse("""
name: heart
title: Heart
task: tabular
target: {column: y, positive: sick, negative: healthy}
input: {features: [{name: age, type: numeric}, {name: chol, type: numeric}, {name: sex, type: category}]}
candidates: [{kind: logistic_regression}]
""")
TEXT_SPEC = specs.parse("""
name: sms
title: SMS
task: text
target: {column: y, positive: spam, negative: ham}
input: {text: message}
candidates: [{kind: logistic_regression}]
""")
CASES = [
    (task, kind, calibration)
    for task in ("tabular", "text")
    for kind in PARAMETERS
    for calibration in ("none", "isotonic")
    if FOR_ONE_TASK.get(kind, task) == task and kind != "deep_text"
]


def trained(task, kind, calibration, home):
    spec = TABLE_SPEC if task == "tabular" else TEXT_SPEC
    given = {name: SMALL[name] for name in PARAMETERS[kind] if name in SMALL}
    candidate = Candidate(kind=kind, parameters=given, calibration=calibration)
    inputs, target = kit.rows() if task == "tabular" else words()
    features = pipelines.features(spec)
    model = pipelines.model(candidate, spec).fit(features.fit_transform(inputs), target)
    settings = Settings(_env_file=None, env="test", home=home)
    return artifacts.load(settings, artifacts.save(settings, pipelines.assembled(features, model)))


def words():
    return (kit.HAM + kit.SPAM) * 30, np.array((["ham"] * 5 + ["spam"] * 5) * 30)


@pytest.mark.parametrize(("task", "kind", "calibration"), CASES)
def test_each_kind_is_explained_exactly_from_its_file(task, kind, calibration, tmp_path):
    pipeline = trained(task, kind, calibration, tmp_path)
    signature = kit.TABLE if task == "tabular" else kit.TEXT
    given = {"age": 71.0, "chol": None, "sex": "m"} if task == "tabular" else "win lunch, win cash"
    said = explain.one(pipeline, signature, given, top=1000)
    kit.adds_up(said, kind)
    kit.right_score(said, kind)
    assert ("before calibration" in said.method) == (calibration != "none" or kind == "linear_svm")
    assert explain.summary(pipeline, signature, kit.rows(30)[0] if task == "tabular" else kit.HAM)[
        "features"
    ]
