import pandas as pd
import pytest

from core import specs
from core.datasets import ranking, versions
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.settings import ROOT


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    import shutil

    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def spec(db, ana):
    return specs.apply(db, ana, (ROOT / "specs" / "sms_spam.yaml").read_text())


@pytest.fixture
def keep(db, settings, ana, spec, clock):
    """Keep `n` messages, every `spam_every`th of them spam, a day after the one before."""

    def load(n=600, *, spam_every=2, tag="text", **more):
        clock.forward(days=1)
        texts = [f"{tag} {i}" for i in range(n)]
        labels = ["spam" if i % spam_every == 0 else "ham" for i in range(n)]
        frame = pd.DataFrame({"message": texts, "label": labels})
        return versions.load(db, ana, settings, spec.name, frame=frame, **more)

    return load


@pytest.fixture
def best(db, settings, spec, clock):
    def ask():
        with db.read() as session:
            return ranking.best(session, settings, spec, now=clock())

    return ask


def test_more_rows_win_over_a_day_of_freshness(keep, best):
    large = keep(2000)
    keep(600)
    assert best().id == large.id


def test_with_equal_rows_the_better_balanced_wins(keep, best):
    even = keep(600, spam_every=2)
    keep(600, spam_every=10)
    assert best().id == even.id


def test_age_counts_against_a_version_as_a_half_life_says(keep, best, clock, settings, spec):
    old = keep(700)
    clock.forward(days=90)
    keep(600, tag="word")
    (one, other) = ranking.ranked([old, best()], spec, settings, now=clock())
    assert {round(x.parts["freshness"], 2) for x in (one, other)} == {1.0, 0.5}
    assert best().id != old.id


def test_what_cannot_be_used_is_listed_last_with_the_reason(keep, db, ana, settings, spec, clock):
    good, small, aside, lost = keep(), keep(50), keep(tag="a"), keep(tag="b")
    versions.archive(db, ana, aside.id, "wrong year")
    versions.path_of(settings, lost).unlink()
    with db.read() as session:
        found = ranking.ranked(versions.history(session, spec.name), spec, settings, now=clock())
    assert found[0].row.id == good.id
    assert {one.row.id: one.why_not for one in found[1:]} == {
        small.id: "rejected",
        aside.id: "archived",
        lost.id: "no longer in the data folder",
    }


def test_a_version_made_from_another_takes_its_place_until_it_is_archived(keep, best, db, ana):
    base = keep(2000)
    corrected = keep(600, parent_id=base.id)
    assert best().id == corrected.id
    versions.archive(db, ana, corrected.id, "it was the wrong file")
    assert best().id == base.id


def test_data_without_a_column_of_the_spec_is_not_usable(keep, settings, clock, spec):
    row = keep()
    other = spec.model_copy(update={"target": spec.target.model_copy(update={"column": "kind"})})
    (one,) = ranking.ranked([row], other, settings, now=clock())
    assert one.why_not == "without the column kind"


def test_no_usable_data_is_said_with_the_reason_of_the_newest(keep, best):
    with pytest.raises(NotFoundError, match=r"sms_spam has no validated train data yet$"):
        best()
    keep(50)
    with pytest.raises(NotFoundError, match="the newest is rejected"):
        best()


def test_archived_content_stays_archived_when_it_is_loaded_again_until_restored(
    keep, db, ana, settings
):
    row = keep()
    versions.archive(db, ana, row.id, "wrong year")
    again = keep()
    assert (again.id, again.state) == (row.id, "archived")
    with pytest.raises(InvalidInputError, match="was archived: restore it"):
        versions.usable(again)
    assert versions.restore(db, ana, row.id, "right after all").state == "validated"


def test_archiving_needs_an_operator_a_reason_and_happens_once(keep, db, ana, vic):
    row = keep()
    for actor, reason, error in ((vic, "x", ForbiddenError), (ana, " ", InvalidInputError)):
        with pytest.raises(error):
            versions.archive(db, actor, row.id, reason)
    versions.archive(db, ana, row.id, "wrong year")
    with pytest.raises(ConflictError, match="archived already"):
        versions.archive(db, ana, row.id, "again")
