"""Claim: SQuAD train is split into windows with targets at least 4 times as fast as by the tutorial's ``map``.

Both sides use one process and alternate, from rows in memory to windows in memory. The outputs are compared first: ids
and offsets of every window, and the targets of every row whose answer starts and ends at token boundaries. In the other
rows, the tutorial's targets are wrong, and only their number is printed. Needs ``datasets`` and ``transformers``::

    python benchmarks/windows.py --data FOLDER      # with squad/ and vocab/bert-base-cased/ in it
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from datasets import disable_caching, disable_progress_bars

import harness
import tutorial_baseline as tutorial
from quoth.reading import Tokenizer, Window, Windower
from quoth.records import Example, Gold

AT_LEAST = 4.0


def main() -> None:
    """Compare the windows, then the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with squad/ and vocab/bert-base-cased/")
    parser.add_argument("--questions", type=int, help="use only the first N questions")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each side, alternating; the best counts")
    harness.add_no_record(parser)
    options = parser.parse_args()
    disable_caching()
    disable_progress_bars()

    rows = tutorial.load_squad(options.data / "squad" / "squad-v1.1-train.json", options.questions)
    vocabulary = options.data / "vocab" / "bert-base-cased"
    theirs_tokenizer = tutorial.load_tokenizer(vocabulary)
    examples = [
        Example(row["id"], row["question"], row["context"], tuple(map(Gold, *row["answers"].values()))) for row in rows
    ]

    def by_map() -> Any:
        return rows.map(
            partial(tutorial.tokenize_train, tokenizer=theirs_tokenizer), batched=True, remove_columns=rows.column_names
        )

    def by_quoth() -> list[Window]:
        windower = Windower(Tokenizer.load(vocabulary), max_tokens=tutorial.MAX_LENGTH, overlap=tutorial.STRIDE)
        return [window for _, group in windower.each(examples) for window in group]

    times: dict[str, list[float]] = {"map": [], "quoth": []}
    for _ in range(options.rounds):
        for name, side in (("map", by_map), ("quoth", by_quoth)):
            before = time.perf_counter()
            made = side()
            times[name].append(time.perf_counter() - before)
            if name == "map":
                theirs = made
    said = compare(theirs, made, tutorial_offsets(rows, theirs_tokenizer))
    ratio = min(times["map"]) / min(times["quoth"])
    harness.record(
        "Windows with targets, against the tutorial's `map`",
        [
            "| side | seconds | each round |",
            "|---|---|---|",
            *(
                f"| {label} | {min(times[name]):.2f} | {', '.join(f'{each:.2f}' for each in times[name])} |"
                for name, label in (("map", "the tutorial's `datasets.map`, one process"), ("quoth", "`Windower.each`"))
            ),
            "",
            f"{said}",
            "",
            f"**{ratio:.1f} times the tutorial's `map`** (at least {AT_LEAST:g}): "
            + ("holds." if ratio >= AT_LEAST else "**does not hold**."),
        ],
        keep=not options.no_record,
    )


def tutorial_offsets(rows: Any, tokenizer: Any) -> list[list[tuple[int, int] | None]]:
    """Return the offsets of each window as in the tutorial: ``None`` outside the context."""
    made = rows.map(
        partial(tutorial.tokenize_validation, tokenizer=tokenizer), batched=True, remove_columns=rows.column_names
    )
    offsets: list[list[tuple[int, int] | None]] = made["offset_mapping"]
    return offsets


def compare(theirs: Any, ours: list[Window], offsets: Any) -> str:
    """Check that windows, offsets and targets are equal, and count the targets that the tutorial gets wrong.

    Raises:
        SystemExit: If they are not.
    """
    if len(theirs) != len(ours):
        raise SystemExit(f"the numbers of windows must be equal, but are {len(theirs):,} and {len(ours):,}")
    corrupt = 0
    ids, starts, ends = theirs.with_format("numpy"), theirs["start_positions"], theirs["end_positions"]
    for number, (window, offset, start, end) in enumerate(zip(ours, offsets, starts, ends, strict=True)):
        size = len(window)
        padded = ids[number]["input_ids"]
        if not (padded[:size] == window.ids).all() or padded[size:].any():
            raise SystemExit(f"{window!r}: ids must be the same, but are not")
        part = slice(window.context_tokens.start, window.context_tokens.end)
        inside = np.array(offset[part])
        if not (inside == window.context_offsets).all() or any(offset[: part.start]) or any(offset[part.stop :]):
            raise SystemExit(f"{window!r}: offsets must be the same, but are not")
        (gold,) = window.example.golds or ()
        exact = gold.span.start in inside[:, 0] and gold.span.end in inside[:, 1]
        whole = inside[0, 0] <= gold.span.start and gold.span.end <= inside[-1, 1]
        target = (window.target.start, window.target.end - 1) if window.target else (0, 0)
        if whole and not exact:
            corrupt += 1
        elif target != (start, end):
            raise SystemExit(f"{window!r}: targets must be the same, but are {(start, end)} and {target}")
    return (
        f"{len(ours):,} windows: ids and offsets are the same in all; so are the targets, but in {corrupt:,}, where an "
        "answer starts or ends inside a token: the tutorial has 0 for what it does not find, Quoth the whole token."
    )


if __name__ == "__main__":
    main()
