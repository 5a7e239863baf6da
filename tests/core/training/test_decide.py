from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from core import specs
from core.serving import artifacts
from core.tables.entities import ModelVersion
from core.training import decide
from tests.core.training.conftest import SMALL


class Says:
    """A model whose message is the probability of spam."""

    classes_ = np.array(["ham", "spam"])

    def predict_proba(self, messages):
        spam = np.array([float(message) for message in messages])
        return np.column_stack([1 - spam, spam])


@pytest.mark.parametrize(
    ("threshold", "right"),
    [(0.5, [True, True, False, True]), (0.2, [True, False, True, True])],
)
def test_what_serves_is_judged_with_its_own_threshold(monkeypatch, threshold, right):
    monkeypatch.setattr(artifacts, "load", lambda *_: Says())
    rows = pd.DataFrame(
        {"message": ["0.1", "0.3", "0.3", "0.9"], "label": ["ham", "ham", "spam", "spam"]}
    )
    champion = ModelVersion(version="1.0.0", artifact="a", threshold=threshold)
    spec = specs.parse(SMALL)
    found = decide.champion_right(SimpleNamespace(), champion, rows, spec)
    assert found.tolist() == right
