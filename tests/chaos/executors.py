"""Minimal executors made to be killed.

`victims` runs in a process of its own and forks one executor again and again. That one claims and
carries out actions without end; it is killed at a random moment after it has claimed one, and how
far it had come is told. Some are stopped for longer than their lease first, so that they go on
while another holds their job.
"""

import os
import random
import select
import signal
import time
from datetime import timedelta

from sqlalchemy import text

from core import actions, jobs
from core.clock import utc_now
from core.db import Database
from core.errors import PilothouseError
from core.settings import Settings

CLAIMED, CARRIED_OUT, ENDED = b"c", b"x", b"e"
PAUSED = 0.05  # of the children


def settings_for(home, url, **more):
    told = {"monitoring_webhook_url": "http://127.0.0.1:9/", "scale_most": 1000}
    return Settings(
        _env_file=None,
        env="test",
        home=home,
        database_url=url,
        secret_key="only-for-tests-0123456789abcdefghij",
        scale_command="scale {replicas}",
        **told | more,
    )


class Outside:
    """What could be scaled, as the outside sees it: one line in a file for each call."""

    def __init__(self, path, slow=0.0):
        self._path, self.slow = path, slow

    def scale(self, *, action_id, replicas):
        time.sleep(random.random() * self.slow)
        with open(self._path, "ab", buffering=0) as file:
            file.write(f"{action_id} {replicas}\n".encode())
        time.sleep(random.random() * self.slow)
        return "done"


class KeylessOutside(Outside):
    """The same without an idempotency key: each call is another wish."""

    def scale(self, *, action_id, replicas):
        return super().scale(action_id=os.urandom(8).hex(), replicas=replicas)


def carried_out(db, settings, outside, say, *, lease, unchecked=False):
    """Claim and carry out without end; yields after each turn whether there was an action."""
    while True:
        claim = jobs.claim(db, str(os.getpid()), lease=timedelta(seconds=lease))
        if claim is None:
            time.sleep(0.01)
        elif claim.kind != "execute":
            jobs.finish(db, claim, "succeeded")
        else:
            say(CLAIMED)
            action_id = claim.payload["action_id"]
            if unchecked:
                forget_what_happened(db, action_id)
            try:
                actions.execute(db, settings, claim, action_id, scaler=outside)
                say(CARRIED_OUT)
                time.sleep(2 * lease if unchecked else 0)  # so that others take it over
                jobs.finish(db, claim, "succeeded")
            except PilothouseError as problem:  # taken over, or failed: the tally sees which
                jobs.finish(db, claim, "failed", error=str(problem))
            say(ENDED)
        yield claim is not None and claim.kind == "execute"


def forget_what_happened(db, action_id):
    """Take the checks out: whoever holds a job believes that nothing has happened yet."""
    jobs.check_fence = lambda _session, _claim: None
    named = {"id": action_id}
    with db._writer.begin() as connection:
        connection.execute(text("update action set state = 'queued' where id = :id"), named)
        of_action = "(select recommendation_id from action where id = :id)"
        approved = f"update recommendation set state = 'approved' where id = {of_action}"
        connection.execute(text(approved), named)


def kill_again_and_again(work, *, kills, longest, paused, seed):
    """Yield what each child had said of how far it was when it was killed."""
    chance = random.Random(seed)
    for _ in range(kills):
        reader, writer = os.pipe()
        if not (pid := os.fork()):
            os.close(reader)
            work(lambda word, pipe=writer: os.write(pipe, word))
            os._exit(1)
        os.close(writer)
        select.select([reader], [], [], 60)  # until it holds something
        time.sleep(chance.random() * longest)
        if chance.random() < PAUSED:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(paused)
            os.kill(pid, signal.SIGCONT)
            time.sleep(chance.random() * longest)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(reader, "rb") as file:
            yield file.read().decode()


def warm_up(turns):
    """Carry out a few actions unharmed, so that the children need not learn how; seconds of one."""
    took = []
    while len(took) < 4:
        began, said = time.monotonic(), next(turns)
        if said:
            took.append(time.monotonic() - began)
    return sorted(took)[2]


def victims(tell, settings, calls, *, kills, lease, seed, unchecked=False):
    """Kill `kills` executors one after the other; `tell` how far each had come."""
    db, place = Database(settings, utc_now), KeylessOutside if unchecked else Outside
    outside = place(calls)
    how = {"lease": lease, "unchecked": unchecked}
    longest = 2 * warm_up(carried_out(db, settings, outside, lambda _word: None, **how))
    db.engine.dispose()

    def work(say):
        random.seed(os.getpid())
        outside.slow = longest / 4
        for _ in carried_out(db, settings, outside, say, **how):
            pass

    paused = lease * 1.5
    for said in kill_again_and_again(work, kills=kills, longest=longest, paused=paused, seed=seed):
        tell(said)
