import pytest

from core import registry
from core.errors import ConflictError, ForbiddenError
from core.registry import again
from core.tables.entities import ModelVersion
from core.tables.telemetry import Label, Prediction

UNDECIDED = {"answer": "not_enough_evidence", "more_rows_needed": 400, "n": 100, "look": 1}


@pytest.fixture
def undecided(db, worker, release):
    """What serves is 1.0.0, and 2.0.0 lacks evidence; ``undecided(answer=…)`` changes its gate."""
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)

    def put(state="candidate", **changed):
        with db.command(worker, "version.register") as command:
            row = command.session.get_one(ModelVersion, ("spam", "2.0.0"))
            row.gate, row.state = {**UNDECIDED, **changed}, state

    put()
    return put


@pytest.fixture
def labels(db, clock):
    numbers = iter(range(10_000))

    def arrive(n):
        clock.forward(seconds=1)
        with db.append() as session:
            for number in (next(numbers) for _ in range(n)):
                session.add(
                    Prediction(
                        at=clock(), id=f"p{number}", model="spam", version="1.0.0",
                        variant="control", release_seq=1, is_shadow=False, hour=0, sample_key=1,
                        input={}, label="ham", probability=0.1, latency_ms=1.0, key_id="k",
                    )
                )  # fmt: skip
                label = {"value": "ham", "state": "confirmed", "at": clock()}
                session.add(Label(prediction_id=f"p{number}", source="client", **label))

    return arrive


def due(db):
    with db.read() as session:
        found = again.due(session, "spam")
    return found and found.version


def check(db):
    with db.read() as session:
        again.check(session, registry.get(session, "spam", "2.0.0"))


def test_it_is_time_when_a_quarter_of_the_missing_labels_has_arrived(db, undecided, labels):
    labels(99)
    assert due(db) is None
    labels(1)
    assert due(db) == "2.0.0"


def test_at_least_fifty_labels_are_waited_for(db, undecided, labels):
    undecided(more_rows_needed=4)
    labels(49)
    assert due(db) is None
    labels(1)
    assert due(db) == "2.0.0"


def test_labels_count_from_the_last_judgement(db, undecided, labels, clock):
    labels(200)
    undecided(at=clock().isoformat(), look=2)
    assert due(db) is None
    labels(100)
    assert due(db) == "2.0.0"


def test_what_is_older_than_what_serves_is_left_alone(db, undecided, labels, release):
    release("spam", "3.0.0")
    labels(200)
    assert due(db) is None


@pytest.mark.parametrize("changed", [{"answer": "refuse"}, {"state": "archived"}])
def test_what_is_decided_or_put_away_is_not_judged_again(db, undecided, labels, changed):
    undecided(**changed)
    labels(200)
    assert due(db) is None
    with pytest.raises(ConflictError, match="only what lacks evidence is judged again"):
        check(db)


def test_a_version_of_which_nobody_knows_what_it_learnt_is_not_judged_again(db, undecided, labels):
    undecided(overlap="unknown")
    labels(1)
    with pytest.raises(ConflictError, match="not known which rows spam 2.0.0 has learnt"):
        check(db)


def test_a_person_asks_once_for_each_look_and_not_without_a_new_label(
    db, ana, vic, undecided, labels
):
    with pytest.raises(ConflictError, match="no label has arrived since spam 2.0.0 was judged"):
        again.request(db, ana, "spam", "2.0.0")
    labels(1)
    made = {again.request(db, ana, "spam", "2.0.0").id for _ in range(2)}
    undecided(look=2)
    assert again.request(db, ana, "spam", "2.0.0").id not in made
    assert len(made) == 1
    with pytest.raises(ForbiddenError):
        again.request(db, vic, "spam", "2.0.0")
