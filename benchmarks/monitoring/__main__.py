"""Measure what the alarms of monitoring are worth.

Run: make bench NAME=monitoring, or python -m benchmarks.monitoring [--runs 2000] [--quick]
[--only null power sequential ...] [--seed N] [--rows N]. Exits with 1 where a figure is missed.
Every run draws new data; --seed repeats one. Texts come from below PILOTHOUSE_DATA_DIR (default:
../shared/data).
"""

import argparse
import secrets
import sys
import time
import warnings
from importlib import import_module

from benchmarks.monitoring.common import Asked

SECTIONS = {
    "null": "tables, nothing changed: share of alarms at alpha .05",
    "power": "tables, something changed: share of alarms at alpha .05",
    "text": "texts: share of alarms at alpha .05",
    "effects": "effect sizes against stored statistics: cost beside Evidently's preset",
    "volume": "traffic that only varies: alarms in a month of hourly checks",
    "speed": "a full check of tables",
    "sequential": "watching every 15 minutes with .1 false alarms a month",
    "labels": "late labels, a month of looks at them, and another concept",
    "cost": "a round of checks on 10^7 logged predictions against 10^5",
    "cbpe": "estimated performance against NannyML's published figures",
}


def main() -> int:
    """Measure the sections asked for, line by line."""
    asked, only = _arguments()
    warnings.filterwarnings("ignore")
    print(f"seed {asked.seed}, {asked.runs} runs", flush=True)
    missed = 0
    for name in only:
        print(f"\n{name}: {SECTIONS[name]}", flush=True)
        start = time.monotonic()
        for figure in import_module(f"benchmarks.monitoring.{name}").run(asked):
            print(figure.line(), flush=True)
            missed += figure.reached is False
        print(f"      {time.monotonic() - start:.0f} s", flush=True)
    print(f"\n{missed} figures missed" if missed else "\nAll figures reached")
    return 1 if missed else 0


def _arguments() -> tuple[Asked, list[str]]:
    parser = argparse.ArgumentParser(prog="benchmarks.monitoring")
    parser.add_argument("--runs", type=int, help="default 2000, or 60 with --quick")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--rows", type=int, help="cost: default 10^7, or 10^6 with --quick")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    asked = parser.parse_args()
    runs = asked.runs or (60 if asked.quick else 2000)
    rows = asked.rows or (1_000_000 if asked.quick else 10_000_000)
    return Asked(seed=asked.seed, runs=runs, quick=asked.quick, rows=rows), asked.only


if __name__ == "__main__":
    sys.exit(main())
