from core import heartbeat


def test_a_process_lives_until_it_has_been_silent_for_half_a_minute(db, clock):
    assert not heartbeat.lives(db, "worker@here")
    heartbeat.beat(db, "worker@here")
    clock.forward(seconds=29)
    assert heartbeat.lives(db, "worker@here")
    clock.forward(seconds=2)
    assert not heartbeat.lives(db, "worker@here")


def test_the_newest_word_of_each_process_is_listed(db, clock):
    for process in ("worker@a", "shipper@a", "worker@a"):
        heartbeat.beat(db, process)
        clock.forward(seconds=1)
    with db.read() as session:
        assert [row.process for row in heartbeat.all(session)] == ["shipper@a", "worker@a"]
