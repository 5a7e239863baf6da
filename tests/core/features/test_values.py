from datetime import timedelta

import pytest

from core import audit, features
from core.errors import ForbiddenError, InvalidInputError
from core.features import values
from core.features.values import Given
from tests.conftest import NOON


@pytest.fixture
def spent(db, ana):
    return features.define(db, ana, "spent", type="numeric", how="lookup", entity="customer")


def test_a_file_is_loaded_once_however_often_it_is_given(db, ana, spent, tmp_path):
    file = tmp_path / "values.csv"
    file.write_text(
        "feature,entity_id,at,value\nspent,c1,2029-12-01,5\nspent@1,c2,2029-12-02,7.5\n"
    )
    assert values.load_file(db, ana, file) == values.Loaded(new=2, known=0)
    assert values.load_file(db, ana, file) == values.Loaded(new=0, known=2)
    with db.read() as session:
        found = sorted(values.of_entities(session, "spent@1", ["c1", "c2"]))
        assert values.summary(session)["spent@1"][0] == 2
    assert [(entity, value) for entity, _at, value in found] == [("c1", 5.0), ("c2", 7.5)]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("spent", "c1", "yesterday", "5"), "Row 1 cannot be used: at is a date"),
        (("spent", "c1", "2029-12-01", "many"), "spent@1 is a number"),
        (("spent", "c1", "2031-01-01", "5"), "lies ahead"),
        (("spent", " ", "2029-12-01", "5"), "entity_id has 1 to 200"),
        (("spent", "c1", "2029-12-01", "inf"), "spent@1 is a number"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(db, ana, spent, row, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        values.load(db, ana, [Given(*row)])


def test_each_load_leaves_one_row_in_the_audit_trail_with_who_and_what(db, ana, spent):
    values.load(db, ana, [Given("spent", c, NOON, 1) for c in ("c1", "c2")], source="a.csv")
    with db.read() as session:
        (row,) = audit.tail(session, action="feature.load")
    assert (row.actor, row.outcome) == ("ana", "done")
    assert row.detail == {"source": "a.csv", "rows": 2, "features": {"spent@1": 2}}


def test_a_refused_load_adds_nothing_and_says_so_in_the_audit_trail(db, ana, spent):
    good = [Given("spent", f"c{n}", NOON, n) for n in range(values.CHUNK)]
    with pytest.raises(InvalidInputError, match="Row 1001 cannot"):
        values.load(db, ana, [*good, Given("spent", "c", NOON, "many")])
    with db.read() as session:
        (row,) = audit.tail(session, action="feature.load")
        assert values.summary(session) == {}
    assert (row.outcome, row.detail["rows"]) == ("refused", 1000)
    assert "Row 1001" in row.detail["refused_because"]


def test_a_derived_feature_has_no_values_to_load(db, ana):
    features.define(
        db, ana, "size", type="numeric", how="function", body="text_length", inputs={"t": "text"}
    )
    with pytest.raises(InvalidInputError, match="is derived"):
        values.load(db, ana, [Given("size", "c1", NOON, 1)])


def test_a_viewer_may_not_load_values(db, vic, spent):
    with pytest.raises(ForbiddenError):
        values.load(db, vic, [Given("spent", "c1", NOON, 1)])


def test_the_newest_value_of_each_entity_is_current(db, ana, clock, spent):
    values.load(db, ana, [Given("spent", "c1", NOON - timedelta(days=d), d) for d in (3, 1, 2)])
    clock.forward(minutes=1)
    values.load(db, ana, [Given("spent", "c2", NOON, 9)])
    with db.read() as session:
        every = list(values.current(session, ["spent@1"], since=None, most=10))
        new = list(values.current(session, ["spent@1"], since=clock(), most=10))
    assert sorted((entity, value) for _f, entity, _at, value in every) == [("c1", 1.0), ("c2", 9.0)]
    assert [entity for _f, entity, _at, _v in new] == ["c2"]


def test_each_part_of_a_long_load_is_new_to_who_looked_in_between(db, ana, clock, spent):
    class Slowly:
        passes = 0

        def __iter__(self):
            self.passes += 1  # the first only checks
            for number in range(values.CHUNK + 1):
                if number == values.CHUNK and self.passes == 2:
                    clock.forward(minutes=5)
                yield Given("spent", f"c{number}", NOON, number)

    values.load(db, ana, Slowly())
    since = NOON + timedelta(minutes=1)
    with db.read() as session:
        new = list(values.current(session, ["spent@1"], since=since, most=10))
    assert [entity for _f, entity, _at, _v in new] == [f"c{values.CHUNK}"]
