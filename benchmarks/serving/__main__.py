"""Measure what an answer costs here, behind a tutorial's FastAPI, and behind MLflow.

Run: make bench, or python -m benchmarks.serving [--seconds 3] [--rounds 3] [--quick] [--page FILE]
Exits with 1 where a figure is missed. The text messages come from below PILOTHOUSE_DATA_DIR
(default: ../shared/data), or are generated, which the page then says.
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

from benchmarks.serving import cases, measuring, report
from benchmarks.serving.servers import Bare, MLflow, Ours, Threaded, Tutorial
from core.settings import ROOT

_PAGE = ROOT / "docs" / "serving-results.md"


def main() -> int:
    """Measure, write the page, and say what was reached."""
    asked = _arguments()
    warnings.filterwarnings("ignore")
    how = {
        "rounds": asked.rounds,
        "seconds": asked.seconds,
        "concurrencies": (report.AT_ONCE,) if asked.quick else (1, report.AT_ONCE, 32),
        "say": lambda words: print(words, flush=True),
    }
    busy = report.load_words()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        text = measuring.measure(
            cases.text(Path(folder) / "text"), (Ours, Tutorial, Threaded, MLflow, Bare), **how
        )
        forest = measuring.measure(
            cases.forest(Path(folder) / "forest"), (Ours, Tutorial, Threaded, MLflow), **how
        )
    command = "make bench ARGS=--quick" if asked.quick else "make bench"
    asked.page.write_text(
        report.page(
            text, forest, command=command, seconds=asked.seconds, rounds=asked.rounds, busy=busy
        )
    )
    found = report.verdicts(text, forest)
    for one in found:
        print(f"{'PASS' if one.reached else 'FAIL'}  {one.what}: {one.found:,.2f} ({one.bound})")
    return 0 if all(one.reached for one in found) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.serving")
    parser.add_argument("--seconds", type=float, default=3.0, help="per server and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one short round, 8 at once")
    parser.add_argument("--page", type=Path, default=_PAGE, help="where the results go")
    asked = parser.parse_args()
    if asked.quick:
        asked.seconds, asked.rounds = min(asked.seconds, 1.0), 1
    return asked


if __name__ == "__main__":
    sys.exit(main())
