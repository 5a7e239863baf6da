from datetime import timedelta

import pytest
from sqlalchemy import event

from core import predictions, truth
from core.clock import hour_of
from core.errors import NotFoundError
from core.tables.entities import ModelVersion
from core.tables.telemetry import HourlyCount, Label, Prediction
from tests.fakes.counted import count


@pytest.fixture
def log(db, clock):
    """Add an answer: ``log(1, label="spam")``; with `true` also what was true."""

    def put(number, *, version="1.0.0", variant="control", label="spam", true=None, seq=1):
        clock.forward(seconds=1)
        row = Prediction(
            at=clock(), id=f"p{number:03}", model="spam", version=version, variant=variant,
            release_seq=seq, is_shadow=variant == "shadow", hour=hour_of(clock()),
            sample_key=number, input={"message": "x"}, label=label, probability=0.9,
            latency_ms=1.0, key_id="k",
        )  # fmt: skip
        with db.append() as session:
            session.add(row)
            count(session, [row])
            if true:
                session.add(say(number, true, clock()))
        return clock()

    return put


@pytest.fixture
def register(db, worker):
    def put(version, *labels):
        with db.command(worker, "version.register") as command:
            command.session.add(
                ModelVersion(
                    model="spam", version=version, number=int(version[0]), state="candidate",
                    run_id=version, algorithm="complement_nb", artifact="0" * 64,
                    signature={"labels": list(labels)}, metrics={}, gate={},
                    train_dataset_id="d1", test_dataset_id="d2", reference_dataset_id="d3",
                    at=command.now,
                )
            )  # fmt: skip

    return put


def say(number, value, at, source="client"):
    return Label(
        prediction_id=f"p{number:03}", source=source, value=value, state="confirmed", at=at
    )


def ids(rows):
    return [row.id for row in rows]


def test_the_newest_predictions_come_first(db, log):
    for number in range(3):
        log(number)
    with db.read() as session:
        assert ids(predictions.recent(session, "spam", 2)) == ["p002", "p001"]


def test_a_prediction_whose_sources_agree_is_labelled_once_by_the_newest(db, log, clock):
    log(1, true="spam")
    log(2)
    with db.append() as session:
        session.add(say(1, "spam", clock() + timedelta(hours=1), source="shop"))
    with db.read() as session:
        (one,) = predictions.labelled(session, "spam", limit=50)
    assert (one.prediction.id, one.label.source, one.correct) == ("p001", "shop", True)


def test_a_label_counts_only_if_it_is_a_class_of_the_version_that_answered(db, log, register):
    register("1.0.0", "ham", "spam")
    register("2.0.0", "fine", "junk")
    log(1, true="ham")
    log(2, true="healthy")
    log(3, true="ham", version="2.0.0", label="junk")
    log(4, true="junk", version="2.0.0", label="junk")
    with db.read() as session:
        counted = [one.prediction.id for one in predictions.labelled(session, "spam", limit=50)]
        found = predictions.accuracy(session, "spam")
        arms = predictions.arm_counts(session, "spam", 1)
    assert counted == ["p004", "p001"]
    assert (found.n, found.correct, arms) == (2, 1, {"control": (4, 2, 1)})


def test_a_label_of_another_model_does_not_hide_one_that_fits(db, log, register, clock):
    register("1.0.0", "ham", "spam")
    log(1, true="spam")
    with db.append() as session:
        session.add(say(1, "healthy", clock() + timedelta(hours=1), source="review"))
    with db.read() as session:
        assert predictions.accuracy(session, "spam").accuracy == 1.0


def test_where_two_sources_disagree_neither_counts_until_a_person_decides(db, log, clock):
    log(1, true="spam")
    later = clock() + timedelta(hours=1)
    with db.append() as session:
        session.add(say(1, "ham", later, source="shop"))
    with db.read() as session:
        assert predictions.labelled(session, "spam", limit=50) == []
        assert predictions.accuracy(session, "spam").n == 0
        assert predictions.arm_counts(session, "spam", 1) == {"control": (1, 0, 0)}
    with db.append() as session:
        session.add(say(1, "spam", clock(), source=truth.REVIEW))
    with db.read() as session:
        assert predictions.accuracy(session, "spam").accuracy == 1.0
        assert predictions.arm_counts(session, "spam", 1) == {"control": (1, 1, 1)}


def test_the_classes_of_stored_predictions_are_those_of_their_versions(db, log, register):
    register("1.0.0", "ham", "spam")
    log(1)
    log(2, version="2.0.0")
    with db.read() as session:
        found = predictions.classes(session, ["p001", "p002", "ghost"])
    assert found == {"p001": {"ham", "spam"}}


def test_accuracy_counts_each_outcome(db, log):
    for number, (label, true) in enumerate(
        [("spam", "spam"), ("spam", "ham"), ("ham", "spam"), ("ham", "ham"), ("ham", "ham")]
    ):
        log(number, label=label, true=true)
    log(7)
    with db.read() as session:
        found = predictions.accuracy(session, "spam", positive="spam")
    assert (found.n, found.correct, found.tp, found.fp, found.fn, found.tn) == (5, 3, 1, 1, 1, 2)
    assert (found.accuracy, found.f1) == (0.6, 0.5)


def test_accuracy_since_a_moment_and_of_one_version(db, log):
    log(1, true="ham")
    noon = log(2, true="spam")
    log(3, true="spam", version="2.0.0")
    with db.read() as session:
        assert predictions.accuracy(session, "spam", since=noon).n == 2
        assert predictions.accuracy(session, "spam", since=noon, version="1.0.0").n == 1
        assert predictions.accuracy(session, "ghost").accuracy is None


def test_the_arms_of_a_release_are_counted_apart(db, log):
    log(1, true="spam", seq=2)
    log(2, true="ham", seq=2)
    log(3, variant="treatment", seq=2)
    log(4, variant="treatment", seq=1)
    log(5, variant="shadow", true="spam", seq=2)
    with db.read() as session:
        counts = predictions.arm_counts(session, "spam", 2)
    assert counts == {"control": (2, 2, 1), "treatment": (1, 0, 0), "shadow": (1, 1, 1)}


def test_a_label_reaches_the_shadow_of_its_prediction_too(db, log):
    log(1, label="spam", true="ham")
    log(1, label="ham", variant="shadow")
    with db.read() as session:
        live = predictions.accuracy(session, "spam")
        shadow = predictions.accuracy(session, "spam", shadow=True)
        assert predictions.get(session, "p001").variant == "control"
    assert (live.accuracy, shadow.accuracy) == (0.0, 1.0)


def test_volume_covers_the_last_hours(db, clock):
    now = hour_of(clock())
    with db.append() as session:
        for ago in (0, 1, 5):
            session.add(
                HourlyCount(
                    model="spam",
                    version="1.0.0",
                    variant="control",
                    hour=now - ago,
                    requests=ago,
                    errors=0,
                    positives=0,
                    latency_ms_sum=0,
                    latency_buckets={},
                )
            )
    with db.read() as session:
        rows = predictions.volume(session, "spam", 2, now=clock())
    assert [row.requests for row in rows] == [1, 0]


def test_an_unknown_prediction_is_not_found(db):
    with db.read() as session, pytest.raises(NotFoundError):
        predictions.get(session, "ghost")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "ask",
    [
        lambda session, since: predictions.accuracy(session, "spam", since=since),
        lambda session, since: predictions.labels_since(session, "spam", since),
    ],
    ids=["accuracy", "labels_since"],
)
def test_what_is_asked_again_and_again_reads_the_new_labels_and_not_every_answer(db, clock, ask):
    asked = []
    with db.read() as session:
        event.listen(db.engine, "before_cursor_execute", lambda *a: asked.append(a[2:4]))
        ask(session, clock())
        words, values = asked[-1]
        plan = session.connection().exec_driver_sql(f"explain query plan {words}", values)
        steps = " ".join(row[-1] for row in plan)
    assert "ix_label_at" in steps
    assert "SCAN prediction" not in steps
    assert "sqlite_autoindex_prediction" not in steps
