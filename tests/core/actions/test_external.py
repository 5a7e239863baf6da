import itertools
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from core import actions, audit, jobs
from core.actions import external
from core.errors import ConflictError, InvalidInputError, PilothouseError, UnavailableError
from core.tables.entities import ActionRow, Recommendation
from core.tables.operational import Delivery, Job
from tests.actions_kit import approved
from tests.fakes.scaling import FakeScaler

LEASE = timedelta(seconds=30)


class Killed(BaseException):
    """What `kill -9` is: no `except` and no `finally` of ours sees it."""


@pytest.fixture(autouse=True)
def _set_up(settings):
    settings.scale_command, settings.scale_replicas, settings.scale_most = "scale {replicas}", 2, 6
    settings.monitoring_webhook_url = SecretStr("https://hooks.example")


@pytest.fixture
def outside():
    return FakeScaler()


@pytest.fixture
def turn(db, settings, outside, clock):
    """Claim the job that waits and carry it out, as a worker after the lease of the one before."""

    def go():
        clock.forward(seconds=31)
        with db.read() as session:
            waiting = select(Job.id).where(
                Job.kind == "execute", Job.state.in_(("queued", "running"))
            )
            one = session.scalars(waiting).one()
        claim = jobs.claim(db, "w", lease=LEASE, only=one)
        try:
            action = actions.execute(
                db, settings, claim, claim.payload["action_id"], scaler=outside
            )
        except PilothouseError:
            jobs.finish(db, claim, "failed")
            raise
        jobs.finish(db, claim, "succeeded")
        return action

    return go


def rows(db):
    with db.read() as session:
        return list(session.scalars(select(ActionRow).order_by(ActionRow.id)))


def state(db):
    with db.read() as session:
        action = actions.recent(session)[0]
        return action.state, session.get(Recommendation, action.recommendation_id).state


def found(db):
    with db.read() as session:
        said = [row for row in audit.tail(session) if row.action == "action.reconcile"]
    return [row.detail["found"] for row in said]


def test_an_approved_scaling_happens_and_says_what_it_was_before(db, ana, outside, turn):
    approved(db, ana, "scale", replicas="3")
    action = turn()
    assert outside.asked == [(action.id, 3)]
    assert (action.before["replicas"], action.after["replicas"]) == (2, 3)
    assert action.inverse == {"kind": "scale", "arguments": {"replicas": "2"}}
    assert state(db) == ("succeeded", "succeeded")


def test_while_it_happens_outside_the_action_is_seen_to_run(db, ana, outside, turn):
    seen = []
    outside.then = lambda: seen.append(rows(db)[0].state)
    approved(db, ana, "scale", replicas="3")
    turn()
    assert seen == ["running"]


def test_what_was_before_is_what_the_newest_scaling_set(db, ana, turn):
    for number in ("3", "5"):
        approved(db, ana, "scale", replicas=number)
        turn()
    assert [row.before["replicas"] for row in rows(db)] == [2, 3]


@pytest.mark.parametrize("replicas", ["0", "7", "-1", "2.5", "1e1", "03", "٣", "many"])
def test_a_number_out_of_range_cannot_be_proposed(db, ana, replicas):
    with pytest.raises(InvalidInputError, match="a whole number from 1 to 6"):
        approved(db, ana, "scale", replicas=replicas)


def test_without_a_way_to_scale_it_cannot_be_proposed(db, settings, ana):
    settings.scale_command = ""
    with pytest.raises(ConflictError, match="an admin sets PILOTHOUSE_SCALE_COMMAND"):
        approved(db, ana, "scale", replicas="3")


@pytest.mark.parametrize("kind", [PilothouseError, UnavailableError])
def test_an_outside_that_refuses_fails_the_action_with_its_reason(db, ana, outside, turn, kind):
    approved(db, ana, "scale", replicas="3")
    outside.problem = kind("the quota is used up")
    with pytest.raises(PilothouseError, match="quota"):
        turn()
    assert (state(db), rows(db)[0].error) == (("failed", "failed"), "the quota is used up")


MOMENTS = [*itertools.product(("_begin", "scale", "_finish"), ("before", "after"))]


@pytest.mark.parametrize(("step", "moment"), [*MOMENTS, ("finish", "before")])
def test_a_worker_killed_in_any_step_leaves_one_wish_and_one_end(
    db, ana, outside, turn, monkeypatch, step, moment
):
    approved(db, ana, "scale", replicas="3")
    with monkeypatch.context() as patch:
        place = {"scale": outside, "finish": jobs}.get(step, external)
        patch.setattr(place, step, dying(getattr(place, step), moment))
        with pytest.raises(Killed):
            turn()
    action = turn()
    assert outside.wishes == [(action.id, 3)]
    assert (state(db), done_messages(db)) == (("succeeded", "succeeded"), 1)
    assert found(db) == {
        ("_begin", "before"): [],
        ("_finish", "after"): ["it had happened already"],
        ("finish", "before"): ["it had happened already"],
    }.get((step, moment), [external.AGAIN])


def dying(step, moment):
    def go(*args, **options):
        if moment == "after":
            step(*args, **options)
        raise Killed

    return go


def done_messages(db):
    with db.read() as session:
        return len(session.scalars(select(Delivery).filter_by(subject="Done: scale spam")).all())


def test_of_a_worker_that_slept_and_the_one_that_took_over_one_finishes(
    db, settings, ana, outside, turn, clock
):
    approved(db, ana, "scale", replicas="3")
    outside.then = lambda: (setattr(outside, "then", lambda: None), turn())
    with pytest.raises(ConflictError, match="taken over"):
        turn()
    assert (len(outside.asked), len(outside.wishes)) == (2, 1)
    assert state(db) == ("succeeded", "succeeded")
    with db.read() as session:
        finished = [r for r in audit.tail(session) if r.action == "action.finish"]
    assert [row.outcome for row in finished].count("done") == 1


def test_undo_scales_back_by_an_action_of_its_own(db, ana, outside, turn):
    approved(db, ana, "scale", replicas="3")
    first = turn()
    assert "scaling back to 2" in actions.undo(db, ana, first.id, reason="too dear")
    assert (outside.asked[1:], [row.state for row in rows(db)]) == ([], ["succeeded", "queued"])
    back = turn()
    assert outside.asked[1:] == [(back.id, 2)]
    assert [(row.origin, row.state) for row in rows(db)] == [
        ("approval", "reverted"),
        ("undo", "succeeded"),
    ]


def test_what_is_taken_back_is_taken_back_once(db, ana, turn):
    approved(db, ana, "scale", replicas="3")
    first = turn()
    actions.undo(db, ana, first.id)
    with pytest.raises(ConflictError, match="taken back already"):
        actions.undo(db, ana, first.id)
    with db.read() as session:
        row = actions.get(session, first.id)
        assert "taken back already" in actions.why_no_undo(session, row, db.clock())
    turn()
    with pytest.raises(ConflictError, match="has reverted"):
        actions.undo(db, ana, first.id)


def test_an_undo_that_failed_outside_can_be_tried_again(db, ana, outside, turn):
    approved(db, ana, "scale", replicas="3")
    first = turn()
    actions.undo(db, ana, first.id)
    outside.problem = PilothouseError("it is away")
    with pytest.raises(PilothouseError):
        turn()
    assert [row.state for row in rows(db)] == ["succeeded", "failed"]
    outside.problem = None
    actions.undo(db, ana, first.id)
    turn()
    assert [row.state for row in rows(db)] == ["reverted", "failed", "succeeded"]


def test_an_undo_can_be_taken_back_too(db, ana, outside, turn):
    approved(db, ana, "scale", replicas="3")
    actions.undo(db, ana, turn().id)
    actions.undo(db, ana, turn().id)
    turn()
    assert [number for _, number in outside.asked] == [3, 2, 3]


def test_what_another_scaling_has_overtaken_is_not_taken_back(db, ana, turn):
    approved(db, ana, "scale", replicas="3")
    first = turn()
    approved(db, ana, "scale", replicas="5")
    turn()
    with pytest.raises(ConflictError, match="changed again since"):
        actions.undo(db, ana, first.id)


def test_an_undo_that_was_tampered_with_is_not_carried_out(db, ana, outside, turn):
    approved(db, ana, "scale", replicas="3")
    actions.undo(db, ana, turn().id)
    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            "update action set arguments = '{\"replicas\": \"6\"}' where origin = 'undo'"
        )
    with pytest.raises(ConflictError, match="not what undoing that action would do"):
        turn()
    assert [number for _, number in outside.asked] == [3]


def test_two_scalings_never_run_at_the_same_time(db, settings, ana, outside, clock):
    asked = [approved(db, ana, "scale", replicas=number) for number in ("3", "4")]
    claims = [jobs.claim(db, "w", lease=LEASE, only=job) for job in waiting(db)]
    outside.then = lambda: (setattr(outside, "then", lambda: None), second())

    def second():
        with pytest.raises(ConflictError, match="another scaling is under way"):
            run(db, settings, claims[1], outside)

    run(db, settings, claims[0], outside)
    assert len(asked) == 2
    assert sorted(row.state for row in rows(db)) == ["failed", "succeeded"]


def waiting(db):
    with db.read() as session:
        return list(session.scalars(select(Job.id).filter_by(kind="execute", state="queued")))


def run(db, settings, claim, outside):
    return actions.execute(db, settings, claim, claim.payload["action_id"], scaler=outside)


@pytest.mark.parametrize("hours", [-1, 1])
def test_when_the_clock_jumps_by_an_hour_nothing_happens_twice(
    db, settings, ana, outside, clock, hours
):
    approved(db, ana, "scale", replicas="3")
    (job,) = waiting(db)
    claim = jobs.claim(db, "w1", lease=LEASE, only=job)
    outside.then = lambda: clock.forward(hours=hours)
    run(db, settings, claim, outside)
    other = jobs.claim(db, "w2", lease=LEASE, only=job)
    if other:  # the lease is over by the clock of now
        run(db, settings, other, outside)
    assert (len(outside.asked), state(db)) == (1, ("succeeded", "succeeded"))


def test_a_lease_of_before_the_clock_went_back_ends_when_it_says(db, settings, ana, outside, clock):
    approved(db, ana, "scale", replicas="3")
    (job,) = waiting(db)
    jobs.claim(db, "w1", lease=LEASE, only=job)
    clock.forward(hours=-1)
    assert jobs.claim(db, "w2", lease=LEASE, only=job) is None
    clock.forward(hours=1, seconds=31)
    run(db, settings, jobs.claim(db, "w2", lease=LEASE, only=job), outside)
    assert len(outside.asked) == 1


def test_an_approval_that_the_clock_has_made_too_old_is_not_acted_on(
    db, settings, ana, outside, turn, clock
):
    approved(db, ana, "scale", replicas="3")
    clock.forward(hours=25)
    with pytest.raises(ConflictError, match="too old"):
        turn()
    assert (outside.asked, state(db)) == ([], ("failed", "failed"))


def test_what_was_begun_long_ago_is_not_begun_again(db, ana, outside, turn, clock, monkeypatch):
    approved(db, ana, "scale", replicas="3")
    with monkeypatch.context() as patch:
        patch.setattr(outside, "scale", dying(outside.scale, "before"))
        with pytest.raises(Killed):
            turn()
    clock.forward(hours=25)
    with pytest.raises(ConflictError, match="whether it happened outside is not known"):
        turn()
    assert (outside.asked, state(db)) == ([], ("failed", "failed"))


def test_an_undo_that_nobody_carried_out_in_time_is_not_carried_out(db, ana, outside, turn, clock):
    approved(db, ana, "scale", replicas="3")
    actions.undo(db, ana, turn().id)
    clock.forward(hours=25)
    with pytest.raises(ConflictError, match="take it back again"):
        turn()
    assert [number for _, number in outside.asked] == [3]
