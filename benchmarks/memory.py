"""Claim: the memory of ``evaluate`` above the examples grows by less than 50 MB from 1,000 to 10,000 questions.

Each number of questions is measured in a separate process, which first reads its examples; the result is its peak
memory since then (``VmHWM`` of Linux). The peer is the tutorial, which keeps the logits of all windows, padded to 384
tokens: two float32 numbers for each. Only the growth matters, not the network, so a tiny reader is sufficient::

    python benchmarks/memory.py --data squad-v1.1-dev.json --reader tests/tiny/wordpiece
"""

from __future__ import annotations

import argparse
import gc
import re
import subprocess
import sys
from pathlib import Path

import harness

AT_MOST_MB = 50.0
SIZES = (1_000, 10_000)
# Two logits of four bytes for each of 384 places, as trainer.predict returns them.
SEED_MB = 2 * 4 * 384 / 1e6


def main() -> None:
    """Measure each size in a separate process; or, as such a process, one size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="labelled data of at least 10,000 questions")
    parser.add_argument("--reader", help="folder of a reader; by default the shipped one")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    harness.add_no_record(parser)
    options = parser.parse_args()
    if options.one:
        print(above_the_examples(options.data, options.reader, options.one))
        return
    command = [sys.executable, __file__, *sys.argv[1:], "--one"]
    few, many = (
        float(subprocess.run([*command, str(size)], check=True, capture_output=True, text=True).stdout)
        for size in SIZES
    )
    peer = SEED_MB * (SIZES[1] - SIZES[0])
    growth = many - few
    rows = zip(SIZES, (few, many), strict=True)
    harness.record(
        "Memory of `evaluate`",
        [
            "| questions | MB above the examples |",
            "|---|---|",
            *(f"| {size:,} | {megabytes:.1f} |" for size, megabytes in rows),
            "",
            f"**It grows by {growth:.1f} MB** (below {AT_MOST_MB:g}): "
            + ("holds." if growth < AT_MOST_MB else "**does not hold**.")
            + f" The logits that the tutorial keeps grow by {peer:.1f} MB: {peer / max(growth, 0.1):.1f} times that.",
        ],
        keep=not options.no_record,
    )


def above_the_examples(data: str, reader: str | None, size: int) -> float:
    """Return the peak memory in MB of evaluating `size` questions, above the memory once they are read."""
    import quoth

    loaded = quoth.Reader.load(reader)
    examples = quoth.read_examples(data)[:size]
    if len(examples) < size:
        raise SystemExit(f"{data}: must hold {size:,} questions, but holds {len(examples):,}")
    # Warm-up: allocates what only the first question needs.
    quoth.evaluate(loaded, examples[:100])
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = held("VmRSS")
    quoth.evaluate(loaded, examples)
    return held("VmHWM") - before


def held(name: str) -> float:
    """Return one of the kernel's memory values for this process, in MB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
