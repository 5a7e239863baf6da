"""The benchmark of monitoring in a short form: its verdicts, and its figures on few runs."""

import re
from types import SimpleNamespace

import pytest

from benchmarks.monitoring import __main__ as benchmark
from benchmarks.monitoring import null, power
from benchmarks.monitoring.common import Figure, share


def test_a_share_of_runs_is_judged_by_its_bounds():
    assert share("x", [True] + [False] * 19, low=0.03, high=0.07).reached
    assert not share("x", [True] * 2, high=0.07).reached
    assert share("x", [True, False]).reached is None
    assert "50.0% ± 35.4%" in share("x", [True, False]).line()


@pytest.mark.parametrize(("reached", "code"), [(True, 0), (None, 0), (False, 1)])
def test_a_missed_figure_fails_the_run_and_the_seed_is_printed(monkeypatch, capsys, reached, code):
    section = SimpleNamespace(run=lambda asked: [Figure("what", "1", str(asked.seed), reached)])
    monkeypatch.setattr(benchmark, "import_module", lambda name: section)
    monkeypatch.setattr("sys.argv", ["benchmarks.monitoring", "--only", "null", "--quick"])

    assert benchmark.main() == code
    assert re.match(r"seed \d+, 60 runs", capsys.readouterr().out)


@pytest.mark.parametrize("name", benchmark.SECTIONS)
def test_every_section_can_be_run(name):
    assert callable(benchmark.import_module(f"benchmarks.monitoring.{name}").run)


def test_nothing_changed_is_seldom_called_drift():
    alarms = [null.alarm(7, (50, 50), run) for run in range(25)]

    assert sum(alarms) <= 5  # more than 5 of 25 at .05: chance 0.1 %


@pytest.mark.parametrize("kind", power.ASKED, ids=lambda kind: kind[0])
def test_the_changes_that_are_asked_for_are_found(kind):
    found = [power.alarm(7, *kind, run) for run in range(5)]

    assert sum(found) >= 4
