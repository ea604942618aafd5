"""Measures ``quoth ask`` from process start to answer, against a script around the old pipeline: time and memory.

    python benchmarks/ask.py [--model FLOAT_FOLDER] [--rounds 10] [--threads 2]

Both sides alternate, each run in a new process, on a warm disk (the first run of each is not counted), with the same
question and text. The old pipeline has the float checkpoint of the shipped reader. Time is wall-clock time, memory the
largest resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness import FLOAT, ROOT, Bar, add_no_record, peer_python, pin, record, table

# Targets.
MOST_S, MOST_MB, LEAST_RATIO = 1.0, 400, 5.0
TEXT = ROOT / "examples" / "texts" / "lighthouse.txt"
QUESTION = "Who kept the light?"


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=FLOAT, help="float checkpoint of the shipped reader, a Hugging Face folder")
    parser.add_argument("--rounds", type=int, default=10, help="runs of each side (10)")
    parser.add_argument("--threads", type=int, default=2, help="threads and cores (2)")
    parser.add_argument("--python", default=sys.executable, help="Python of the environment with Quoth")
    add_no_record(parser)
    given = parser.parse_args()
    peer = peer_python("pipeline")
    if peer is None:
        sys.exit("ask: the environment of the old pipeline is missing; create it with: make peers")
    threads = pin(given.threads)
    quoth = [given.python, "-m", "quoth", "ask", QUESTION, "--context", str(TEXT), "--json"]
    pipeline = [str(peer), str(Path(__file__).with_name("peer_ask.py")), str(given.model), QUESTION, str(TEXT)]
    answers = [json.loads(start(quoth).said)["best"]["text"], json.loads(start(pipeline).said)["answer"]]
    if not all(answers):
        sys.exit(f"ask: both must answer, but say {answers}")
    ours, theirs = [], []
    for _ in range(given.rounds):
        ours.append(start(quoth))
        theirs.append(start(pipeline))
    report(ours, theirs, answers, threads, given.no_record)


@dataclass(frozen=True, slots=True)
class Start:
    """One process, from start to exit.

    Attributes:
        seconds: Wall-clock.
        megabytes: Largest resident set.
        said: Its standard output.
    """

    seconds: float
    megabytes: float
    said: str


def start(command: list[str]) -> Start:
    """Run a command; exit with its error message if it fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        before = time.perf_counter()
        files = [(os.POSIX_SPAWN_DUP2, out.fileno(), 1), (os.POSIX_SPAWN_DUP2, err.fileno(), 2)]
        process = os.posix_spawn(command[0], command, os.environ, file_actions=files)
        # The memory of this child only, which subprocess does not report.
        _, status, usage = os.wait4(process, 0)
        seconds = time.perf_counter() - before
        out.seek(0)
        err.seek(0)
        if status:
            sys.exit(f"ask: {' '.join(command[:3])} must answer, but fails: {err.read().decode(errors='replace')}")
        kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
        return Start(seconds, kilobytes / 1024, out.read().decode())


def report(ours: list[Start], theirs: list[Start], answers: list[str], threads: int, no_record: bool) -> None:
    """Print both sides and the targets in Markdown."""
    seconds = [statistics.median(each.seconds for each in side) for side in (ours, theirs)]
    megabytes = [max(each.megabytes for each in side) for side in (ours, theirs)]
    spread = [f"{min(each.seconds for each in s):.2f} to {max(each.seconds for each in s):.2f}" for s in (ours, theirs)]
    names = ("`quoth ask --json`", "a script around the pipeline of transformers 4.57 (`benchmarks/peer_ask.py`)")
    rows = [
        (name, f"{seconds[at]:.2f}", spread[at], f"{megabytes[at]:.0f}", answers[at]) for at, name in enumerate(names)
    ]
    lines = [
        f"On {threads} core{'s' if threads > 1 else ''}; median and range of {len(ours)} starts each, in turn.",
        "",
        *table(("", "seconds", "from, to", "MB at most", f"answer to “{QUESTION}”"), *rows),
        "",
        str(Bar("process start to answer", seconds[0], MOST_S, at_most=True, unit=" s", digits=2)),
        str(Bar("memory of it", megabytes[0], MOST_MB, at_most=True, unit=" MB", digits=0)),
        str(Bar("against the script", seconds[1] / seconds[0], LEAST_RATIO)),
    ]
    record("Asking one question, from the start of a process", lines, keep=not no_record)


if __name__ == "__main__":
    main()
