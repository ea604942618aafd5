"""Claim: ``quoth --help`` takes at most a quarter of a second more than ``python -c pass``.

Median of ten runs on a warm disk, alternating, each in a new process. ``ask.py`` measures the time to an answer::

    python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from statistics import median

import harness

COMMANDS = {"python -c pass": ["-c", "pass"], "quoth --help": ["-m", "quoth", "--help"]}
AT_MOST_S = 0.25


def main() -> None:
    """Measure both alternately."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    harness.add_no_record(parser)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for run in range(options.runs + 1):
        for name, words in COMMANDS.items():
            before = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
            if run:  # the first run warms the disk cache
                seconds[name].append(time.perf_counter() - before)
    middle = {name: median(each) for name, each in seconds.items()}
    above = middle["quoth --help"] - middle["python -c pass"]
    rows = [
        (f"`{name}`", f"{middle[name]:.3f}", f"{min(each):.3f} .. {max(each):.3f}") for name, each in seconds.items()
    ]
    bar = harness.Bar("`quoth --help`, above `python -c pass`", above, AT_MOST_S, at_most=True, unit=" s", digits=3)
    harness.record(
        "From the start of a process to its help",
        [*harness.table(("command", "median s", "from .. to"), *rows), "", str(bar)],
        keep=not options.no_record,
    )


if __name__ == "__main__":
    main()
