import pytest

from core import audit, notes, specs
from core.access import system
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from tests.fakes.watched import TEXT


@pytest.fixture(autouse=True)
def model(db):
    specs.apply(db, system("bootstrap"), TEXT)


def write(db, actor, text="the shop is on sale", *, model="spam", freeze=False, hours=4):
    return notes.write(db, actor, model=model, text=text, freeze=freeze, hours=hours)


def in_force(db, clock, model="spam"):
    with db.read() as session:
        return [note.text for note in notes.in_force(session, model, clock())]


def test_a_note_counts_for_its_hours_and_is_audited(db, ana, clock):
    row = write(db, ana)
    assert (row.author, in_force(db, clock)) == ("ana", ["the shop is on sale"])
    with db.read() as session:
        told = audit.tail(session)[0]
    assert (told.action, told.model, told.reason) == ("note.write", "spam", "the shop is on sale")
    clock.forward(hours=4)
    assert in_force(db, clock) == []


def test_a_note_about_all_models_counts_for_each(db, ana, clock):
    write(db, ana, "holidays", model="*")
    assert in_force(db, clock) == in_force(db, clock, "another") == ["holidays"]


def test_a_note_is_ended_once(db, ana, apo, clock):
    row = write(db, ana)
    ended = notes.end(db, apo, row.id)
    assert (ended.ended_by, in_force(db, clock)) == ("apo", [])
    with pytest.raises(ConflictError, match="this note was ended by apo already"):
        notes.end(db, ana, row.id)


def test_a_freeze_holds_changes_back_until_it_ends(db, ana, clock):
    row = write(db, ana, "audit week", freeze=True)
    with pytest.raises(ConflictError, match=r"frozen by ana until 2030-01-01 16:00 UTC \(audit w"):
        check(db, clock)
    notes.end(db, ana, row.id)
    check(db, clock)


def check(db, clock):
    with db.read() as session:
        notes.check_freeze(session, "spam", clock())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("given", "error", "reason"),
    [
        ({"text": "  "}, InvalidInputError, "say in a few words"),
        ({"text": "x" * 501}, InvalidInputError, "a note has at most 500 characters"),
        ({"hours": 0}, InvalidInputError, "a note lasts more than 0 hours and at most 720"),
        ({"hours": float("nan")}, InvalidInputError, "a note lasts more than 0 hours"),
        ({"hours": 169, "freeze": True}, InvalidInputError, "a freeze lasts .* at most 168"),
        ({"model": "nope"}, NotFoundError, "there is no model nope"),
    ],
)
def test_what_cannot_be_noted_is_refused(db, ana, clock, given, error, reason):
    with pytest.raises(error, match=reason):
        write(db, ana, **given)
    assert in_force(db, clock) == []


def test_a_viewer_writes_and_ends_none(db, ana, vic):
    with pytest.raises(ForbiddenError):
        write(db, vic)
    row = write(db, ana)
    with pytest.raises(ForbiddenError):
        notes.end(db, vic, row.id)


def test_a_note_that_is_not_there_cannot_be_ended(db, ana):
    with pytest.raises(NotFoundError, match="there is no note"):
        notes.end(db, ana, "none")
