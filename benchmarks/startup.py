"""The claim: the command line is there at once, and answers within a second.

Median of ten, on a warm disk, each a process of its own, in turn: ``python -c pass``, ``quoth --help``, ``quoth ask``,
and with ``--peer-python`` a script around the pipeline that transformers had until 4.57, on the same float checkpoint::

    python benchmarks/startup.py
    python benchmarks/startup.py --peer-python peer/bin/python --peer-model FOLDER
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import harness

QUESTION = "What did the Atlântico is going to have tomorrow?"
CONTEXT = "Tomorrow the Atlântico is going to have a delicious team lunch!"
PEER = (
    "import sys; from transformers import pipeline; "
    "print(pipeline('question-answering', model=sys.argv[1])(question=sys.argv[2], context=sys.argv[3])['answer'])"
)
HELP_S, ASK_S, ASK_MB, TIMES = 0.25, 1.0, 400.0, 5.0


def main() -> None:
    """Measure each command in turn, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--reader", help="another reader than the one that ships")
    parser.add_argument("--peer-python", type=Path, help="a Python with transformers below 5 and torch")
    parser.add_argument("--peer-model", type=Path, help="the float checkpoint of the shipped reader")
    options = parser.parse_args()
    reader = ["--reader", options.reader] if options.reader else []
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "quoth --help": [sys.executable, "-m", "quoth", "--help"],
        "quoth ask": [sys.executable, "-m", "quoth", "ask", QUESTION, "--text", CONTEXT, *reader],
    }
    if options.peer_python:
        script = [str(options.peer_python), "-c", PEER, str(options.peer_model), QUESTION, CONTEXT]
        commands["the old pipeline in a script"] = script
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    megabytes = dict.fromkeys(commands, 0.0)
    for run in range(options.runs + 1):
        for name, command in commands.items():
            took, peak, said = measured(command)
            if "delicious team lunch" not in said and name not in ("python -c pass", "quoth --help"):
                raise SystemExit(f"{name}: must answer, but said {said!r}")
            if run:  # the first warms the disk
                seconds[name].append(took)
                megabytes[name] = max(megabytes[name], peak)
    middle = {name: median(each) for name, each in seconds.items()}
    above = middle["quoth --help"] - middle["python -c pass"]
    ask, held = middle["quoth ask"], megabytes["quoth ask"]
    lines = [
        "| command | median s | each from .. to | most MB |",
        "|---|---|---|---|",
        *(
            f"| `{name}` | {middle[name]:.3f} | {min(each):.3f} .. {max(each):.3f} | {megabytes[name]:.0f} |"
            for name, each in seconds.items()
        ),
        "",
        f"- `quoth --help`: {above:.3f} s above `python -c pass` (at most {HELP_S:g}): {judged(above <= HELP_S)}",
        f"- `quoth ask`: {ask:.3f} s (at most {ASK_S:g}): {judged(ask <= ASK_S)}",
        f"- its memory: {held:.0f} MB (at most {ASK_MB:g}): {judged(held <= ASK_MB)}",
    ]
    if options.peer_python:
        ratio = middle["the old pipeline in a script"] / ask
        lines.append(f"- {ratio:.1f} times the old pipeline in a script (at least {TIMES:g}): {judged(ratio >= TIMES)}")
    harness.record("From the start of a process to an answer", lines)


def measured(command: list[str]) -> tuple[float, float, str]:
    """Run a command; return its seconds, the most megabytes that it held, and what it printed."""
    before = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - before
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: must succeed, but exits with {process.returncode}")
    return took, usage.ru_maxrss / 1024, said


def judged(holds: bool) -> str:
    """Say whether a bar holds."""
    return "holds" if holds else "**does not hold**"


if __name__ == "__main__":
    main()
