"""What it costs to decide the logged past again under another policy, in CPU seconds.

Run: python -m benchmarks.replay [--decisions 10000] [--runs 3]
The labelled situations of the agent's evaluation, in turn, are written down as a month of decisions
in a database that is thrown away, and replayed with another threshold of drift.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

from core import migrations, specs
from core.access import system
from core.agent import replay
from core.agent.policy import decide
from core.agent.replay.decision import spelled
from core.agent.scenarios import Scenario, load
from core.clock import utc_now
from core.ids import new_id
from core.panel import Panel, build
from core.settings import ROOT, Settings
from core.specs.thresholds import Policy
from core.tables.entities import FactBook

MODEL = "sms_spam"
OTHER = {"drift_retrain": 0.4}
SPAN = timedelta(days=30)


def main(arguments: list[str] | None = None) -> int:
    """Print what each run took; return 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home:
        panel = _installation(Path(home))
        _write_down(panel, options.decisions)
        took = [_replay(panel) for _ in range(options.runs)]
        panel.db.engine.dispose()
    print(f"median of {options.runs}: {median(took):.2f} CPU seconds")
    return 0


def _installation(home: Path) -> Panel:
    settings = Settings(
        _env_file=None, home=home, database_url=f"sqlite:///{home}/pilothouse.db", offline=True
    )
    panel = build(settings, utc_now)
    migrations.upgrade(panel.db)
    specs.apply(panel.db, system("bootstrap"), (ROOT / "specs" / f"{MODEL}.yaml").read_text())
    return panel


def _write_down(panel: Panel, n: int) -> None:
    cases, start = load("all"), panel.clock() - SPAN
    with panel.db.command(system("agent"), "agent.decide") as command:
        command.session.add_all(
            _decision(cases[number % len(cases)], start + SPAN * (number / n))
            for number in range(n)
        )
    sizes = [len(case.book().plain()) for case in cases]
    print(f"{n:,} decisions of {median(sizes):.0f} facts each (median), {len(cases)} situations")


def _decision(case: Scenario, at: datetime) -> FactBook:
    book = case.book()
    return FactBook(
        id=new_id(at),
        model=MODEL,
        facts=book.plain(),
        verdict=spelled(decide(book, Policy())),
        digest=book.digest(),
        at=at,
        policy=asdict(Policy()),
        policy_name="built in",
        release_seq=book.release_seq,
    )


def _replay(panel: Panel) -> float:
    before = os.times()
    with panel.db.read() as session:
        since = panel.clock() - SPAN - timedelta(hours=1)
        found = replay.replay(session, model=MODEL, since=since, policy=OTHER)
    after = os.times()
    spent = after.user + after.system - before.user - before.system
    told = f"{len(found.decisions):,} decided again, {len(found.changed):,} differ"
    print(f"{told}: {spent:.2f} CPU seconds")
    return spent


if __name__ == "__main__":
    sys.exit(main())
