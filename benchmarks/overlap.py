"""Claim: the engine is rarely idle, because windows are split and answers decoded while it computes.

Compares ``Reader.answer_all`` with the same stages in sequence, block by block, on the same questions and engine; the
answers are compared first. Shows the share of the time between its first and last call in which the engine is idle, and
the CPU time of each stage::

    python benchmarks/overlap.py --data squad-v1.1-dev.json --questions 500
"""

from __future__ import annotations

import argparse
import time
from itertools import islice, pairwise

import harness
import quoth
from quoth import Reader
from quoth.engines import Engine, Sequential
from quoth.reading import SearchedWindow, SpanLogits, Window, WindowBatch, batches_of, decide, search_batch
from quoth.records import Example, Prediction
from quoth.stream import LOOK_AHEAD


class TimedEngine(Sequential):
    """An engine that records when it ran; one batch at a time."""

    def __init__(self, engine: Engine) -> None:
        self.name, self.precision, self._engine = engine.name, engine.precision, engine
        self.batch_tokens = engine.batch_tokens
        self.calls: list[tuple[float, float]] = []

    def run(self, batch: WindowBatch) -> SpanLogits:
        """Run the engine."""
        before = time.perf_counter()
        logits = self._engine.run(batch)
        self.calls.append((before, time.perf_counter()))
        return logits

    @property
    def idle(self) -> float:
        """Return the share of the time between the first and the last call in which the engine did not run."""
        waits = sum(start - end for (_, end), (start, _) in pairwise(self.calls))
        return waits / (self.calls[-1][1] - self.calls[0][0])


def main() -> None:
    """Answer the questions both ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--reader", help="folder of a reader; by default the shipped one")
    parser.add_argument("--threads", type=int, help="of the engine; all usable cores if left out")
    harness.add_no_record(parser)
    options = parser.parse_args()
    examples = quoth.read_examples(options.data)[: options.questions]
    loaded = Reader.load(options.reader, threads=options.threads)
    loaded.answer(examples[0].question, examples[0].contexts)

    engine = TimedEngine(loaded.engine)
    reader = Reader(loaded.tokenizer, engine, loaded.settings)
    before = time.perf_counter()
    stages = dict.fromkeys(("cutting", "engine", "decoding"), 0.0)
    alone = one_after_the_other(reader, examples, stages)
    alone_s, alone_idle = time.perf_counter() - before, engine.idle

    engine.calls.clear()
    reader = Reader(loaded.tokenizer, engine, loaded.settings)
    before = time.perf_counter()
    together = list(reader.answer_all(examples))
    together_s = time.perf_counter() - before
    if [each.text for each in together] != [each.text for each in alone]:
        raise SystemExit("the answers must be the same, but are not")
    total = sum(stages.values())
    shares = ", ".join(f"{stage} {seconds / total:.1%} ({1e6 * seconds / len(examples):,.0f} µs a question)"
                       for stage, seconds in stages.items())  # fmt: skip
    harness.record(
        "The engine does not wait",
        [
            "| way | questions/s | the engine idles |",
            "|---|---|---|",
            f"| one after the other | {len(examples) / alone_s:.1f} | {alone_idle:.2%} |",
            f"| `Reader.answer_all` | {len(examples) / together_s:.1f} | {engine.idle:.2%} |",
            "",
            f"{len(examples):,} questions, the same answers. Of one core: {shares}.",
            "",
            f"**{alone_s / together_s:.2f} times one after the other.**",
        ],
        keep=not options.no_record,
    )


def one_after_the_other(reader: Reader, examples: list[Example], stages: dict[str, float]) -> list[Prediction]:
    """Split, run and decode block by block; add the CPU time of each stage to ``stages``."""
    settings = reader.decode_settings()
    found: list[Prediction] = []
    waiting = iter(examples)
    while block := list(islice(waiting, LOOK_AHEAD)):
        start = time.process_time()
        groups = list(reader.windower.each(block))
        windows = [window for _, group in groups for window in group]
        limit = reader.settings.max_tokens
        batches = list(batches_of(windows, reader.engine.batch_tokens, reader.tokenizer.pad_id, limit=limit))
        cut = time.process_time()
        outputs = [(batch, reader.engine.run(batch)) for batch in batches]
        run = time.process_time()
        items: dict[Window, SearchedWindow] = {}
        for batch, logits in outputs:
            items.update((item.window, item) for item in search_batch(batch, logits, settings))
        found += [decide(example, [items[window] for window in group], settings) for example, group in groups]
        for stage, seconds in zip(stages, (cut - start, run - cut, time.process_time() - run), strict=True):
            stages[stage] += seconds
    return found


if __name__ == "__main__":
    main()
