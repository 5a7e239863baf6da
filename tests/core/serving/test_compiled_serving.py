"""A version with a plan is loaded and asked without scikit-learn, from its file alone."""

import subprocess
import sys

import numpy as np
import pytest

from core.errors import ConflictError
from core.serving import artifacts, scorer
from core.serving.compiler import attempt
from core.tables.entities import ModelVersion
from tests.core.serving.test_compiler import TEXT, fitted, texts

ASK = """
import sys
from core.serving import scorer
from core.settings import Settings
from core.tables.entities import ModelVersion
home, plan = sys.argv[1:]
signature = {"task": "text", "input": {"text": "message"}, "positive": "spam"}
row = ModelVersion(version="1.0.0", artifact="a", plan=plan, signature=signature, threshold=0.5)
score = scorer.load(Settings(_env_file=None, home=home), row).score(["free prize call now"])[0]
heavy = {"sklearn", "scipy", "pandas", "skops", "onnxruntime"} & set(sys.modules)
print(score.label, sorted(heavy))
"""


@pytest.fixture
def kept(settings):
    pipeline, signature, known = fitted(
        TEXT, texts(np.random.default_rng(8)), "logistic_regression"
    )
    content, _words = attempt(pipeline, signature, known)
    return artifacts.save_plan(settings, content)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_linear_text_model_serves_without_a_heavy_library(settings, kept):
    words = [sys.executable, "-c", ASK, str(settings.home), kept]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said == "spam []\n"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: content + b"x"])
def test_a_plan_that_was_cut_or_changed_is_not_loaded(settings, kept, damage):
    file = artifacts.path(settings, kept, artifacts.PLAN)
    file.write_bytes(damage(file.read_bytes()))
    row = ModelVersion(version="1.0.0", artifact="a", plan=kept, signature={}, threshold=0.5)
    with pytest.raises(ConflictError, match="was changed or cut"):
        scorer.load(settings, row)
