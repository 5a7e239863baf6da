import numpy as np
import pytest

from core import registry
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.tables.entities import Run

TEXT = {"task": "text", "input": {"text": "message"}, "labels": ["ham", "spam"], "positive": "spam"}
RIGHT = [True] * 90 + [False] * 10


@pytest.fixture
def register(db, worker):
    def put(name, *, signature=TEXT, right=None, gate=None, dataset="test-1", **metrics):
        with db.command(worker, "version.register") as command:
            run = Run(
                id=name, model="spam", kind="train", state="running", job_id=name, spec_version=1,
                candidates=[], parameters={"C": len(name)}, metrics={}, leaderboard=[],
                trigger="test", reason="", author="ana", at=command.now,
            )  # fmt: skip
            command.session.add(run)
            evaluations = {dataset: registry.pack(right)} if right is not None else {}
            return registry.register(
                command, run=run, algorithm="logistic_regression", artifact="0" * 64,
                signature=signature, metrics={**metrics, "evaluations": evaluations},
                gate=gate or {}, train_dataset_id="train-1", test_dataset_id=dataset,
                reference_dataset_id="reference-1",
            )  # fmt: skip

    return put


def test_versions_count_trainings_and_break_with_the_signature(db, register):
    numbers = [register("a").version, register("b").version]
    other = {**TEXT, "input": {"text": "body"}}
    numbers += [register("c", signature=other).version, register("d", signature=other).version]
    assert numbers == ["1.0.0", "1.1.0", "2.0.0", "2.1.0"]
    with db.read() as session:
        assert [v.version for v in registry.versions(session, "Spam")] == numbers[::-1]
        assert registry.next_version(session, "spam") == "2.2.0"


def test_one_run_registers_one_version(register):
    register("a")
    with pytest.raises(ConflictError):
        register("a")


def test_a_version_is_found_with_and_without_its_v(db, register):
    register("a")
    with db.read() as session:
        assert registry.get(session, "spam", "v1.0.0").number == 1
        with pytest.raises(NotFoundError, match=r"spam has no version 9\.9\.9"):
            registry.get(session, "spam", "9.9.9")


def test_rights_survive_packing():
    right = np.random.default_rng(1).random(1003) < 0.9
    assert (registry.unpack(registry.pack(right)) == right).all()


def test_two_versions_are_paired_on_the_rows_both_were_judged_on(db, register):
    better = [True] * 98 + [False] * 2
    register("a", right=RIGHT, accuracy=0.90)
    register("bb", right=better, accuracy=0.98)
    with db.read() as session:
        found = registry.compare(session, "spam", "1.0.0", "1.1.0")
    assert found["metrics"]["accuracy"]["difference"] == pytest.approx(0.08)
    paired = found["paired"]
    assert (paired["n"], paired["only_first_right"], paired["only_second_right"]) == (100, 0, 8)
    assert paired["p_second_better"] == pytest.approx(0.5**9)
    assert paired["low"] < 0.08 < paired["high"]
    assert found["parameters"] == [("C", 1, 2)]


def test_without_shared_rows_the_gates_own_counts_are_used(db, register):
    gate = {"champion": "1.0.0", "n": 50, "only_champion_right": 1, "only_candidate_right": 5}
    register("a", right=RIGHT, dataset="test-1")
    register("b", right=RIGHT, dataset="test-2", gate=gate)
    with db.read() as session:
        paired = registry.compare(session, "spam", "1.1.0", "1.0.0")["paired"]
    assert (paired["n"], paired["only_first_right"], paired["only_second_right"]) == (50, 5, 1)


def test_versions_without_anything_in_common_are_not_paired(db, register):
    register("a", right=RIGHT, dataset="test-1")
    register("b", right=RIGHT, dataset="test-2")
    with db.read() as session:
        assert registry.compare(session, "spam", "1.0.0", "1.1.0")["paired"] is None
        with pytest.raises(InvalidInputError, match="choose two"):
            registry.compare(session, "spam", "1.0.0", "v1.0.0")


def test_slices_are_told_as_second_minus_first_whichever_way_round(db, register):
    change = {"value": -0.15, "low": -0.2, "high": -0.1, "level": 0.95}
    part = {"name": "short", "n": 400, "difference": change, "answer": "refuse"}
    register("a", right=RIGHT)
    register("b", right=RIGHT, gate={"champion": "1.0.0", "slices": [part]})
    with db.read() as session:
        (there,) = registry.compare(session, "spam", "1.0.0", "1.1.0")["slices"]
        (back,) = registry.compare(session, "spam", "1.1.0", "1.0.0")["slices"]
    assert (there["difference"], there["answer"]) == (-0.15, "refuse")
    assert (back["difference"], back["low"], back["answer"]) == (0.15, 0.1, "pass")


def test_versions_set_against_the_same_champion_on_the_same_rows_are_counted(db, register):
    register("a", right=RIGHT)
    register("b", right=RIGHT, gate={"champion": "1.0.0"})
    register("c", right=RIGHT, gate={"champion": "1.0.0"}, dataset="test-2")
    register("d", right=RIGHT, gate={"champion": "0.9.0"})
    with db.read() as session:
        assert registry.tried(session, "spam", "test-1", "1.0.0") == 1
