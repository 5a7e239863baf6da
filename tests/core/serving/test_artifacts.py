import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.serving import artifacts
from core.settings import ROOT, Settings
from tests import candidates_kit


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
    with pytest.raises(NotFoundError, match="not in the data folder: every api needs"):
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


@pytest.mark.parametrize(("shape", "kind"), candidates_kit.CASES)
def test_every_candidate_answers_the_same_after_a_trip_through_its_file(home, shape, kind):
    pipeline = candidates_kit.trained(shape, kind)
    loaded = artifacts.load(home, artifacts.save(home, pipeline))
    x = candidates_kit.inputs(shape, candidates_kit.frame())
    assert np.array_equal(loaded.predict_proba(x), pipeline.predict_proba(x))
    assert [str(label) for label in loaded.classes_] == ["no", "yes"]


@pytest.mark.parametrize("calibration", ["sigmoid", "isotonic"])
def test_a_calibrated_candidate_answers_the_same_after_a_trip_through_its_file(home, calibration):
    pipeline = candidates_kit.trained("mixed", "lightgbm", calibration=calibration)
    loaded = artifacts.load(home, artifacts.save(home, pipeline))
    x = candidates_kit.inputs("mixed", candidates_kit.frame())
    assert np.array_equal(loaded.predict_proba(x), pipeline.predict_proba(x))


def test_the_same_rows_spec_and_seed_give_the_same_file_in_every_process(home, tmp_path):
    command = [sys.executable, "-m", "tests.candidates_kit", str(tmp_path / "elsewhere")]
    other = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    here = candidates_kit.digests(tmp_path / "here")
    assert json.loads(other.communicate(timeout=120)[0]) == here
    assert len(set(here.values())) == len(here)  # and another kind another one


def test_answering_does_not_change_the_file(home):
    pipeline = candidates_kit.trained("mixed", "xgboost")
    before = artifacts.save(home, pipeline)
    pipeline.predict_proba(candidates_kit.inputs("mixed", candidates_kit.frame()))
    assert artifacts.save(home, pipeline) == before
