import json
import threading

import pytest
from sqlalchemy import text, update

from core import audit
from core.access import Actor, Role, system
from core.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    MissingDatabaseError,
    UnavailableError,
)
from core.tables.access import AuditEvent, User
from core.tables.entities import ModelSpecRow
from core.tables.operational import Lease
from core.tables.telemetry import SpoolPosition


def spec_row(now, version=1):
    return ModelSpecRow(
        model="spam", version=version, yaml="", digest="", state="active", author="ana", at=now
    )


def outcomes(db):
    with db.read() as session:
        return [(row.actor, row.action, row.outcome) for row in audit.tail(session)]


def test_a_command_writes_its_change_and_its_audit_row_together(db, ana):
    with db.command(ana, "spec.apply") as command:
        command.session.add(spec_row(command.now))
        command.note(model="spam", reason="first", digest="abc")

    with db.read() as session:
        assert session.get(ModelSpecRow, ("spam", 1)) is not None
        row = audit.tail(session)[0]
    assert (row.actor, row.model, row.reason, row.detail) == (
        "ana",
        "spam",
        "first",
        {"digest": "abc"},
    )


def test_an_expected_error_undoes_the_block_and_leaves_one_refused_row(db, ana):
    with pytest.raises(ConflictError), db.command(ana, "spec.apply") as command:
        command.session.add(spec_row(command.now))
        command.session.flush()
        raise ConflictError("not now")

    with db.read() as session:
        assert session.get(ModelSpecRow, ("spam", 1)) is None
    assert outcomes(db)[0] == ("ana", "spec.apply", "refused")


def test_a_viewer_is_refused_and_the_refusal_is_recorded(db, vic):
    with pytest.raises(ForbiddenError, match=r"vic \(viewer\) may not do spec.apply"):
        with db.command(vic, "spec.apply"):
            pytest.fail("the block must not run")

    assert outcomes(db)[0] == ("vic", "spec.apply", "refused")


def test_the_role_counts_that_the_database_gives_now_not_the_one_at_sign_in(db):
    boastful = Actor("vic", Role.ADMIN)
    with pytest.raises(ForbiddenError), db.command(boastful, "spec.apply"):
        pass


def test_a_person_whose_account_was_switched_off_is_refused(db, adm, ana):
    with db.command(adm, "user.change") as command:
        command.session.get(User, "ana").active = False
    with pytest.raises(ForbiddenError, match="no active account"), db.command(ana, "spec.apply"):
        pass


def test_reading_refuses_to_change_anything(db, clock):
    with db.read() as session, pytest.raises(RuntimeError, match="may not change model_spec"):
        session.add(spec_row(clock()))
        session.flush()


@pytest.mark.parametrize("verb", ["keep", "append"])
def test_the_unaudited_verbs_refuse_what_the_product_is_about(db, clock, verb):
    with pytest.raises(RuntimeError, match="may not change model_spec"):
        with getattr(db, verb)() as session:
            session.add(spec_row(clock()))
    with pytest.raises(RuntimeError, match="may not change user_account"):
        with getattr(db, verb)() as session:
            session.execute(update(User).values(role="admin"))


def test_keep_changes_operational_rows_without_an_audit_row(db, clock):
    before = len(outcomes(db))
    with db.keep() as session:
        session.add(Lease(name="schedule", owner="w1", until=clock(), fence=1))
    assert len(outcomes(db)) == before


def test_a_broken_unique_key_is_a_conflict_in_words(db, ana, clock):
    for expected in (None, "changed by somebody else"):
        if expected is None:
            with db.command(ana, "spec.apply") as command:
                command.session.add(spec_row(command.now))
        else:
            with pytest.raises(ConflictError, match=expected), db.command(ana, "spec.apply") as c:
                c.session.add(spec_row(c.now))


def test_the_chain_holds_over_many_commands_from_two_threads(db, ana):
    def work(start):
        for version in range(start, start + 20):
            with db.command(ana, "spec.apply") as command:
                command.session.add(spec_row(command.now, version))

    threads = [threading.Thread(target=work, args=(start,)) for start in (1, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    state = audit.verify(db)
    assert (state.whole, state.n) == (True, 41)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("update audit_event set actor = 'eve' where seq = 2", "Row 2 was changed"),
        ("delete from audit_event where seq = 2", "Row 2 was changed, removed"),
        ("delete from audit_event where seq = 3", "the newest are gone"),
    ],
)
def test_damage_to_the_trail_is_found(db, ana, damage, found):
    for version in (1, 2):
        with db.command(ana, "spec.apply") as command:
            command.session.add(spec_row(command.now, version))
    with db.engine.begin() as connection:
        connection.execute(text(damage))

    state = audit.verify(db)
    assert not state.whole
    assert found in state.sentence


def test_the_removal_of_the_newest_rows_stays_found_after_new_ones(db, ana):
    for version in (1, 2):
        with db.command(ana, "spec.apply") as command:
            command.session.add(spec_row(command.now, version))
    with db.engine.begin() as connection:
        connection.execute(text("delete from audit_event where seq > 1"))
    for version in (3, 4, 5):
        with db.command(ana, "spec.apply") as command:
            command.session.add(spec_row(command.now, version))

    state = audit.verify(db)
    assert not state.whole
    assert "behind row 1 were removed" in state.sentence


def test_a_value_that_is_too_long_is_said_to_be_so(db, ana):
    if not db.is_postgresql:
        return  # SQLite keeps any length
    with pytest.raises(InvalidInputError, match="too long"), db.command(ana, "spec.apply") as c:
        c.note(model="m" * 300)


def test_an_export_keeps_a_spreadsheet_from_running_a_cell(db, ana):
    with db.command(ana, "spec.apply") as command:
        command.note(reason='=HYPERLINK("x")')
    assert "\"'=HYPERLINK" in audit.export_csv(db, ana)


def test_without_the_audit_row_the_change_does_not_happen(db, ana, clock):
    rename(db, "audit_event", "elsewhere")
    with pytest.raises(Exception, match="audit_event|not set up"):
        with db.command(ana, "spec.apply") as command:
            command.session.add(spec_row(command.now))
    with db.read() as session:
        assert session.get(ModelSpecRow, ("spam", 1)) is None
    rename(db, "elsewhere", "audit_event")  # the database is lent to the next test


def rename(db, table, other):
    with db.engine.begin() as connection:
        connection.execute(text(f"alter table {table} rename to {other}"))


def test_system_parts_may_not_do_what_only_people_do(db):
    with pytest.raises(ForbiddenError), db.command(system("agent"), "recommendation.decide"):
        pass


def test_a_database_that_is_not_set_up_says_what_to_do(settings, clock, tmp_path, request):
    from core.db import Database

    url = f"sqlite:///{tmp_path}/x.db"
    if "postgresql" in settings.db_url:
        url = request.getfixturevalue("empty_postgresql")
    bare = Database(settings.model_copy(update={"database_url": url}), clock)
    bare.create()
    with pytest.raises(UnavailableError, match="pilothouse init"), bare.read() as session:
        audit.tail(session)
    assert AuditEvent.__table__.info["group"] == "entity"


def test_a_missing_file_is_said_and_not_made_by_whoever_looks(settings, clock, tmp_path):
    from core.db import Database

    path = tmp_path / "moved.db"
    there = Database(settings.model_copy(update={"database_url": f"sqlite:///{path}"}), clock)
    with pytest.raises(MissingDatabaseError) as refused, there.read() as session:
        audit.tail(session)
    assert str(refused.value).startswith("there is no database at moved.db; if it was moved, put")
    assert str(path) in refused.value.in_full
    assert not path.exists()


def test_a_database_that_takes_no_changes_is_one_that_is_away(db):
    words = "set transaction read only" if db.is_postgresql else "pragma query_only = on"
    with pytest.raises(UnavailableError), db.append() as session:
        session.execute(text(words))
        session.add(SpoolPosition(spool="a", offset=1, at=db.clock()))


def test_the_head_of_the_audit_trail_is_replaced_in_one_write(db, ana, monkeypatch):
    def change():
        with db.command(ana, "dataset.load"):
            pass

    change()
    before = db.head_path.read_text()

    def killed(*_what):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.pwrite", killed)
    with pytest.raises(KeyboardInterrupt):
        change()
    assert db.head_path.read_text() == before
    monkeypatch.undo()
    change()
    assert json.loads(db.head_path.read_text())["seq"] == json.loads(before)["seq"] + 2
