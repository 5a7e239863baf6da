from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import select

from core import audit, registry, releases
from core.errors import ConflictError, ForbiddenError, InvalidInputError
from core.registry import stages as module
from core.releases import Arm
from core.tables.entities import ModelVersion
from core.tables.operational import Job
from core.training import aliases


@pytest.fixture
def three(release):
    """1.0.0 serves; 2.0.0 and 3.0.0 are candidates."""
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)
    release("spam", "3.0.0", release=False)


@pytest.fixture
def stages(db):
    def of():
        with db.read() as session:
            serving = releases.find_current(session, "spam")
            found = registry.versions(session, "spam")
            return {row.version: registry.stage(row, serving) for row in found}

    return of


def judged(db, worker, version, answer, state="candidate"):
    with db.command(worker, "version.register") as command:
        row = command.session.get(ModelVersion, ("spam", version))
        row.gate, row.state = {"answer": answer}, state


def test_the_stage_follows_from_what_serves_and_who_is_the_challenger(db, ana, three, stages):
    registry.promote_to_staging(db, ana, "spam", "2.0.0")
    assert stages() == {"1.0.0": "production", "2.0.0": "staging", "3.0.0": "development"}
    registry.archive(db, ana, "spam", "3.0.0")
    assert stages()["3.0.0"] == "archived"


def test_there_is_one_challenger_and_the_one_before_goes_back(db, ana, three, stages):
    registry.promote_to_staging(db, ana, "spam", "2.0.0")
    registry.promote_to_staging(db, ana, "spam", "3.0.0", reason="better on short texts")
    assert (stages()["2.0.0"], stages()["3.0.0"]) == ("development", "staging")
    with db.read() as session:
        assert registry.challenger(session, "spam").version == "3.0.0"
        assert aliases.wanted(session, "spam")["challenger"] == "3.0.0"
        event = audit.tail(session, action="version.stage")[0]
    assert (event.reason, event.detail["version"]) == ("better on short texts", "3.0.0")


def test_a_new_challenger_is_shown_to_other_tools_after_the_commit(db, ana, three):
    def mirrored():
        with db.read() as session:
            return len(session.scalars(select(Job).filter_by(kind="mirror")).all())

    before = mirrored()
    registry.promote_to_staging(db, ana, "spam", "2.0.0")
    registry.back_to_development(db, ana, "spam", "2.0.0")
    assert mirrored() == before + 2


def test_a_released_challenger_is_no_challenger_any_more(db, ana, worker, three, stages):
    registry.promote_to_staging(db, ana, "spam", "2.0.0")
    with db.command(worker, "release.promote") as command:
        releases.promote(command, "spam", "2.0.0", replaces=1, reason="better")
    assert stages()["2.0.0"] == "production"
    with db.read() as session:
        assert registry.challenger(session, "spam") is None


@pytest.mark.parametrize("state", ["rejected", "archived"])
def test_what_may_not_serve_cannot_be_staged(db, ana, worker, three, state):
    judged(db, worker, "2.0.0", "refuse", state)
    with pytest.raises(ConflictError, match=f"is {state}; it cannot be staged"):
        registry.promote_to_staging(db, ana, "spam", "2.0.0")


def test_what_serves_is_neither_staged_nor_archived(db, ana, three):
    with pytest.raises(ConflictError, match="serves already"):
        registry.promote_to_staging(db, ana, "spam", "1.0.0")
    with pytest.raises(ConflictError, match="let another version serve first"):
        registry.archive(db, ana, "spam", "1.0.0")


def test_a_version_in_an_experiment_is_in_production_and_not_archived(
    db, ana, worker, three, stages
):
    arms = [Arm("1.0.0", "control", 900), Arm("2.0.0", "treatment", 100), Arm("3.0.0", "shadow", 0)]
    with db.command(worker, "release.experiment") as command:
        releases.append(command, "spam", arms, replaces=1, mode="canary")
    assert stages() == {"1.0.0": "production", "2.0.0": "production", "3.0.0": "development"}
    for version in ("2.0.0", "3.0.0"):
        with pytest.raises(ConflictError, match="alone or in an experiment"):
            registry.archive(db, ana, "spam", version)
        with pytest.raises(ConflictError, match=f"{version} is part of a running experiment"):
            registry.promote_to_staging(db, ana, "spam", version)


def test_the_challenger_is_archived_only_after_it_left_staging(db, ana, three, stages):
    registry.promote_to_staging(db, ana, "spam", "2.0.0")
    with pytest.raises(ConflictError, match="take it out of staging first"):
        registry.archive(db, ana, "spam", "2.0.0")
    registry.back_to_development(db, ana, "spam", "2.0.0")
    registry.archive(db, ana, "spam", "2.0.0", reason="superseded")
    with pytest.raises(ConflictError, match="archived already"):
        registry.archive(db, ana, "spam", "2.0.0")
    with pytest.raises(ConflictError, match="not in staging"):
        registry.back_to_development(db, ana, "spam", "3.0.0")


def test_the_last_version_that_a_rollback_could_serve_is_not_archived(db, ana, release):
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        release("spam", version)
    registry.archive(db, ana, "spam", "2.0.0")
    with pytest.raises(ConflictError, match="the only version that a rollback could serve"):
        registry.archive(db, ana, "spam", "1.0.0")
    assert releases.label(releases.roll_back(db, ana, "spam", reason="worse")) == "1.0.0"
    registry.archive(db, ana, "spam", "3.0.0")


def test_an_approver_overrides_the_gate_with_a_reason_that_is_kept(db, apo, worker, three, clock):
    judged(db, worker, "2.0.0", "refuse", "rejected")
    row = registry.override(db, apo, "spam", "2.0.0", reason="the slice is gone")
    assert row.overridden == {
        "by": "apo",
        "reason": "the slice is gone",
        "at": clock().isoformat(),
        "answer": "refuse",
    }
    assert (row.state, registry.releasable(row)) == ("candidate", True)
    assert registry.verdict(row) == "the gate refuses it; overridden by apo"


def test_only_an_approver_overrides(db, ana, shell, worker, three):
    judged(db, worker, "2.0.0", "refuse")
    for actor in (ana, shell, worker):
        with pytest.raises(ForbiddenError):
            registry.override(db, actor, "spam", "2.0.0", reason="because")


def test_an_override_needs_a_reason_and_something_to_override(db, apo, worker, three):
    judged(db, worker, "2.0.0", "not_enough_evidence")
    with pytest.raises(InvalidInputError, match="say why"):
        registry.override(db, apo, "spam", "2.0.0", reason="  ")
    judged(db, worker, "3.0.0", "promote")
    with pytest.raises(ConflictError, match="nothing to override"):
        registry.override(db, apo, "spam", "3.0.0", reason="to be sure")
    judged(db, worker, "2.0.0", "refuse", "archived")
    with pytest.raises(ConflictError, match="archived"):
        registry.override(db, apo, "spam", "2.0.0", reason="still good")


def test_of_two_who_name_a_challenger_at_once_the_second_waits_and_wins(
    db, ana, three, stages, monkeypatch
):
    registry.promote_to_staging(db, ana, "spam", "2.0.0")
    mirror, others = module._mirror, ThreadPoolExecutor(1)
    second = []

    def meanwhile(command, row):
        monkeypatch.setattr(module, "_mirror", mirror)
        second.append(others.submit(registry.promote_to_staging, db, ana, "spam", "2.0.0"))
        wait(second, timeout=0.5)  # it has read what it reads, and waits for this one
        mirror(command, row)

    monkeypatch.setattr(module, "_mirror", meanwhile)
    registry.promote_to_staging(db, ana, "spam", "3.0.0")
    second[0].result(timeout=10)
    assert (stages()["2.0.0"], stages()["3.0.0"]) == ("staging", "development")
