from concurrent.futures import ThreadPoolExecutor

import pytest

from core import policies, specs
from core.access import system
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.policies import ALL
from core.settings import ROOT
from core.specs.meanings import MEANINGS, misfits
from core.specs.thresholds import Policy
from core.tables.decisions import PolicyVersion

BOOT, EXECUTOR = system("bootstrap"), system("executor")
SPEC = (ROOT / "specs" / "breast_cancer.yaml").read_text()
OWN = SPEC + "\npolicy: {accuracy_floor: 0.9, overrides: {min_labels: 80}}\n"


@pytest.fixture(autouse=True)
def model(db):
    specs.apply(db, BOOT, SPEC if "\npolicy:" in SPEC else OWN)


def draft(db, ana, scope="breast_cancer", reason="fewer alarms", **thresholds):
    with db.command(ana, "recommendation.propose") as command:
        return policies.draft_in(command, scope=scope, thresholds=thresholds, reason=reason)


def activate(db, row):
    with db.command(EXECUTOR, "action.execute") as command:
        return policies.activate_in(command, row.model, row.version)


def retire(db, scope="breast_cancer"):
    with db.command(EXECUTOR, "action.execute") as command:
        return policies.retire_in(command, scope)


def in_force(db):
    with db.read() as session:
        return policies.in_force(session, "breast_cancer")


def states(db, scope="breast_cancer"):
    with db.read() as session:
        return [(row.version, row.state) for row in policies.history(session, scope)]


def test_a_draft_changes_nothing_until_it_is_activated(db, ana):
    row = draft(db, ana, drift_retrain=0.4)
    assert (in_force(db).policy.drift_retrain, in_force(db).approved) == (0.5, False)
    activate(db, row)
    assert (in_force(db).policy.drift_retrain, in_force(db).name) == (0.4, "breast_cancer 1")


def test_a_models_own_version_lies_over_the_one_for_all_models(db, ana):
    activate(db, draft(db, ana, scope=ALL, drift_retrain=0.4, drop_critical=0.1))
    activate(db, draft(db, ana, drift_retrain=0.45))
    now = in_force(db)
    assert (now.policy.drift_retrain, now.policy.drop_critical) == (0.45, 0.1)
    assert now.name == "all models 1 + breast_cancer 1"


def test_a_second_version_keeps_what_the_first_one_changed(db, ana):
    activate(db, draft(db, ana, drift_retrain=0.4))
    activate(db, draft(db, ana, drop_critical=0.1))
    assert in_force(db).policy.drift_retrain == 0.4
    assert states(db) == [(2, "active"), (1, "retired")]


def test_a_threshold_goes_back_to_what_lies_underneath(db, ana):
    activate(db, draft(db, ana, drift_retrain=0.4, drop_critical=0.1))
    row = draft(db, ana, drift_retrain=None)
    assert row.thresholds == {"drop_critical": 0.1}
    activate(db, row)
    assert in_force(db).policy.drift_retrain == 0.5


def test_what_equals_what_lies_underneath_is_not_pinned(db, ana):
    activate(db, draft(db, ana, scope=ALL, drift_retrain=0.4))
    assert draft(db, ana, drift_retrain=0.4, drop_critical=0.1).thresholds == {"drop_critical": 0.1}


@pytest.mark.parametrize(
    ("thresholds", "sentence"),
    [
        ({}, "at least one"),
        ({"drift_retrain": 0.5}, "nothing would change: drift_retrain is 0.5 already"),
        ({"drfit": 1}, "no setting drfit"),
        ({"drop_critical": -1}, "drop_critical"),
        ({"drop_critical": "much"}, "drop_critical"),
        ({"drop_critical": True}, "drop_critical"),
        ({"drop_critical": float("nan")}, "drop_critical"),
        ({"accuracy_floor": "high"}, "accuracy_floor"),
        ({"latency_warning_ms": 1e9}, "latency_warning_ms"),
        ({"drop_warning": 0.06}, "drop_warning .0.06. must not be over drop_critical .0.05."),
        ({"drift_urgent": 0.6}, "drift_urgent .0.6. must not be over drift_retrain .0.5."),
        ({"error_critical": 3}, "error_critical is a share: at most 1, not 3"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(db, ana, thresholds, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        draft(db, ana, **thresholds)
    assert states(db) == []


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_a_draft_needs_a_reason(db, ana, reason):
    with pytest.raises(InvalidInputError, match="say why"):
        draft(db, ana, reason=reason, drift_retrain=0.4)


def test_a_policy_of_no_model_is_refused(db, ana):
    with pytest.raises(NotFoundError, match="no model ghost"):
        draft(db, ana, scope="ghost", drift_retrain=0.4)


def test_a_version_whose_thresholds_were_changed_is_not_put_in_force(db, ana):
    row = draft(db, ana, drift_retrain=0.4)
    with db.command(BOOT, "spec.apply") as command:
        stored = policies.get(command.session, "breast_cancer", 1)
        stored.thresholds = {"drift_retrain": 0.01}
    with pytest.raises(ConflictError, match="its thresholds changed"):
        activate(db, row)
    assert in_force(db).policy.drift_retrain == 0.5


def test_a_newer_draft_takes_the_place_of_one_that_waits(db, ana):
    first, second = draft(db, ana, drift_retrain=0.4), draft(db, ana, drift_retrain=0.45)
    with pytest.raises(ConflictError, match="gave way to a newer draft"):
        activate(db, first)
    assert activate(db, second).state == "active"


def test_a_draft_over_a_version_that_was_taken_back_meanwhile_is_refused(db, ana):
    activate(db, draft(db, ana, drift_retrain=0.4))
    later = draft(db, ana, drop_critical=0.1)
    retire(db)
    with pytest.raises(ConflictError, match="drafted over another version"):
        activate(db, later)


def test_a_version_is_taken_back_to_the_one_before_or_to_what_lies_underneath(db, ana):
    first = activate(db, draft(db, ana, drift_retrain=0.4))
    activate(db, draft(db, ana, drift_retrain=0.45))
    activate(db, first)
    assert in_force(db).policy.drift_retrain == 0.4
    retire(db)
    assert in_force(db).policy.drift_retrain == 0.5
    with pytest.raises(ConflictError, match="no policy version for breast_cancer is in force"):
        retire(db)


def test_a_version_in_force_cannot_be_put_in_force_again(db, ana):
    row = activate(db, draft(db, ana, drift_retrain=0.4))
    with pytest.raises(ConflictError, match="in force already"):
        activate(db, row)


def test_two_active_versions_of_a_scope_cannot_be_written(db, ana):
    activate(db, draft(db, ana, drift_retrain=0.4))
    with pytest.raises(ConflictError, match="at the same moment"):
        with db.command(BOOT, "spec.apply") as command:
            more = {"thresholds": {}, "digest": "", "reason": "", "author": "x", "at": command.now}
            row = PolicyVersion(model="breast_cancer", version=9, state="active", **more)
            command.session.add(row)


def test_those_who_judge_by_a_spec_judge_by_what_people_approved(db, ana):
    activate(db, draft(db, ana, drift_retrain=0.4, accuracy_floor=0.8))
    with db.read() as session:
        spec = specs.active(session, "breast_cancer")
        said = policies.judging(session, spec).policy
    assert Policy.of(said.accuracy_floor, said.overrides) == in_force(db).policy
    assert spec.policy.accuracy_floor == 0.9


def test_each_value_says_where_it_comes_from(db, ana):
    activate(db, draft(db, ana, scope=ALL, drop_critical=0.1))
    activate(db, draft(db, ana, drift_retrain=0.4))
    with db.read() as session:
        found = {one.name: one.source for one in policies.values(session, "breast_cancer")}
        everywhere = {one.name: one.source for one in policies.values(session, ALL)}
    assert found["accuracy_floor"] == "the spec"
    assert (found["drop_critical"], found["drift_retrain"]) == ("all models 1", "breast_cancer 1")
    assert (found["drop_warning"], everywhere["drift_retrain"]) == ("built in", "built in")


def test_what_a_version_would_change_is_told_before_it_is_in_force(db, ana):
    row = draft(db, ana, drift_retrain=0.4)
    with db.read() as session:
        assert policies.changes_of(session, row) == [("drift_retrain", 0.5, 0.4)]


def test_a_version_for_all_models_must_fit_each_of_them(db, ana):
    activate(db, draft(db, ana, drop_warning=0.04))
    with pytest.raises(InvalidInputError, match="of breast_cancer do not fit together"):
        draft(db, ana, scope=ALL, drop_critical=0.03)


def test_a_limit_of_latency_that_is_never_exceeded_is_refused(db, ana):
    with pytest.raises(InvalidInputError, match=r"latency_critical_ms \(5000\) must be under 5000"):
        draft(db, ana, latency_critical_ms=5000)


def test_a_version_that_another_one_needs_is_not_taken_back(db, ana):
    activate(db, draft(db, ana, scope=ALL, drift_approval=0.85))
    activate(db, draft(db, ana, drift_retrain=0.8))
    with pytest.raises(InvalidInputError, match=r"drift_retrain \(0.8\) must not be over"):
        retire(db, ALL)
    assert states(db, ALL) == [(1, "active")]


def test_a_spec_that_does_not_fit_what_was_approved_over_it_is_refused(db, ana, adm):
    activate(db, draft(db, ana, scope=ALL, drift_retrain=0.4))
    own = SPEC.replace("{accuracy_floor: 0.90}", "{overrides: {drift_urgent: 0.45}}")
    with pytest.raises(InvalidInputError, match=r"drift_urgent \(0.45\) must not be over"):
        specs.apply(db, adm, own)


def test_a_threshold_that_only_an_older_product_knew_counts_no_more(db, ana):
    row = draft(db, ana, drift_retrain=0.4)
    with db.command(EXECUTOR, "action.execute") as command:
        old = command.session.get(PolicyVersion, (row.model, row.version))
        old.thresholds = {**old.thresholds, "gone": 1}
        old.digest = policies.seal(old.model, old.thresholds)
        old.state = "active"
    assert in_force(db).policy.drift_retrain == 0.4
    with db.read() as session:
        assert "gone" not in {one.name for one in policies.values(session, "breast_cancer")}
    assert draft(db, ana, drift_urgent=0.2).thresholds == {
        "drift_retrain": 0.4,
        "drift_urgent": 0.2,
    }


def test_every_threshold_has_a_meaning_in_words():
    assert set(MEANINGS) == set(policies.NAMES)
    assert list(misfits(Policy())) == []


def test_a_policy_of_an_older_product_is_read_with_what_it_knew():
    assert policies.remembered({"drift_retrain": 0.4, "forgotten": 1}).drift_retrain == 0.4
    assert policies.remembered({}) == Policy()


def at_once(db, *rows):
    """Put versions in force at the same moment; returns how many got through."""

    def attempt(row):
        try:
            return activate(db, row).state
        except ConflictError:
            return "refused"

    with ThreadPoolExecutor(len(rows)) as pool:
        return list(pool.map(attempt, rows)).count("active")


def test_of_those_who_put_one_draft_in_force_at_once_one_does(db, ana):
    row = draft(db, ana, drift_retrain=0.4)
    assert at_once(db, row, row, row, row) == 1
    assert states(db) == [(1, "active")]


def test_two_versions_at_once_leave_one_in_force(db, ana):
    first = activate(db, draft(db, ana, drift_retrain=0.4))
    second = activate(db, draft(db, ana, drift_retrain=0.45))
    retire(db)
    assert at_once(db, first, second) >= 1
    assert [state for _, state in states(db)].count("active") == 1
