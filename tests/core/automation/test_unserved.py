"""A release that an api process cannot load becomes one incident, and a message goes out."""

from datetime import timedelta

import pytest

from core import incidents, jobs, outbox
from core.automation import unserved
from core.automation.runners import RUNNERS
from core.clock import hour_of
from core.ids import new_id
from core.panel import Panel
from core.serving import artifacts, loading, problems, service, shipper
from core.tables.telemetry import Prediction
from tests import serving_kit as kit


@pytest.fixture
def house(settings, db, ana, clock):
    """Settings with a channel, and a model that serves."""
    kit.apply_specs(db, ana)
    kit.deploy(db, settings, "sms_spam", "1.0.0")
    return settings.model_copy(update={"smtp_host": "mail", "alert_email_to": "ops@example.com"})


def begin(house, clock):
    built = service.build(house, clock)
    built.refresh()
    return built


def release_a_damaged_one(db, house):
    row = kit.register(db, house, "sms_spam", "2.0.0", flipped=True)
    artifacts.path(house, row.artifact).write_bytes(b"cut")
    kit.release(db, "sms_spam", "2.0.0")


def carry_on(db, house, clock):
    """Let the shipper and the worker do their part; return the incidents."""
    shipper.ship(db, house)
    panel = Panel(house, db, clock)
    while claim := jobs.claim(db, "w", lease=timedelta(minutes=1)):
        if claim.kind in (
            problems.JOB,
            problems.JOB_OVER,
        ):  # a release asks for others, which need a tracking server
            RUNNERS[claim.kind].work(panel, claim)
        jobs.finish(db, claim, "succeeded")
    with db.read() as session:
        return incidents.all(session), outbox.recent(session)


def test_a_damaged_model_file_opens_an_incident_and_sends_one_message(house, db, clock):
    built = begin(house, clock)
    release_a_damaged_one(db, house)
    built.refresh()
    (incident,), (message,) = carry_on(db, house, clock)
    assert (incident.model, incident.version, incident.severity) == ("sms_spam", "2.0.0", "high")
    assert "was changed or cut" in incident.timeline[-1]["what"]
    assert "release 1 serves on" in incident.timeline[-1]["what"]
    assert message.subject == "sms_spam 2.0.0 was released and cannot be served"
    built.close()


def test_where_nothing_serves_instead_it_is_critical(house, db, clock):
    release_a_damaged_one(db, house)
    built = begin(house, clock)
    built.close()
    (incident,), _ = carry_on(db, house, clock)
    assert incident.severity == "critical"


def test_several_processes_and_attempts_tell_of_it_once(house, db, clock):
    processes = [begin(house, clock) for _ in range(2)]
    release_a_damaged_one(db, house)
    for built in processes:
        for _ in range(3):
            built.loading.retry_now()
            built.refresh()
        built.close()
    (incident,), messages = carry_on(db, house, clock)
    assert len(messages) == 1
    assert len(incident.timeline) == 2
    with db.read() as session:
        asked = [job.kind for job in jobs.recent(session)].count(problems.JOB)
    assert asked == len(processes)


def test_a_batch_of_the_log_that_is_moved_twice_queues_the_work_once(house, db, clock):
    built = begin(house, clock)
    release_a_damaged_one(db, house)
    built.refresh()
    (file,) = house.folder("spool").glob("*.spool")
    content = file.read_bytes()
    built.close()
    shipper.ship(db, house)
    file.with_name("again.spool").write_bytes(content)
    (_,), (_,) = carry_on(db, house, clock)
    with db.read() as session:
        assert [job.kind for job in jobs.recent(session)].count(problems.JOB) == 1


def test_it_is_told_again_after_an_hour_when_it_lasts(house, db, ana, clock, monkeypatch):
    built = begin(house, clock)
    release_a_damaged_one(db, house)
    built.refresh()
    (incident,), _ = carry_on(db, house, clock)
    incidents.resolve(db, ana, incident.id, "looked away")
    later = loading.monotonic() + 3_700
    monkeypatch.setattr(loading, "monotonic", lambda: later)
    built.refresh()
    built.close()
    found, _ = carry_on(db, house, clock)
    assert [one.state for one in found].count("open") == 1


def answer(db, clock, seq, version):
    now = clock()
    with db.append() as session:
        session.add(
            Prediction(
                at=now,
                id=new_id(now),
                model="sms_spam",
                version=version,
                variant="control",
                release_seq=seq,
                is_shadow=False,
                hour=hour_of(now),
                sample_key=1,
                input={},
                label="ham",
                probability=0.1,
                latency_ms=1.0,
                key_id="k",
            )
        )


def test_it_ends_by_itself_when_a_newer_release_answers(house, db, clock):
    built = begin(house, clock)
    release_a_damaged_one(db, house)
    built.refresh()
    carry_on(db, house, clock)
    answer(db, clock, 2, "2.0.0")  # another process could load it: that proves nothing
    assert unserved.clear(db, house) == []

    kit.release(db, "sms_spam", "1.0.0")
    assert unserved.clear(db, house) == []
    answer(db, clock, 3, "1.0.0")

    (ended,) = unserved.clear(db, house)
    assert "release 3 (1.0.0) answers" in ended.timeline[-1]["what"]
    assert unserved.clear(db, house) == []
    built.close()


@pytest.fixture
def mended(house, db, clock):
    """Two processes that could not load a file, told so, and the file as it was made."""
    both = [begin(house, clock) for _ in range(2)]
    row = kit.register(db, house, "sms_spam", "2.0.0", flipped=True)
    file = artifacts.path(house, row.artifact)
    whole = file.read_bytes()
    file.write_bytes(b"cut")
    kit.release(db, "sms_spam", "2.0.0")
    for built in both:
        built.refresh()
    assert [one.state for one in carry_on(db, house, clock)[0]] == ["open"]
    file.write_bytes(whole)
    yield both
    for built in both:
        built.close()


def look_again(built):
    built.loading.retry_now()
    built.refresh()


def test_it_ends_by_itself_when_every_process_could_load_the_file_after_all(
    mended, house, db, clock
):
    look_again(mended[0])
    assert [one.state for one in carry_on(db, house, clock)[0]] == ["open"]
    look_again(mended[1])
    (ended,), _ = carry_on(db, house, clock)
    assert ended.state == "resolved"
    assert "release 2 (2.0.0) is loaded now wherever it could not be" in ended.timeline[-1]["what"]


def test_a_process_that_ended_holds_up_nobody(mended, house, db, clock):
    look_again(mended[0])
    mended[1].close()
    assert [one.state for one in carry_on(db, house, clock)[0]] == ["resolved"]


def test_a_process_that_vanished_holds_it_open_for_two_hours_and_not_for_ever(
    mended, house, db, clock
):
    look_again(mended[0])
    carry_on(db, house, clock)
    assert unserved.clear(db, house) == []
    clock.now += problems.GONE_AFTER + timedelta(minutes=1)
    assert unserved.clear(db, house) == []
    answer(db, clock, 2, "2.0.0")
    (ended,) = unserved.clear(db, house)
    assert "answers, and no process fails to load it" in ended.timeline[-1]["what"]
