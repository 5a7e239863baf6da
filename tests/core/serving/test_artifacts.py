import hashlib

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from core import specs
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.serving import artifacts
from core.settings import Settings
from core.specs import Candidate
from core.training import pipelines, search


@pytest.fixture
def home(tmp_path):
    return Settings(_env_file=None, home=tmp_path)


@pytest.fixture(scope="module")
def small():
    return LogisticRegression().fit(np.array([[0.0], [1.0]]), ["ham", "spam"])


def test_what_is_saved_is_loaded(home, small):
    digest = artifacts.save(home, small)
    content = artifacts.path(home, digest).read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest
    assert artifacts.load(home, digest).predict([[1.0]]).tolist() == ["spam"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: bytes([content[0] ^ 1]) + content[1:],
        lambda content: b"",
    ],
)
def test_a_changed_or_cut_file_is_refused_before_it_is_opened(home, small, damage, monkeypatch):
    digest = artifacts.save(home, small)
    file = artifacts.path(home, digest)
    file.write_bytes(damage(file.read_bytes()))
    monkeypatch.setattr(skops.io, "loads", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(ConflictError, match="was changed or cut"):
        artifacts.load(home, digest)


def test_a_missing_file_and_a_name_that_is_no_digest_are_refused(home):
    with pytest.raises(NotFoundError, match="not in the data folder"):
        artifacts.load(home, "0" * 64)
    with pytest.raises(InvalidInputError, match="SHA-256"):
        artifacts.load(home, "../../etc/passwd")


def keep(home, content):
    digest = hashlib.sha256(content).hexdigest()
    artifacts.path(home, digest).write_bytes(content)
    return digest


class Foreign:
    """A type that nobody trusts."""


def test_a_file_with_a_foreign_type_is_refused_also_with_the_right_digest(home, small):
    small_with_guest = LogisticRegression(class_weight={"guest": 1.0}).set_params(C=Foreign())
    digest = keep(home, skops.io.dumps(small_with_guest))
    with pytest.raises(InvalidInputError, match="not trusted"):
        artifacts.load(home, digest)
    with pytest.raises(InvalidInputError, match="not trusted"):
        artifacts.save(home, small_with_guest)


def test_a_file_of_another_kind_is_refused(home):
    with pytest.raises(InvalidInputError, match="no skops file"):
        artifacts.load(home, keep(home, b"\x80\x04cos\nsystem\n."))


TEXTS = ["win a prize now", "see you at home", "free prize call", "ok see you"] * 10
TABLE = [{"age": float(i % 9), "sex": "mf"[i % 2] if i % 7 else None} for i in range(40)]
LABELS = np.array(["no", "yes"] * 20, dtype=object)
KINDS = [("text", kind) for kind in ("logistic_regression", "complement_nb", "random_forest")] + [
    ("tabular", kind) for kind in ("logistic_regression", "random_forest", "gradient_boosting")
]


@pytest.mark.parametrize(("task", "kind"), KINDS)
def test_every_candidate_answers_the_same_after_a_trip_through_its_file(home, task, kind):
    import pandas as pd

    features = [{"name": "age", "type": "numeric"}, {"name": "sex", "type": "category"}]
    spec = specs.ModelSpec.model_validate(
        {
            "name": "m", "title": "M", "task": task, "candidates": [{"kind": kind}],
            "target": {"column": "y", "positive": "yes", "negative": "no"},
            "input": {"text": "t"} if task == "text" else {"features": features},
        }
    )  # fmt: skip
    x = TEXTS if task == "text" else pd.DataFrame(TABLE)
    step = pipelines.features(spec)
    model = search.fitted(
        pipelines.model(Candidate(kind=kind), spec), step.fit_transform(x), LABELS
    )
    pipeline = pipelines.assembled(step, model)
    loaded = artifacts.load(home, artifacts.save(home, pipeline))
    assert np.array_equal(loaded.predict_proba(x), pipeline.predict_proba(x))
    assert [str(label) for label in loaded.classes_] == ["no", "yes"]
