import importlib

import numpy as np
import pytest

from core.errors import InvalidInputError
from core.serving.boosted import LightGBM, XGBoost


@pytest.mark.parametrize("problem", [OSError("libgomp.so.1: cannot open"), ImportError("none")])
@pytest.mark.parametrize(("kind", "name"), [(LightGBM, "lightgbm"), (XGBoost, "xgboost")])
def test_a_machine_without_the_shared_library_is_told_what_to_install(
    monkeypatch, problem, kind, name
):
    def missing(_name):
        raise problem

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(InvalidInputError) as refused:
        kind().fit(np.eye(4), ["a", "b", "a", "b"])
    assert f"{name} does not start on this machine" in str(refused.value)
    assert "apt install libgomp1" in str(refused.value)
