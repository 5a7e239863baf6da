"""Processes made to be killed: `python victims.py writer|shipper JSON`.

The parent imports what the victim needs once, then forks it again and again, kills it at a random
moment, and prints one line per kill: its number, and how many steps the victim had said are done.
SIGTERM ends it after the next kill.
"""

import json
import os
import random
import signal
import sys
import time
from itertools import count

ANSWERED = 3  # records of one append
FAULT_EVERY = 5  # appends


def kill_again_and_again(work, *, kills, longest, seed):
    """Yield (kill, steps): `work(kill, done)` calls `done()` after each step, until it is killed."""
    lengths, stopped = random.Random(seed), []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    print("ready", flush=True)
    for kill in range(kills):
        if stopped:
            return
        reader, writer = os.pipe()
        if not (pid := os.fork()):
            os.close(reader)
            work(kill, lambda writer=writer: os.write(writer, b"x"))
            os._exit(1)
        os.close(writer)
        time.sleep(lengths.random() * longest)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        yield kill, heard(reader)


def heard(pipe):
    """Return how many bytes the victim wrote."""
    with os.fdopen(pipe, "rb") as file:
        return len(file.read())


def answer(kill, number):
    """Return the record of an answer that can be recognised."""
    at = f"2030-01-01T{12 + kill % 3}:{kill // 3 % 60:02}:{number % 60:02}.{number:06}+00:00"
    once = f"{kill}-{number}" if number % 2 else None
    row = {"at": at, "id": f"{kill:05}-{number:06}", "model": "spam", "version": "1.0.0"}
    row |= {"variant": ("control", "treatment")[number % 2], "release_seq": 1, "is_shadow": False}
    row |= {"sample_key": number, "input": {"message": "hello"}, "probability": 0.5}
    row |= {"label": ("ham", "spam")[number % 2], "latency_ms": number % 8 / 4, "key_id": "k"}
    row |= {"entity_id": None, "experiment": None}
    return {"kind": "prediction", "once": once, "positive": number % 2 == 1, "row": row}


FAULT = {"at": "2030-01-01T20:00:00+00:00", "model": "spam", "version": "1", "variant": "control"}


def writer(folder, *, power):
    """Append until the end, and say so after each append, as an api says its answers."""
    from pathlib import Path

    from core.serving.spool import Spool

    def work(kill, done):
        log = Spool(Path(folder), max_bytes=1 << 28, power=power)
        log._rotate_bytes = 1 << 16
        for step in count():
            records = [answer(kill, step * ANSWERED + place) for place in range(ANSWERED)]
            if step % FAULT_EVERY == 0:
                records.append({"kind": "fault", "row": FAULT})
            log.append(records)
            done()

    return work


def shipper(home, url, *, chunk):
    """Move the log until the end."""
    from core.clock import utc_now
    from core.db import Database
    from core.serving import reading, shipper
    from core.settings import Settings

    reading.CHUNK_BYTES = chunk
    settings = Settings(
        _env_file=None,
        env="test",
        home=home,
        database_url=url,
        secret_key="only-for-tests-0123456789abcdefghij",
    )

    def work(_kill, done):
        shipping = shipper.Shipper(Database(settings, utc_now), settings)
        while True:
            if shipping.ship():
                done()
            time.sleep(0.001)

    return work


def main(name, options):
    how = {key: options.pop(key) for key in ("kills", "longest", "seed")}
    work = {"writer": writer, "shipper": shipper}[name](**options)
    for kill, steps in kill_again_and_again(work, **how):
        print(kill, steps, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
