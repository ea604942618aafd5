"""A stream of examples through the network: while the engine computes, windows are cut before it and decoded after it.

Examples are taken a block at a time, as many as are looked ahead. A block's windows are sorted by length and grouped
into batches by a budget of tokens. Three threads work at once: one cuts the next block, one runs the engine, and the
caller's own takes examples in, reduces what comes out, and gives it away in the order of the examples. At most three
blocks are on their way, so memory is bounded, however long the stream.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Generic, NamedTuple, Protocol, TypeVar

from quoth.engines import Engine
from quoth.reading import SpanLogits, Window, WindowBatch, Windower, by_token_budget
from quoth.records import Example


class OfWindow(Protocol):
    """What a window was reduced to: anything that says which window it is of."""

    @property
    def window(self) -> Window:
        """The window."""


T = TypeVar("T", bound=OfWindow)
Item = TypeVar("Item")
R = TypeVar("R")

# Examples read ahead, so that windows of like length meet in a batch.
LOOK_AHEAD = 256
# Tokens of a batch, padding included: ten windows of full length. Bounds the memory of one engine call.
BATCH_TOKENS = 4096
# Batches that are queued for the engine: enough for it to go on while the caller is busy with a block's answers, and no
# more, since a program that ends waits for them.
_QUEUED = 8


class _Block(NamedTuple):
    """Examples that are read together, each with its windows; and the batches that these are in."""

    examples: list[tuple[Example, list[Window]]]
    batches: Iterator[WindowBatch]


class _Step(NamedTuple):
    """One batch of a block, with the logits once they are there; without a batch: the end of the block."""

    block: _Block
    batch: WindowBatch | None
    logits: SpanLogits | None = None


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """What windows go through.

    Attributes:
        windower: Cuts examples into windows.
        engine: Runs the network.
        reduce: Makes one thing of each window of a batch, so that the batch can be forgotten; it says which window it
            is of.
    """

    windower: Windower
    engine: Engine
    reduce: Callable[[WindowBatch, SpanLogits], Sequence[T]]

    def run(self, windows: Sequence[Window]) -> list[T]:
        """Read some windows, without threads, and return what each was reduced to."""
        found: dict[Window, T] = {}
        for batch in self._batches(windows):
            found.update((item.window, item) for item in self.reduce(batch, self.engine.run(batch)))
        return [found[window] for window in windows]

    def read(self, examples: Iterable[Example]) -> Iterator[tuple[Example, list[T]]]:
        """Yield each example with what its windows were reduced to, in the order of the examples.

        Only the thread that takes the output asks for more input. If the input fails, what was read before is given
        away first. Who stops early should close the iterator, or forget it: then the threads end.

        Raises:
            InputError, QuestionTooLongError: If an example cannot be cut.
            ReaderError: If the engine fails.
        """
        blocks = _blocks(examples)
        first = next(blocks, [])
        if len(first) < LOOK_AHEAD:
            # Nothing comes after it that could be done meanwhile.
            yield from self._collect(map(self._run, _steps([self._cut(first)])))
            next(blocks, None)  # raises what the input failed with
            return
        cutter, runner = ThreadPoolExecutor(1, "quoth-cutter"), ThreadPoolExecutor(1, "quoth-engine")
        try:
            cut = _ahead(cutter, self._cut, chain([first], blocks), lambda blocks: len(blocks) > 1)
            yield from self._collect(_ahead(runner, self._run, _steps(cut), _is_much))
        finally:
            cutter.shutdown(cancel_futures=True)
            runner.shutdown(cancel_futures=True)

    def _cut(self, examples: list[Example]) -> _Block:
        cut = list(self.windower.each(examples))
        # Batches are made as they are asked for: padded, those of a block are larger than its windows.
        return _Block(cut, self._batches([window for _, windows in cut for window in windows]))

    def _run(self, step: _Step) -> _Step:
        return step if step.batch is None else step._replace(logits=self.engine.run(step.batch))

    def _collect(self, steps: Iterable[_Step]) -> Iterator[tuple[Example, list[T]]]:
        """Reduce batches as they come, and give a block's examples away once it has no more."""
        found: dict[Window, T] = {}
        for step in steps:
            if step.batch is not None and step.logits is not None:
                found.update((item.window, item) for item in self.reduce(step.batch, step.logits))
                continue
            for example, windows in step.block.examples:
                yield example, [found.pop(window) for window in windows]

    def _batches(self, windows: Sequence[Window]) -> Iterator[WindowBatch]:
        limit = self.windower.max_tokens
        for indices in by_token_budget(windows, BATCH_TOKENS, limit=limit):
            some = [windows[index] for index in indices]
            yield WindowBatch.of(some, self.windower.tokenizer.pad_id, limit=limit)


def _blocks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """Yield the examples in blocks; if the input fails, what was read before comes first, and then the error."""
    block: list[Example] = []
    each = iter(examples)
    while True:
        try:
            block.append(next(each))
        except StopIteration:
            break
        except Exception:
            if block:
                yield block
            raise
        if len(block) == LOOK_AHEAD:
            yield block
            block = []
    if block:
        yield block


def _steps(blocks: Iterable[_Block]) -> Iterator[_Step]:
    for block in blocks:
        yield from (_Step(block, batch) for batch in block.batches)
        yield _Step(block, None)


def _is_much(steps: Sequence[_Step]) -> bool:
    """Tell whether so many steps need no more: of the block after the one that is given away, or of batches."""
    return len(steps) > _QUEUED or sum(step.batch is None for step in steps) > 1


def _ahead(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], R],
    items: Iterable[Item],
    is_much: Callable[[Sequence[Item]], bool],
) -> Iterator[R]:
    """Yield what becomes of each item, in their order, while those after it are worked on, or wait for it.

    If there is no next item because of an error, what became of those before is yielded first.

    Args:
        pool: Where the work is done.
        work: What is done with an item.
        items: The items, taken by the caller's thread.
        is_much: Whether there are enough items that are not yielded yet.
    """
    taken: deque[Item] = deque()
    futures: deque[Future[R]] = deque()

    def first() -> R:
        taken.popleft()
        return futures.popleft().result()

    each = iter(items)
    while True:
        try:
            item = next(each)
        except StopIteration:
            break
        except Exception:
            while futures:
                yield first()
            raise
        taken.append(item)
        futures.append(pool.submit(work, item))
        while is_much(taken):
            yield first()
    while futures:
        yield first()
