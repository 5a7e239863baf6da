"""Does a check cost the same whatever the traffic? A whole round on 10^7 and on 10^5 predictions.

Both logs cover the same 30 days, nothing of them judged before, so that all of it is one window.
SQLite files of about 4 GB and 40 MB, filled past the ORM in a temporary folder and deleted.
"""

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import orjson
import pandas as pd
from sqlalchemy import delete

from benchmarks.monitoring.common import Asked, Figure
from core import releases, specs
from core.access import system
from core.automation import rounds
from core.datasets import suites, versions
from core.db import Database
from core.monitoring.reports import JUDGED
from core.settings import Settings
from core.tables import Table
from core.tables.entities import ModelVersion
from core.tables.telemetry import MonitorReport

DAYS = 30
START = datetime(2030, 1, 1, tzinfo=UTC)
MOST_TIMES = 1.2
NUMBERS = 6
SPEC = f"""
name: hearts
title: Hearts
task: tabular
target: {{column: ill, positive: "yes", negative: "no"}}
input:
  features:
    {"".join(f"- {{name: x{i}, type: numeric}}{chr(10)}    " for i in range(NUMBERS))}
    - {{name: pain, type: category}}
candidates: [{{kind: logistic_regression}}]
"""
_COUNTS = """
INSERT INTO hourly_count SELECT model, version, variant, hour, count(*), 0, 0, count(*) * 3.0,
'{"5": ' || count(*) || '}' FROM prediction GROUP BY model, version, variant, hour
"""
_ROWS = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :n)
INSERT INTO prediction (at, id, model, version, variant, release_seq, is_shadow, hour, sample_key,
 input, label, probability, latency_ms, entity_id, experiment, key_id)
SELECT strftime('%Y-%m-%d %H:%M:%f', :start + i * :step, 'unixepoch') || '000',
 printf('%08x-0000-7000-8000-%012x', i / 65536, i), 'hearts', '1.0.0', 'control', 1, 0,
 CAST((:start + i * :step) / 3600 AS INTEGER), random() & 9223372036854775807,
 (SELECT input FROM pool WHERE place = i % 5000), 'no', 0.1, 3.0, NULL, NULL, 'k'
FROM n
"""


def run(asked: Asked) -> Iterator[Figure]:
    sizes = (100_000, 1_000_000) if asked.quick else (100_000, 10_000_000)
    with TemporaryDirectory(prefix="pilothouse-cost-") as folder:
        logs = [_log(Path(folder) / str(n), n, asked.seed) for n in sizes]
        for log in logs:
            round_of(log)  # what is cached is cached, what is loaded is loaded
        times = [[round_of(log) for log in logs] for _ in range(5)]
    few, many = sizes
    for place, what in enumerate(("CPU", "wall")):
        small, large = (median(pair[side][place] for pair in times) for side in (0, 1))
        measured = f"{large / small:.2f} x ({small:.2f} s, {large:.2f} s)"
        reached = large / small <= MOST_TIMES
        yield Figure(f"a round on {many:,} against {few:,}: {what}", "≤ 1.2 x", measured, reached)


def round_of(log: tuple[Database, Settings]) -> tuple[float, float]:
    """Make all checks of a model of which nothing was judged; seconds of CPU and of the clock."""
    db, settings = log
    with db.append() as session:
        session.execute(delete(MonitorReport))
    cpu, wall = time.process_time(), time.perf_counter()
    found = list(rounds.look(db, settings, "hearts"))
    spent = time.process_time() - cpu, time.perf_counter() - wall
    judged = {report.kind for report in found if report.state in JUDGED}
    assert {"drift", "quality"} <= judged, [(one.kind, one.sentence) for one in found]
    return spent


def _log(home: Path, n: int, seed: int) -> tuple[Database, Settings]:
    home.mkdir()
    url = f"sqlite:///{home}/pilothouse.db"
    settings = Settings(_env_file=None, env="test", home=home, database_url=url)
    now = START + timedelta(days=DAYS)
    rng = np.random.default_rng(seed)
    early = Database(settings, lambda: START - timedelta(minutes=1))
    early.create()
    Table.metadata.create_all(early.engine)
    _release(early, settings, _people(rng, 3_000))
    early.engine.dispose()
    _fill(home / "pilothouse.db", n, _people(rng, 5_000))
    return Database(settings, lambda: now), settings


def _people(rng: np.random.Generator, n: int) -> pd.DataFrame:
    numbers = {f"x{i}": rng.normal(50, 9, n).round(2) for i in range(NUMBERS)}
    return pd.DataFrame({**numbers, "pain": rng.choice(["none", "some", "much"], n)})


def _release(db: Database, settings: Settings, reference: pd.DataFrame) -> None:
    spec = specs.apply(db, system("bootstrap"), SPEC)
    suites.keep_first(db, spec, suites.suite_for(spec, reference), "reference")
    digest = versions.write(settings, reference)
    kept = {"role": "reference", "frame": reference, "digest": digest, "source": "benchmark"}
    with db.command(system("worker"), "dataset.load") as command:
        dataset = versions.add(command, model=spec.name, **kept).id
    with db.command(system("worker"), "version.register") as command:
        row = ModelVersion(
            model=spec.name, version="1.0.0", number=1, state="candidate", run_id="r",
            algorithm="logistic_regression", artifact="0" * 64, signature={},
            metrics={"accuracy": 0.9, "n_test": 1000}, gate={}, train_dataset_id=dataset,
            test_dataset_id=dataset, reference_dataset_id=dataset, at=command.now,
        )  # fmt: skip
        command.session.add(row)
    with db.command(system("worker"), "release.promote") as command:
        releases.promote(command, spec.name, "1.0.0", replaces=0, reason="benchmark")


def _fill(path: Path, n: int, pool: pd.DataFrame) -> None:
    """Write the log in one transaction, its indexes afterwards; nobody else is in the file."""
    with sqlite3.connect(path) as file:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -500000"):
            file.execute(f"PRAGMA {pragma}")
        indexes = [
            (name, words)
            for name, words in file.execute(
                "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'prediction'"
                " AND type = 'index' AND sql IS NOT NULL"
            )
        ]
        for name, _words in indexes:
            file.execute(f"DROP INDEX {name}")
        file.execute("CREATE TEMPORARY TABLE pool (place INTEGER PRIMARY KEY, input TEXT)")
        rows = [
            (place, orjson.dumps({"features": row}).decode())
            for place, row in enumerate(pool.to_dict("records"))
        ]
        file.executemany("INSERT INTO pool VALUES (?, ?)", rows)
        step = DAYS * 86_400 / n
        file.execute(_ROWS, {"n": n, "start": int(START.timestamp()), "step": step})
        for _name, words in indexes:
            file.execute(words)
        file.execute(_COUNTS)
        file.commit()
        file.execute("PRAGMA journal_mode = WAL")
