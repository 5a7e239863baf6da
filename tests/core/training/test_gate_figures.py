"""The figures that the gate is held to, in the short form of `benchmarks/gate.py`."""

import numpy as np
import pytest

from benchmarks import gate as benchmark
from core.settings import Settings


@pytest.mark.timeout(60)
def test_equal_models_harmed_slices_intervals_and_few_patients_meet_their_figures(
    real_data, monkeypatch, capsys
):
    monkeypatch.setattr(benchmark, "Settings", lambda: Settings(data_dir=real_data))

    assert benchmark.main(["--short"]) == 0, capsys.readouterr().out

    printed = capsys.readouterr().out
    assert "one point better:    not_enough_evidence" in printed
    assert "every figure is met" in printed


def test_a_missed_figure_is_exit_code_1(monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "MOST_PROMOTED", 0.0)
    monkeypatch.setattr(benchmark, "SIZES", (300,))

    assert benchmark._print_equal(200, full=False) == 1


def test_the_simulated_rate_agrees_with_the_exact_one():
    found = benchmark.equal_pairs(np.random.default_rng(5), 300, 4_000)["promote"]
    between = [benchmark.exact(300, d) for d in (0.02, 0.12)]

    assert min(between) <= found + 0.01
    assert found <= max(between) + 0.01
