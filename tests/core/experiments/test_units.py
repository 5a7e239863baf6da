import pytest

from core.experiments import lifecycle, units
from core.experiments.units import Counted, Units
from core.tables.entities import Experiment, ModelVersion
from core.tables.telemetry import Label, Prediction


@pytest.fixture
def row(db, ana, worker, release):
    """A running experiment of equal shares, whose release is the second."""
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)
    with db.command(worker, "version.register") as command:
        known = command.session.get(ModelVersion, ("spam", "1.0.0"))
        known.signature = {"labels": ["ham", "spam"]}
    drafted = lifecycle.draft(
        db,
        ana,
        model="spam",
        name="bold",
        control="1.0.0",
        treatment="2.0.0",
        share=0.5,
        hypothesis="fewer misses",
    )
    with db.command(worker, "experiment.start") as command:
        lifecycle.start_in(command, drafted.id)
    return drafted


@pytest.fixture
def log(db, clock):
    """Log one answer per letter: r(ight), w(rong) or - (truth not known)."""

    def put(user, outcomes, *, variant="control", seq=2, shadow=False):
        name = f"{variant}-{user}-{seq}"
        with db.append() as session:
            for place, outcome in enumerate(outcomes):
                session.add(answer(clock(), f"{name}-{place}", user, variant, seq, shadow))
                if outcome != "-":
                    truth = "spam" if outcome == "r" else "ham"
                    session.add(label(clock(), f"{name}-{place}", truth))

    return put


def answer(now, row_id, user, variant, seq, shadow):
    return Prediction(
        at=now,
        id=row_id,
        model="spam",
        version="1.0.0",
        variant=variant,
        release_seq=seq,
        is_shadow=shadow,
        hour=0,
        sample_key=0,
        input={},
        label="spam",
        probability=0.9,
        latency_ms=1.0,
        entity_id=user,
        key_id="k",
    )


def label(now, prediction_id, value, source="x"):
    return Label(prediction_id=prediction_id, source=source, value=value, state="confirmed", at=now)


def count(db, row: Experiment):
    with db.read() as session:
        return units.count(session, "spam", row.id, ["ham", "spam"])


def test_a_user_is_one_unit_and_a_prediction_without_a_user_is_its_own(db, row, log):
    log("ana", "rrw-")
    log("bob", "-")
    log(None, "rw")
    assert count(db, row) == {
        "control": Counted(7, 5, 3, Units(assigned=4, labelled=3, nn=11, ns=7, ss=5))
    }


def test_the_arms_are_counted_apart_and_shadows_and_other_releases_not_at_all(db, row, log):
    log("ana", "r")
    log("bob", "w", variant="treatment")
    log("eve", "r", variant="shadow", shadow=True)
    log("eve", "r", seq=1)
    assert count(db, row) == {
        "control": Counted(1, 1, 1, Units(1, 1, 1, 1, 1)),
        "treatment": Counted(1, 1, 0, Units(1, 1, 1, 0, 0)),
    }


def test_only_labels_of_the_model_count_and_a_prediction_once(db, row, log, clock):
    log("ana", "rr-")
    clock.forward(hours=1)
    with db.append() as session:
        session.add(label(clock(), "control-ana-2-0", "spam", source="later"))
        session.add(label(clock(), "control-ana-2-1", "present", source="later"))
        session.add(label(clock(), "control-ana-2-2", "present", source="later"))
    assert count(db, row)["control"] == Counted(3, 2, 2, Units(1, 1, 4, 4, 4))


def test_sources_that_disagree_leave_the_truth_unknown(db, row, log, clock):
    log("ana", "rr")
    clock.forward(hours=1)
    with db.append() as session:
        session.add(label(clock(), "control-ana-2-0", "ham", source="later"))
    assert count(db, row)["control"] == Counted(2, 1, 1, Units(1, 1, 1, 1, 1))


def test_an_experiment_that_never_ran_has_no_units(db, ana, row):
    with db.read() as session:
        assert units.count(session, "spam", "unknown", []) == {}


def test_busy_users_of_one_arm_are_no_wrong_split(db, row, log):
    for number in range(10):
        log(f"a{number}", "r" * 30)
        log(f"b{number}", "r" * 3, variant="treatment")
    with db.read() as session:
        found = lifecycle.status(session, row.id)
    assert found["predictions"] == {"control": 300, "treatment": 30}
    assert found["users"] == {"control": 10, "treatment": 10}
    assert found["verdict"]["srm_p"] == 1.0
    assert "Judged by user: 10 and 10 with an outcome; each arm needs 50." in found["sentence"]


def test_labels_of_one_arm_only_are_no_wrong_split(db, row, log):
    for number in range(60):
        log(f"a{number}", "r")
        log(f"b{number}", "r" if number < 10 else "-", variant="treatment")
    with db.read() as session:
        assert lifecycle.status(session, row.id)["verdict"]["srm_p"] == 1.0


def test_answers_are_set_against_the_truth_per_arm_and_a_shadow_is_one(db, row, log):
    log("u1", "rrw-")
    log("u2", "r", variant="treatment")
    log("u3", "w", variant="shadow", shadow=True)
    with db.read() as session:
        found = units.count_classes(session, "spam", row.id, ["ham", "spam"], since_seq=2)
        later = units.count_classes(session, "spam", row.id, ["ham", "spam"], since_seq=3)
    assert found == {
        "control": {("spam", "spam"): 2, ("spam", "ham"): 1},
        "treatment": {("spam", "spam"): 1},
        "shadow": {("spam", "ham"): 1},
    }
    assert later == {}
