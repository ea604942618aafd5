"""A stream of examples through the network: while the engine computes, windows are cut before it and decoded after it.

Examples are taken a block at a time, as many as are looked ahead. A block's windows are sorted by length and grouped
into batches by a budget of tokens. Three threads work at once: one cuts the next block, one runs the engine, and the
caller's own takes examples in, reduces what comes out, and gives it away in the order of the examples. At most two
blocks are on their way, so memory is bounded, however long the stream.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from threading import main_thread
from typing import Generic, NamedTuple, TypeVar

from quoth.engines import Engine
from quoth.reading import SpanLogits, Window, WindowBatch, Windower, by_token_budget
from quoth.records import Example

T = TypeVar("T")

# Examples read ahead, so that windows of like length meet in a batch.
LOOK_AHEAD = 256
# Tokens of a batch, padding included: ten windows of full length. Bounds the memory of one engine call.
BATCH_TOKENS = 4096


class _Block(NamedTuple):
    """Examples on their way, each with how many windows it has; and their batches, with the places of the windows."""

    examples: list[Example]
    counts: list[int]
    batches: list[tuple[list[int], WindowBatch, Future[SpanLogits]]]


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """What windows go through.

    Attributes:
        windower: Cuts examples into windows.
        engine: Runs the network.
        reduce: Makes one thing of each window of a batch, so that the batch can be forgotten.
    """

    windower: Windower
    engine: Engine
    reduce: Callable[[WindowBatch, SpanLogits], Sequence[T]]

    def run(self, windows: Sequence[Window]) -> list[T]:
        """Read some windows, without threads, and return what each was reduced to."""
        found: dict[int, T] = {}
        for indices, batch in self._batches(windows):
            found.update(zip(indices, self.reduce(batch, self.engine.run(batch)), strict=True))
        return [found[index] for index in range(len(windows))]

    def read(self, examples: Iterable[Example]) -> Iterator[tuple[Example, list[T]]]:
        """Yield each example with what its windows were reduced to, in the order of the examples.

        Only the thread that takes the output asks for more input. If the input fails, what was read before is given
        away first. Who stops early should close the iterator, or forget it: then the threads end.

        Raises:
            InputError, QuestionTooLongError: If an example cannot be cut.
            ReaderError: If the engine fails.
        """
        examples = iter(examples)
        taken = list(islice(examples, LOOK_AHEAD))
        if len(taken) < LOOK_AHEAD:
            # Nothing comes after it that could be done meanwhile.
            groups = list(self.windower.each(taken))
            found = iter(self.run([window for group in groups for window in group]))
            yield from (
                (example, list(islice(found, len(group)))) for example, group in zip(taken, groups, strict=True)
            )
            return
        cutter, runner = ThreadPoolExecutor(1, "quoth-cutter"), ThreadPoolExecutor(1, "quoth-engine")
        waiting: deque[Future[_Block]] = deque()
        try:
            while taken:
                waiting.append(cutter.submit(self._start, taken, runner))
                if len(waiting) > 1:
                    yield from self._finish(waiting.popleft())
                try:
                    taken = list(islice(examples, LOOK_AHEAD))
                except Exception:
                    while waiting:
                        yield from self._finish(waiting.popleft())
                    raise
            while waiting:
                yield from self._finish(waiting.popleft())
        finally:
            cutter.shutdown(cancel_futures=True)
            runner.shutdown(cancel_futures=True)

    def _start(self, examples: list[Example], runner: ThreadPoolExecutor) -> _Block:
        """Cut a block and queue its batches."""
        groups = list(self.windower.each(examples))
        batches = [
            (indices, batch, runner.submit(self._run, batch))
            for indices, batch in self._batches([window for group in groups for window in group])
        ]
        return _Block(examples, list(map(len, groups)), batches)

    def _run(self, batch: WindowBatch) -> SpanLogits:
        if not main_thread().is_alive():
            raise CancelledError  # the program ends, and nobody will ask for what is still queued
        return self.engine.run(batch)

    def _finish(self, started: Future[_Block]) -> Iterator[tuple[Example, list[T]]]:
        """Wait for the batches of a block, reduce them, and give away what they come to."""
        block = started.result()
        found: dict[int, T] = {}
        while block.batches:
            indices, batch, logits = block.batches.pop(0)
            found.update(zip(indices, self.reduce(batch, logits.result()), strict=True))
        place = 0
        for example, count in zip(block.examples, block.counts, strict=True):
            yield example, [found.pop(index) for index in range(place, place + count)]
            place += count

    def _batches(self, windows: Sequence[Window]) -> Iterator[tuple[list[int], WindowBatch]]:
        for indices in by_token_budget(windows, BATCH_TOKENS):
            some = [windows[index] for index in indices]
            yield indices, WindowBatch.of(some, self.windower.tokenizer.pad_id, limit=self.windower.max_tokens)
