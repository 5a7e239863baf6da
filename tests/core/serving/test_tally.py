"""Counters of several workers, added up by whichever is asked."""

import os
import subprocess
import sys

from core.serving import tally
from core.serving.tally import Tally

NAME = ("request", "/predict", "POST", "200")
COUNT_AND_DIE = """
import os, sys
from pathlib import Path
from core.serving.tally import Tally
one = Tally(Path(sys.argv[1]))
one.cells(("request", "/predict", "POST", "200"), 2)[0] += 5
one.publish({("held", "m", "1"): 1.0})
os.kill(os.getpid(), 9)
"""


def die(folder):
    command = [sys.executable, "-c", COUNT_AND_DIE, str(folder)]
    assert subprocess.run(command, check=False, cwd=tally.Path.cwd()).returncode == -9


def test_alone_a_process_writes_nothing():
    alone = Tally()
    alone.cells(NAME, 2)[0] += 1
    alone.publish({})
    assert alone.total({}).counts == {NAME: [1, 0]}


def test_counters_of_all_workers_are_added_up(tmp_path):
    one, two = Tally(tmp_path), Tally(tmp_path)
    one.cells(NAME, 2)[0] += 1
    two.cells(NAME, 2)[0] += 2
    two.cells(("only two",), 1)[0] += 4
    two.publish({("seq", "m"): 3.0})
    total = one.total({("seq", "m"): 4.0})
    assert total.counts == {NAME: [3, 0], ("only two",): [4]}
    assert total.levels == [{("seq", "m"): 4.0}, {("seq", "m"): 3.0}]


def test_what_a_killed_worker_counted_stays_and_what_it_held_goes(tmp_path):
    die(tmp_path)
    total = Tally(tmp_path).total({})
    assert total.counts == {NAME: [5, 0]}
    assert total.levels == [{}]


def test_restarts_do_not_pile_up_files(tmp_path):
    for _ in range(3):
        die(tmp_path)
    assert Tally(tmp_path).total({}).counts == {NAME: [15, 0]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ended", "lock"]


def test_a_crash_before_the_files_of_the_ended_are_removed_counts_nobody_twice(
    tmp_path, monkeypatch
):
    die(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(tally.Path, "unlink", lambda _path: None)
        Tally(tmp_path)
    assert Tally(tmp_path).total({}).counts == {NAME: [5, 0]}
    assert Tally(tmp_path).total({}).counts == {NAME: [5, 0]}


def test_workers_of_one_supervisor_share_a_folder_that_another_start_does_not(tmp_path):
    ours = tally.group_folder(tmp_path)
    code = "from core.serving.tally import *; print(group_folder(Path()).name)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ours == tally.group_folder(tmp_path)
    assert child.stdout.strip().split("-")[-2] == str(os.getpid())
    assert child.stdout.strip() != ours.name


def test_groups_of_earlier_days_are_forgotten(tmp_path):
    old, recent, ours = (tmp_path / name for name in ("old", "recent", "ours"))
    old.mkdir()
    recent.mkdir()
    os.utime(old, (0, 0))
    Tally(ours)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours", "recent"]
