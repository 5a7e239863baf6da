import threading

import pytest

from core import audit, outbox, registry, releases
from core.access import may
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.releases import Arm


def served(db):
    with db.read() as session:
        return releases.label(releases.current(session, "spam"))


def newest(db):
    with db.read() as session:
        return releases.current(session, "spam")


def append(db, worker, arms, replaces):
    with db.command(worker, "release.experiment") as command:
        return releases.append(command, "spam", arms, replaces=replaces)


def split(first, second, share):
    return [Arm(first, "control", 1000 - share), Arm(second, "treatment", share)]


def test_roll_back_serves_again_what_served_before_and_says_why(db, ana, release):
    release("spam", "1.0.0")
    release("spam", "2.0.0")

    back = releases.roll_back(db, ana, "spam", reason="recall fell")

    assert releases.label(back) == "1.0.0"
    with db.read() as session:
        row = audit.tail(session)[0]
    assert (row.reason, row.detail) == ("recall fell", {"before": "2.0.0", "after": "1.0.0"})


def test_a_rollback_is_told_to_those_who_wait_for_messages(db, ana, release):
    release("spam", "1.0.0")
    release("spam", "2.0.0")

    releases.roll_back(db, ana, "spam", reason="recall fell", channels=["slack", "email"])

    with db.read() as session:
        told = outbox.recent(session)
    assert {message.channel for message in told} == {"slack", "email"}
    assert told[0].subject == "spam now serves 1.0.0 again (rolled back by ana: recall fell)"
    assert (told[0].payload["model"], told[0].payload["path"]) == ("spam", "/releases?model=spam")


def test_a_refused_rollback_tells_nobody(db, ana, release):
    release("spam", "1.0.0")
    with pytest.raises(ConflictError):
        releases.roll_back(db, ana, "spam", reason="nerves", channels=["slack"])
    with db.read() as session:
        assert outbox.recent(session) == []


def test_a_refused_rollback_changes_nothing_and_is_recorded_once(db, ana, release):
    release("spam", "1.0.0")
    with pytest.raises(ConflictError, match="no earlier release"):
        releases.roll_back(db, ana, "spam", reason="nerves")

    assert served(db) == "1.0.0"
    with db.read() as session:
        assert [row.outcome for row in audit.tail(session, action="release.rollback")] == [
            "refused"
        ]


def test_a_second_rollback_goes_further_back_not_forth_to_the_bad_one(db, ana, release):
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        release("spam", version)
    releases.roll_back(db, ana, "spam", reason="3 is bad")
    assert served(db) == "2.0.0"
    releases.roll_back(db, ana, "spam", reason="2 is bad too")
    assert served(db) == "1.0.0"
    with pytest.raises(ConflictError, match="no earlier release"):
        releases.roll_back(db, ana, "spam", reason="1 as well")


def test_a_rollback_passes_over_a_version_that_was_archived_since(db, ana, release):
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        release("spam", version)
    registry.archive(db, ana, "spam", "2.0.0")
    assert releases.label(releases.roll_back(db, ana, "spam", reason="worse")) == "1.0.0"


def test_rolling_back_a_split_skips_every_release_that_shares_a_version_with_it(
    db, ana, worker, release
):
    release("spam", "1.0.0")
    release("spam", "2.0.0")
    release("spam", "3.0.0", release=False)
    append(db, worker, split("2.0.0", "3.0.0", 100), replaces=2)

    releases.roll_back(db, ana, "spam", reason="both arms fail")
    assert served(db) == "1.0.0"


def test_of_two_rollbacks_at_once_one_is_refused(db, ana, release):
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        release("spam", version)
    seen, outcomes = newest(db).seq, []

    def press():
        try:
            outcomes.append(
                releases.label(releases.roll_back(db, ana, "spam", reason="x", seen=seen))
            )
        except ConflictError:
            outcomes.append("refused")

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["2.0.0", "refused", "refused", "refused"]


def test_a_pure_weight_change_keeps_the_salt_and_a_new_version_does_not(db, worker, release):
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)
    ten = append(db, worker, split("1.0.0", "2.0.0", 100), replaces=1)
    fifty = append(db, worker, split("1.0.0", "2.0.0", 500), replaces=2)
    assert ten.salt != newest_salt(db, 1)
    assert fifty.salt == ten.salt


def newest_salt(db, seq):
    with db.read() as session:
        return next(r.salt for r in releases.history(session, "spam") if r.seq == seq)


@pytest.mark.parametrize(
    ("arms", "error"),
    [
        ([Arm("1.0.0", "control", 900)], InvalidInputError),
        ([Arm("1.0.0", "treatment", 1000)], InvalidInputError),
        ([Arm("9.0.0", "control", 1000)], NotFoundError),
        ([Arm("1.0.0", "control", 1100), Arm("1.0.0", "treatment", -100)], InvalidInputError),
    ],
)
def test_a_release_that_cannot_serve_is_refused(db, worker, release, arms, error):
    release("spam", "1.0.0")
    with pytest.raises(error):
        append(db, worker, arms, replaces=1)


def test_nobody_but_the_executor_promotes(db, adm, release):
    release("spam", "1.0.0")
    with pytest.raises(ForbiddenError), db.command(adm, "release.promote"):
        pass


def test_what_served_at_a_moment_is_answered_from_the_list(db, clock, release):
    release("spam", "1.0.0")
    tuesday = clock()
    clock.forward(days=1)
    release("spam", "2.0.0")
    with db.read() as session:
        assert releases.label(releases.as_of(session, "spam", tuesday)) == "1.0.0"
        states = [
            releases.state(r, releases.history(session, "spam"))
            for r in releases.history(session, "spam")
        ]
    assert states == ["current", "superseded"]


def test_a_model_without_release_says_so(db):
    with db.read() as session, pytest.raises(NotFoundError, match="no version of spam is released"):
        releases.current(session, "spam")


@pytest.mark.parametrize("action", ["release.rollback", "experiment.stop"])
def test_the_product_itself_may_only_propose_to_roll_back_or_to_stop(action, worker, ana, shell):
    assert not may(worker, action)
    assert may(ana, action)
    assert may(shell, action)


def test_the_past_says_what_served_from_when_until_when_by_whom_and_why(db, ana, release, clock):
    release("spam", "1.0.0")
    clock.forward(days=1)
    release("spam", "2.0.0")
    clock.forward(days=1)
    releases.roll_back(db, ana, "spam", reason="recall fell")
    with db.read() as session:
        past = [one.to_dict() for one in releases.past(session, "spam")]

    assert [(one["serves"], one["state"]) for one in past] == [
        ("1.0.0", "current"),
        ("2.0.0", "rolled back"),
        ("1.0.0", "superseded"),
    ]
    assert (past[0]["by"], past[0]["why"], past[0]["takes_back"]) == ("ana", "recall fell", 2)
    assert past[0]["until"] is None
    assert [one["until"] for one in past[1:]] == [one["since"] for one in past[:-1]]


def test_what_served_at_a_moment_is_found_and_before_the_first_nothing(db, release, clock):
    before = clock()
    clock.forward(days=1)
    release("spam", "1.0.0")
    clock.forward(days=1)
    with db.read() as session:
        assert releases.served_at(session, "spam", clock()).to_dict()["versions"] == {"1.0.0": 1.0}
        with pytest.raises(NotFoundError, match="nothing of spam served at 2030-01-01T12"):
            releases.served_at(session, "spam", before)
