"""Does a check cost the same whatever the traffic? A whole round on 10^7 and on 10^5 predictions.

All logs cover the same 30 days, nothing of them judged before, so that all of it is one window. The
traffic is the checked model's own, or, where that is quiet, another model's; then also what the
panel reads of either is measured. SQLite files of up to 4 GB, filled past the ORM in a temporary
folder and deleted.
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
from core import labels, predictions, releases, specs
from core.access import system
from core.automation import rounds
from core.datasets import suites, versions
from core.db import Database
from core.monitoring.reports import JUDGED
from core.settings import Settings
from core.tables import Table
from core.tables.entities import ModelVersion
from core.tables.telemetry import MonitorReport

Log = tuple[Database, Settings]

FEW = 100_000
QUIET = 5_000  # seven an hour
LABELLED = 5  # every fifth answer
MOST_SECONDS = 1.0
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
_LABELS = """
INSERT INTO label (prediction_id, source, value, state, at)
SELECT id, 'client', label, 'confirmed', at FROM prediction WHERE sample_key % :labelled = 0
"""
_ROWS = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :n)
INSERT INTO prediction (at, id, model, version, variant, release_seq, is_shadow, hour, sample_key,
 input, label, probability, latency_ms, entity_id, experiment, key_id)
SELECT strftime('%Y-%m-%d %H:%M:%f', :start + i * :step, 'unixepoch') || '000',
 printf('%08x-0000-7000-8%03x-%012x', i / 65536, :number, i), :model, '1.0.0', 'control', 1, 0,
 CAST((:start + i * :step) / 3600 AS INTEGER), random() & 9223372036854775807,
 (SELECT input FROM pool WHERE place = i % 5000), 'no', 0.1, 3.0, NULL, NULL, 'k'
FROM n
"""


def run(asked: Asked) -> Iterator[Figure]:
    with TemporaryDirectory(prefix="pilothouse-cost-") as folder:
        small = _log(Path(folder) / "small", asked.seed, hearts=FEW)
        large = _log(Path(folder) / "large", asked.seed, hearts=asked.rows)
        yield from _compared(f"a round on {asked.rows:,} against {FEW:,}", small, large)
    with TemporaryDirectory(prefix="pilothouse-cost-") as folder:
        alone = _log(Path(folder) / "alone", asked.seed, hearts=QUIET, labelled=LABELLED)
        beside = _log(
            Path(folder) / "beside", asked.seed, hearts=QUIET, other=asked.rows, labelled=LABELLED
        )
        what = f"a round on {QUIET:,} beside {asked.rows:,} of another"
        yield from _compared(what, alone, beside)
        yield from _panel(beside[0])


def _compared(what: str, small: Log, large: Log) -> Iterator[Figure]:
    """Measure rounds on two logs in turn, after one of each: what is cached is cached then."""
    for log in (small, large):
        round_of(log)
    times = [[round_of(log) for log in (small, large)] for _ in range(5)]
    for place, clock in enumerate(("CPU", "wall")):
        few, many = (median(pair[side][place] for pair in times) for side in (0, 1))
        measured = f"{many / few:.2f} x ({few:.2f} s, {many:.2f} s)"
        yield Figure(f"{what}: {clock}", "≤ 1.2 x", measured, many / few <= MOST_TIMES)


def _panel(db: Database) -> Iterator[Figure]:
    """Measure what pages read of labels; none is disputed, and few are of the quiet model."""
    day = timedelta(days=1)
    for model in ("hearts", "other"):
        with db.read() as session:
            start = time.perf_counter()
            predictions.newest_outcomes(session, model, limit=3000)
            predictions.label_counts(session, model, since=db.clock() - day)
            labels.disputes(session, model, limit=20)
            labels.disputed(session, model)
        spent = time.perf_counter() - start
        yield Figure(f"what the panel reads of the labels of {model}", "≤ 1 s", f"{spent:.2f} s",
                     spent <= MOST_SECONDS)  # fmt: skip


def round_of(log: Log) -> tuple[float, float]:
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


def _log(home: Path, seed: int, *, hearts: int, other: int = 0, labelled: int = 0) -> Log:
    """Make a log of so many answers of each model, of which every so many-th has a label."""
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
    sizes = {model: n for model, n in (("hearts", hearts), ("other", other)) if n}
    _fill(home / "pilothouse.db", sizes, _people(rng, 5_000), labelled)
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


def _fill(path: Path, sizes: dict[str, int], pool: pd.DataFrame, labelled: int) -> None:
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
        for number, (model, n) in enumerate(sizes.items()):
            step = DAYS * 86_400 / n
            of = {"n": n, "start": int(START.timestamp()), "step": step, "model": model}
            file.execute(_ROWS, {**of, "number": number})
        for _name, words in indexes:
            file.execute(words)
        file.execute(_COUNTS)
        if labelled:
            file.execute(_LABELS, {"labelled": labelled})
        file.commit()
        file.execute("PRAGMA journal_mode = WAL")
