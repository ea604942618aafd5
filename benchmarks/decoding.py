"""Claim: Quoth decodes logits at least 50 times as fast as the loop of the tutorial, and its answers are never worse.

All 10,822 windows of SQuAD dev (384 tokens, overlap 128, cased vocabulary). The logits are synthetic, the same for both
sides: noise, and peaks at a gold and at two other places; which peak is highest is random. The tutorial's loop (20 x 20
pairs per window, offsets read from the data set) gives a text and a score; Quoth gives complete predictions with span,
probability and null score. The scores are compared first, example by example; the times are of the one core that each
side uses. Needs ``datasets`` and ``transformers``::

    python benchmarks/decoding.py --data FOLDER      # with squad/ and vocab/bert-base-cased/ in it
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from datasets import disable_caching, disable_progress_bars

import harness
import tutorial_baseline as tutorial
from quoth.engines.base import cpu_batch_tokens
from quoth.reading import (
    DecodeSettings,
    SpanLogits,
    Tokenizer,
    Window,
    WindowBatch,
    Windower,
    by_token_budget,
    decide,
    search_batch,
)
from quoth.reading.spans import SearchedWindow, best_spans
from quoth.records import Example, Gold, Prediction
from quoth.stream import LOOK_AHEAD

AT_LEAST = 50.0
SETTINGS = DecodeSettings(max_answer_tokens=tutorial.MAX_ANSWER_LENGTH)


def main() -> None:
    """Compare the scores, then the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with squad/ and vocab/bert-base-cased/")
    parser.add_argument("--questions", type=int, help="only the first so many")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs, in turn; the best counts")
    harness.add_no_record(parser)
    options = parser.parse_args()
    disable_caching()
    disable_progress_bars()

    rows = tutorial.load_squad(options.data / "squad" / "squad-v1.1-dev.json", options.questions)
    vocabulary = options.data / "vocab" / "bert-base-cased"
    processed = rows.map(
        partial(tutorial.tokenize_validation, tokenizer=tutorial.load_tokenizer(vocabulary)),
        batched=True,
        remove_columns=rows.column_names,
    )
    cut = list(Windower(Tokenizer.load(vocabulary), max_tokens=tutorial.MAX_LENGTH, overlap=tutorial.STRIDE).each(
        Example(row["id"], row["question"], row["context"], tuple(map(Gold, *row["answers"].values()))) for row in rows
    ))  # fmt: skip
    start, end = made_up([window for _, windows in cut for window in windows])
    batches = batched(cut, start, end)

    sides: dict[str, Callable[[], Any]] = {
        "the tutorial's loop": lambda: tutorial.decode(start, end, processed, rows),
        "`search_batch` and `decide`": lambda: predictions(cut, batches),
        "of which the search": lambda: search(batches),
    }
    # Objects created so far must not be collected during the measurement of either side.
    gc.collect()
    gc.freeze()
    times: dict[str, list[float]] = {name: [] for name in sides}
    found = {}
    for _ in range(options.rounds):
        for name, side in sides.items():
            before = time.process_time()
            found[name] = side()
            times[name].append(time.process_time() - before)
    theirs, ours, _ = found.values()
    said = compare(theirs, ours)
    peer, quoth, _ = map(min, times.values())
    harness.record(
        "Decoding, against the tutorial's loop",
        [
            "| side | seconds of one core | microseconds a window |",
            "|---|---|---|",
            *(f"| {name} | {min(each):.3f} | {1e6 * min(each) / len(start):.1f} |" for name, each in times.items()),
            "",
            said,
            "",
            f"**{peer / quoth:.1f} times the tutorial's loop** (at least {AT_LEAST:g}): "
            + ("holds." if peer / quoth >= AT_LEAST else "**does not hold**."),
        ],
        keep=not options.no_record,
    )


def made_up(windows: list[Window]) -> tuple[np.ndarray, np.ndarray]:
    """Create logits as a reader returns them, padded to 384 as in the tutorial."""
    rng = np.random.default_rng(0)
    start, end = rng.normal(-7, 1.5, (2, len(windows), tutorial.MAX_LENGTH)).astype(np.float32)
    distance = np.arange(tutorial.MAX_LENGTH)
    for row, window in enumerate(windows):
        tokens = window.context_tokens
        firsts = rng.integers(tokens.start, tokens.end, 2)
        places = [(target.start, target.end - 1) for target in window.targets[:1]]
        places += [(first, min(first + int(rng.integers(0, 6)), tokens.end - 1)) for first in firsts.tolist()]
        for first, last in places:
            for logits, place in ((start, first), (end, last)):
                logits[row] += rng.uniform(3, 14) * np.exp(-np.abs(distance - place) / 1.5)
        start[row, len(window) :] = end[row, len(window) :] = -11.0
    return start, end


def batched(
    cut: list[tuple[Example, list[Window]]], start: np.ndarray, end: np.ndarray
) -> list[tuple[WindowBatch, SpanLogits]]:
    """Group the windows into batches as a reader does, each with its logits as an engine gives them."""
    made, first = [], 0
    for block in range(0, len(cut), LOOK_AHEAD):
        windows = [window for _, group in cut[block : block + LOOK_AHEAD] for window in group]
        for indices in by_token_budget(windows, cpu_batch_tokens(2)):
            batch = WindowBatch.of([windows[index] for index in indices], 0)
            places = [first + index for index in indices]
            tokens = batch.ids.shape[1]
            logits = SpanLogits(start[places, :tokens].copy(), end[places, :tokens].copy())
            made.append((batch, logits))
        first += len(windows)
    return made


def predictions(
    cut: list[tuple[Example, list[Window]]], batches: list[tuple[WindowBatch, SpanLogits]]
) -> list[Prediction]:
    """Decode batch by batch, and the windows of one example together, as ``Reader.answer_all`` does."""
    found: dict[Window, SearchedWindow] = {}
    for batch, logits in batches:
        found.update((item.window, item) for item in search_batch(batch, logits, SETTINGS))
    return [decide(example, [found[window] for window in windows], SETTINGS) for example, windows in cut]


def search(batches: list[tuple[WindowBatch, SpanLogits]]) -> None:
    """Do only what is done in numpy: the best span of each window, and the sum over all of them."""
    for batch, logits in batches:
        best_spans(logits.start, logits.end, batch.legal, SETTINGS.max_answer_tokens, SETTINGS.temperature)


def compare(theirs: list[tuple[str | None, float]], ours: list[Prediction]) -> str:
    """Check that no answer is worse than the tutorial's, and count those that are better.

    Raises:
        SystemExit: If one is.
    """
    better = same = 0
    for (text, score), prediction in zip(theirs, ours, strict=True):
        best = prediction.answers[0]
        # The tutorial adds in float32.
        slack = 1e-6 * max(1.0, abs(score))
        if best.score < score - slack:
            raise SystemExit(f"question {prediction.id}: must score at least {score}, but scores {best.score}")
        better += best.score > score + slack
        same += best.text == text
    return (
        f"{len(ours):,} examples: no score is lower than the tutorial's, {better:,} are higher. {same:,} texts are the "
        "same; others are better spans, or widened to whole words."
    )


if __name__ == "__main__":
    main()
