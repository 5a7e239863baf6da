import sys

import numpy as np
import pytest

from core import explain, specs
from core.errors import InvalidInputError, PilothouseError
from core.serving import artifacts
from core.serving.onnx_text import OnnxText
from core.serving.scorer import Fitted, Scorer
from core.specs import Candidate
from core.tables.entities import ModelVersion
from core.training import deep_text
from tests import serving_kit as kit

TEXTS = [f"{text} {n}" for n in range(12) for text in kit.HAM + kit.SPAM]
LABELS = (["ham"] * len(kit.HAM) + ["spam"] * len(kit.SPAM)) * 12
SPEC = specs.parse(kit.TEXT_SPEC)
PARAMETERS = {"epochs": 40, "embedding": 8, "hidden": 8, "learning_rate": 0.05}
CANDIDATE = Candidate(kind="deep_text", parameters=PARAMETERS)


@pytest.fixture(scope="module")
def pipeline():
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    return deep_text.fitted(CANDIDATE, SPEC, TEXTS, LABELS)


@pytest.mark.extras
def test_the_same_texts_and_seed_make_the_same_file(pipeline, settings):
    again = deep_text.fitted(CANDIDATE, SPEC, TEXTS, LABELS)
    assert artifacts.save(settings, again) == artifacts.save(settings, pipeline)


@pytest.mark.extras
def test_a_kept_network_serves_like_any_version(pipeline, settings):
    digest = artifacts.save(settings, pipeline)
    version = ModelVersion(version="1.0.0", artifact=digest, signature=kit.TEXT, threshold=0.5)
    scorer = Scorer(Fitted(artifacts.load(settings, digest), version.signature), version)
    said = [score.label for score in scorer.score(["win a free prize", "see you at lunch"])]
    assert said == ["spam", "ham"]


@pytest.mark.extras
def test_what_it_weighs_is_not_told_exactly_and_says_what_is_needed(pipeline):
    assert explain.summary(pipeline, kit.TEXT, TEXTS)["why"].startswith("it reads the texts")
    with pytest.raises(PilothouseError, match="requirements-explain.txt"):
        explain.one(pipeline, kit.TEXT, "win a free prize")


@pytest.mark.extras
def test_the_export_answers_like_the_network_within_1e_5(monkeypatch):
    torch_text = pytest.importorskip("core.adapters.torch_text")
    pytest.importorskip("torch")
    found = []
    whole = torch_text.difference
    monkeypatch.setattr(torch_text, "difference", lambda *a: found.append(whole(*a)) or found[-1])
    deep_text.fitted(CANDIDATE, SPEC, TEXTS, LABELS)
    assert len(found) == 1
    assert found[0] <= 1e-5


@pytest.mark.extras
def test_an_export_that_answers_otherwise_is_not_kept(monkeypatch):
    torch_text = pytest.importorskip("core.adapters.torch_text")
    pytest.importorskip("torch")
    monkeypatch.setattr(torch_text, "PARITY", -1.0)
    with pytest.raises(Exception, match="the exported network is off"):
        deep_text.fitted(CANDIDATE, SPEC, TEXTS, LABELS)


@pytest.mark.extras
def test_without_the_device_it_is_refused_in_a_sentence(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidInputError, match="this machine has no such device"):
        deep_text.model(CANDIDATE.model_copy(update={"device": "cuda"}), SPEC)


@pytest.mark.extras
def test_it_reaches_97_percent_on_real_messages(real_data):
    pytest.importorskip("torch")
    (file,) = real_data.glob("sms_spam/SMSSpam*")
    rows = [line.split("\t", 1) for line in file.read_text(encoding="utf-8").splitlines()]
    labels, texts = np.array([row[0] for row in rows]), [row[1] for row in rows]
    test = np.random.default_rng(0).random(len(texts)) < 0.2
    model = deep_text.DeepText(random_state=42)
    model.fit([text for text, out in zip(texts, test, strict=True) if not out], labels[~test])
    said = model.predict([text for text, out in zip(texts, test, strict=True) if out])
    accuracy = (said == labels[test]).mean()
    print(f"deep_text: accuracy {accuracy:.4f} on {test.sum():,} messages")
    assert accuracy >= 0.97


def test_without_the_packages_it_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InvalidInputError, match="requirements-gpu.txt"):
        deep_text.model(CANDIDATE, SPEC)


def test_a_calibration_afterwards_is_refused():
    with pytest.raises(InvalidInputError, match="not calibrated"):
        deep_text.model(CANDIDATE.model_copy(update={"calibration": "sigmoid"}), SPEC)


def test_what_serves_needs_no_training_library():
    assert OnnxText(b"", ["ham", "spam"], {}).get_params() == {}
