from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from core import features, jobs, registry, runs, specs
from core.datasets import versions
from core.errors import InvalidInputError
from core.features import values
from core.features.values import Given
from core.keys import Caller
from core.serving import predict, service
from core.serving.predict import Request
from core.training.run import carry_out
from tests import serving_kit as kit
from tests.conftest import NOON

SPEC = """
name: loans
title: Loans
task: tabular
target: {column: bad, positive: "yes", negative: "no"}
input:
  entity: customer
  at: seen
  features:
    - {name: income, type: numeric}
    - {name: spent, type: numeric, definition: spent@1}
    - {name: ratio, type: numeric, definition: ratio@1}
candidates: [{kind: logistic_regression}]
folds: 2
validation: {min_rows: 100, min_test_rows: 20}
gate: {floor: 0.6, min_slice: 40}
"""
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def loans(rows=300):
    """Loans that go bad where the debt is above half the income; that is not a column."""
    rng = np.random.default_rng(1)
    income, debt = rng.uniform(1, 9, rows).round(2), rng.uniform(0, 9, rows).round(2)
    return pd.DataFrame(
        {
            "customer": [f"c{n}" for n in range(rows)],
            "seen": (NOON - timedelta(days=1)).isoformat(),
            "income": income,
            "debt": debt,
            "bad": np.where(debt > income / 2, "yes", "no"),
        }
    )


def trained(db, settings, actor, model):
    run = runs.request(db, actor, model, trigger="test")
    claim = jobs.claim(db, "one", lease=timedelta(minutes=10))
    version = carry_out(settings, db, claim, run.id, None)
    jobs.finish(db, claim, "succeeded")
    with db.read() as session:
        return registry.get(session, run.model, version)


@sqlite_only
def test_a_model_of_derived_and_looked_up_features_is_trained_and_serves(db, settings, ana, clock):
    features.define(db, ana, "spent", type="numeric", how="lookup", entity="customer")
    inputs = {"debt": "numeric", "income": "numeric"}
    features.define(
        db, ana, "ratio", type="numeric", how="expression", body="debt / income", inputs=inputs
    )
    specs.apply(db, ana, SPEC)
    past = NOON - timedelta(days=9)
    values.load(db, ana, [Given("spent", f"c{n}", past, n) for n in range(0, 300, 2)])
    data = versions.load(db, ana, settings, "loans", frame=loans(), source="a file")
    assert data.state == "validated", data.report
    version = trained(db, settings, ana, "loans")
    assert version.metrics["accuracy"] > 0.8
    kit.release(db, "loans", version.version)
    serving = service.build(settings, clock)
    serving.refresh()
    caller = Caller("key-1", "shop", frozenset({"predict"}))

    def label(**given):
        asked = Request(features=given, model="loans", entity_id="c2")
        return predict.predict(serving, caller, asked)["label"]

    assert (label(debt=8, income=2), label(debt=1, income=8)) == ("yes", "no")
    serving.close()


@sqlite_only
def test_a_run_whose_candidate_needs_what_is_not_here_is_refused_at_its_start(db, settings, ana):
    specs.apply(db, ana, kit.TEXT_SPEC.replace("complement_nb}", "deep_text, device: cuda}"))
    with pytest.raises(InvalidInputError, match="deep_text"):
        trained(db, settings, ana, "sms_spam")


@sqlite_only
@pytest.mark.extras
def test_a_neural_text_model_is_trained_beside_others_and_registered(db, settings, ana):
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    text = kit.TEXT_SPEC.replace(
        "{kind: logistic_regression}, {kind: complement_nb}",
        "{kind: deep_text, parameters: {epochs: 6}}",
    )
    source = "source: {builtin: messages, rows: 600}\nfolds: 2\ngate: {floor: 0.8}\n"
    specs.apply(db, ana, text + source)
    first = trained(db, settings, ana, "sms_spam")
    again = trained(db, settings, ana, "sms_spam")
    assert (first.algorithm, first.artifact) == ("deep_text", again.artifact)
    assert first.metrics["accuracy"] > 0.9
