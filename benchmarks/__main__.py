"""`python -m benchmarks [--quick] [--results FOLDER]`"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.plan import FULL, QUICK
from benchmarks.run import field, run

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: half a minute")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the page is kept")
    asked = parser.parse_args()
    plan = QUICK if asked.quick else FULL
    with field() as here:
        about = report.surroundings(here.folder, here.postgres)
        cases = run(here, plan, lambda step: print(step, file=sys.stderr, flush=True))
    text = report.page(about, plan, cases, here.peer.name)
    report.keep(asked.results, about, plan, cases, text)
    print(text)


if __name__ == "__main__":
    main()
