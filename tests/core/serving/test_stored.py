from datetime import timedelta

from core import releases
from core.ids import new_id
from core.serving import stored
from core.tables.telemetry import MonitorReport


def test_what_was_found_before_a_rollback_says_nothing_of_what_serves_now(
    db, clock, release, worker
):
    release("spam", "1.0.0")
    clock.forward(hours=1)
    with db.append() as session:
        session.add(drifted(clock()))
    assert newest(db).state == "fail"

    clock.forward(hours=1)
    bad = release("spam", "2.0.0")
    clock.forward(hours=1)
    with db.command(worker, "release.promote") as command:
        releases.promote(command, "spam", "1.0.0", replaces=bad.seq, reason="back")
    assert newest(db) is None


def drifted(now):
    return MonitorReport(
        id=new_id(now),
        model="spam",
        version="1.0.0",
        kind="drift",
        origin="live",
        state="fail",
        window_start=now - timedelta(minutes=15),
        window_end=now,
        window_last_id="",
        follows="",
        n_current=200,
        n_reference=500,
        method="",
        sentence="",
        figures={},
        assumptions="",
        at=now,
    )


def newest(db):
    with db.read() as session:
        return stored.newest_report(session, "spam", "drift", judged=True)
