"""Claim: ``Reader.answer_all`` answers at least 1.25 times as many questions a second as an earlier commit.

Both sides read the shipped file of this checkout with its dependencies, each round in a new process, in turns; only the
source of the package is another one. Not part of ``make bench``, because it needs a commit::

    python benchmarks/before.py --commit 1ef82a9
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
import quoth
from quoth.store import shipped_folder

QUESTIONS, ALONE, WARM, ROUNDS, AT_LEAST = 320, 60, 16, 5, 1.25


def main() -> None:
    """Measure both commits in turns."""
    if sys.argv[1:2] == ["--side"]:
        print(json.dumps(measure(*sys.argv[2:])))
        return
    parser = harness.options(__doc__, QUESTIONS)
    parser.add_argument("--commit", required=True, help="the earlier commit")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each side ({ROUNDS})")
    options = parser.parse_args()
    harness.pin(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["git", "-C", harness.ROOT, "worktree", "add", "--quiet", "--detach", folder, options.commit], check=True
        )
        try:
            sides = {"before": Path(folder), "now": harness.ROOT}
            found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
            for _ in range(options.rounds):
                for name, root in sides.items():
                    found[name].append(side(root, options.data, options.questions))
        finally:
            subprocess.run(["git", "-C", harness.ROOT, "worktree", "remove", "--force", folder], check=True)
    report(found, options.commit, keep=not options.no_record)


def side(root: Path, data: str, questions: int) -> dict[str, float]:
    """Return the questions a second of one side, measured in a new process."""
    command = [sys.executable, __file__, "--side", str(shipped_folder().path), str(data), str(questions)]
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def measure(folder: str, data: str, questions: str) -> dict[str, float]:
    """Return the questions a second in batches and one at a time, in this process."""
    chosen = harness.sample(quoth.read_examples(data), int(questions))
    reader = quoth.Reader.load(folder)
    list(reader.answer_all(chosen[:WARM]))
    begun = time.perf_counter()
    list(reader.answer_all(chosen))
    batches = len(chosen) / (time.perf_counter() - begun)
    alone = chosen[:ALONE]
    begun = time.perf_counter()
    for example in alone:
        reader.answer(example.question, example.contexts)
    return {"answer_all": batches, "answer": len(alone) / (time.perf_counter() - begun)}


def report(found: dict[str, list[dict[str, float]]], commit: str, *, keep: bool) -> None:
    """Record the speeds, and the median of the ratios of the rounds."""
    rows, bars = [], []
    for what, bound in (("answer_all", AT_LEAST), ("answer", 1.0)):
        speeds = {name: [each[what] for each in rounds] for name, rounds in found.items()}
        ratios = [now / before for before, now in zip(speeds["before"], speeds["now"], strict=True)]
        for name, each in speeds.items():
            rows.append(
                (f"`Reader.{what}`", name, f"{statistics.median(each):.1f}", ", ".join(f"{x:.1f}" for x in each))
            )
        claim = f"questions/s of `Reader.{what}`, against {commit} (rounds {min(ratios):.2f} to {max(ratios):.2f})"
        bars.append(str(harness.Bar(claim, statistics.median(ratios), bound, digits=2)))
    harness.record(
        "Answering, against an earlier commit",
        [*harness.table(("", "commit", "questions/s, median", "each round"), *rows), "", *bars],
        keep=keep,
    )


if __name__ == "__main__":
    main()
