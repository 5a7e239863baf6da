import numpy as np
import pytest

from core import explain
from core.adapters import shap_explainer
from tests.core.explain import test_service as kit

pytestmark = pytest.mark.extras


def weighted(weights, pair=0.2):
    """A game: each input adds its weight, the first two together `pair` more."""

    def game(known):
        return known @ weights + pair * (known[:, 0] & known[:, 1])

    return game


def test_few_inputs_are_shared_out_exactly():
    base, added = shap_explainer.shapley(weighted(np.array([0.1, -0.3, 0.5])), 3)
    assert base == pytest.approx(0)
    assert added == pytest.approx([0.2, -0.2, 0.5])  # the pair's 0.2 goes half to each


def test_many_inputs_are_shared_out_by_permutations_and_add_up():
    weights = np.linspace(-1, 1, 40)
    base, added = shap_explainer.shapley(weighted(weights), 40)
    assert base + added.sum() == pytest.approx(weights.sum() + 0.2, abs=1e-9)
    assert added[2:] == pytest.approx(weights[2:], abs=1e-9)


def test_no_inputs_leave_the_base():
    assert shap_explainer.shapley(lambda known: np.full(len(known), 0.3), 0)[0] == 0.3


def test_a_network_is_explained_with_it():
    from sklearn.neural_network import MLPClassifier

    frame, target = kit.rows(120)
    network = MLPClassifier((4,), max_iter=30, random_state=1)
    pipeline = kit.fitted(kit.preprocessing(), network, frame, target)
    person = {"age": 60.0, "chol": None, "sex": "m"}
    others = [{"age": 30.0, "chol": 200.0, "sex": "f"}, {"age": 40.0, "chol": None, "sex": None}]
    sampler = shap_explainer.sampler()
    said = explain.one(pipeline, kit.TABLE, person, sampler=sampler, background=others)
    kit.adds_up(said, "network")
    assert "SHAP" in said.method


def test_the_same_question_gets_the_same_answer_twice():
    game = weighted(np.linspace(-1, 1, 20), pair=3.0)
    first, second = (shap_explainer.shapley(game, 20)[1] for _ in range(2))
    assert first.tolist() == second.tolist()
