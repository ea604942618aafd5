"""A pipeline over a stream of examples: tokenization and decoding run while the engine computes.

Examples are read in blocks, which are limited by the number of examples and by the amount of text. The windows of a
block are sorted by length and grouped into batches by a token budget. Several threads work at the same time: one
creates the windows of the next block, one runs the engine (or one for each of its streams, if a block has enough
batches for them), and the caller's thread reads examples, reduces the logits, and yields results in the order of the
examples. At most three blocks are in memory, so memory is bounded for any stream.

A live input (``quoth.live``) is read by a separate thread. A block then ends when the next item is not ready, and all
answers are yielded before waiting for more input. An example that cannot be read affects no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from quoth.engines import Engine
from quoth.errors import InputError, QuothError, TokenizerError
from quoth.live import Pump
from quoth.reading import SpanLogits, Window, WindowBatch, Windower, batches_of
from quoth.records import Example


class OfWindow(Protocol):
    """The reduced logits of a window."""

    @property
    def window(self) -> Window:
        """The window."""


T = TypeVar("T", bound=OfWindow)
Item = TypeVar("Item")
R = TypeVar("R")

# Examples per block: more of them allow batches of windows with more similar lengths.
LOOK_AHEAD = 256
# Approximate number of characters per block: a block ends with the example that reaches it. A text counts once for each
# question about it, because each question has its own windows.
BLOCK_CHARACTERS = 1 << 22
# Maximum number of queued batches, or two for each stream if that is more: enough to keep the engine busy while the
# caller processes a block's answers. Not more, because a program that exits waits for them.
_QUEUED = 8
# Number of tokens of a block, and for each stream, from which several batches at the same time are worth loading the
# network again: about fifty questions of SQuAD, and half a batch.
_MANY_TOKENS = 8_192
_STREAM_TOKENS = 512

# A kind of example; results are yielded with the example itself, so that it may hold more than the question.
E = TypeVar("E", bound=Example)
# An example, or the error of one that cannot be read.
Given = Example | QuothError
# An example with the reduced logits of its windows, or with its error; for an error that was given: the error twice.
_Outcome: TypeAlias = tuple[Given, list[T] | QuothError]


class _Block(NamedTuple):
    """Examples that are read together, each with its windows or its error, and the batches of all windows.

    Attributes:
        examples: The examples.
        engine: The engine for the batches.
        batches: The batches. They are created lazily, because padding makes them larger than the windows.
    """

    examples: list[tuple[Given, list[Window] | QuothError]]
    engine: Engine
    batches: Iterator[WindowBatch]


class _Step(NamedTuple):
    """One batch of a block, later with its logits; without a batch: the end of the block."""

    block: _Block
    batch: WindowBatch | None
    logits: SpanLogits | None = None


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """Runs windows through an engine, in the caller's thread or in a pipeline.

    Attributes:
        windower: The windower.
        engine: The engine.
        reduce: Reduces the logits of a batch to one item per window, so that the batch can be freed.
        block_characters: Approximate number of characters per block.
    """

    windower: Windower
    engine: Engine
    reduce: Callable[[WindowBatch, SpanLogits], Sequence[T]]
    block_characters: int = BLOCK_CHARACTERS

    def run(self, windows: Sequence[Window], progress: Callable[[int, int], None] | None = None) -> list[T]:
        """Run some windows without threads, and return their reduced logits.

        Args:
            windows: The windows.
            progress: Called after each batch with the number of windows that were run, and of all.
        """
        found: dict[Window, T] = {}
        for batch in self._batches(windows, self.engine):
            found.update((item.window, item) for item in self.reduce(batch, self.engine.run(batch)))
            if progress is not None:
                progress(len(found), len(windows))
        return [found[window] for window in windows]

    def read(
        self,
        examples: Iterable[E | QuothError],
        *,
        live: bool = False,
        on_error: Callable[[QuothError], None] | None = None,
    ) -> Iterator[tuple[E, list[T]]]:
        """Yield each example with the reduced logits of its windows, in the order of the examples.

        If the input raises, the results of earlier examples are yielded first. To stop early, close or drop the
        iterator, which stops its threads.

        Args:
            examples: The examples; an error stands for one that cannot be read.
            live: Whether to read the input in a separate thread, and to yield all results before waiting for more of
                it; otherwise, the thread that consumes the output reads it.
            on_error: Called, in order, with the error of each example that cannot be read; ``None``: raise the first
                one, after the results of earlier examples.

        Raises:
            InputError, QuestionTooLongError, TokenizerError: If an example is invalid, without ``on_error``.
            ReaderError: If the engine fails.
        """
        found = self._live(examples) if live else self._ready(examples)
        try:
            for given, items in found:
                if not isinstance(items, QuothError):
                    yield cast("E", given), items
                elif on_error is None:
                    raise items
                else:
                    on_error(items)
        finally:
            found.close()

    def outcomes(self, examples: Iterable[E]) -> Iterator[tuple[E, list[T] | QuothError]]:
        """Yield each example with the reduced logits of its windows, or with its error, in the order of the examples.

        Raises:
            ReaderError: If the engine fails.
        """
        found = self._ready(examples)
        try:
            for given, items in found:
                yield cast("E", given), items
        finally:
            found.close()

    def _live(self, examples: Iterable[Given]) -> Generator[_Outcome[T], None, None]:
        with Pump(examples, LOOK_AHEAD, _characters, self.block_characters) as pump:
            yield from self._in_parallel(pump.blocks())

    def _ready(self, examples: Iterable[Given]) -> Generator[_Outcome[T], None, None]:
        blocks = self._blocks(examples)
        first = next(blocks, [])
        if self._is_full(len(first), sum(map(_characters, first))):
            yield from self._in_parallel(chain([first], blocks))
            return
        # It is the last one, so only its batches can run in parallel.
        block = self._cut(first)
        if block.engine is self.engine:
            yield from self._collect(_run(step) for step in _steps([block]) if step)
        else:
            yield from self._compute([block])
        next(blocks, None)  # raises the input's exception

    def _in_parallel(self, blocks: Iterable[list[Given] | None]) -> Generator[_Outcome[T], None, None]:
        cutter = ThreadPoolExecutor(1, "quoth-cutter")
        try:
            yield from self._compute(_ahead(cutter, self._cut, blocks, lambda blocks: len(blocks) > 1))
        finally:
            cutter.shutdown(cancel_futures=True)

    def _compute(self, blocks: Iterable[_Block | None]) -> Iterator[_Outcome[T]]:
        """Run the batches of blocks in a thread for each stream, and yield the outcomes of their examples."""
        streams = self.engine.streams
        enough = partial(_is_enough, batches=max(_QUEUED, 2 * streams))
        runner = ThreadPoolExecutor(streams, "quoth-engine")
        try:
            yield from self._collect(_ahead(runner, _run, _steps(blocks), enough))
        finally:
            runner.shutdown(cancel_futures=True)

    def _blocks(self, examples: Iterable[Given]) -> Iterator[list[Given]]:
        """Yield the examples in blocks; if the input raises, yield earlier examples first, and then raise."""
        block: list[Given] = []
        characters = 0
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
            characters += _characters(block[-1])
            if self._is_full(len(block), characters):
                yield block
                block, characters = [], 0
        if block:
            yield block

    def _is_full(self, examples: int, characters: int) -> bool:
        """Return True if a block of this size ends here."""
        return examples >= LOOK_AHEAD or characters >= self.block_characters

    def _cut(self, given: list[Given]) -> _Block:
        cut: list[tuple[Given, list[Window] | QuothError]] = []
        for are_examples, group in groupby(given, lambda each: isinstance(each, Example)):
            if are_examples:
                cut += self._cut_examples(cast("list[Example]", list(group)))
            else:
                cut += [(error, error) for error in cast("Iterator[QuothError]", group)]
        windows = [window for _, found in cut if not isinstance(found, QuothError) for window in found]
        engine = self._engine_for(windows)
        return _Block(cut, engine, self._batches(windows, engine))

    def _engine_for(self, windows: Sequence[Window]) -> Engine:
        """Return the engine for several batches at the same time if there are enough of them for all streams."""
        streams = self.engine.streams
        enough = max(_MANY_TOKENS, _STREAM_TOKENS * streams)
        return self.engine.parallel if streams > 1 and sum(map(len, windows)) >= enough else self.engine

    def _cut_examples(self, examples: list[Example]) -> list[tuple[Example, list[Window] | QuothError]]:
        """Return examples with their windows, or with their errors."""
        cut: list[tuple[Example, list[Window] | QuothError]] = []
        try:
            cut.extend(self.windower.outcomes(examples))
        except TokenizerError:  # caused by any of the texts, which are encoded together
            for example in examples[len(cut) :]:
                try:
                    cut.append((example, self.windower.windows(example)))
                except (InputError, TokenizerError) as error:
                    cut.append((example, error))
        return cut

    def _collect(self, steps: Iterable[_Step | None]) -> Iterator[_Outcome[T]]:
        """Reduce batches as they arrive, and yield a block's examples when all its batches are done."""
        found: dict[Window, T] = {}
        for step in filter(None, steps):
            if step.batch is not None and step.logits is not None:
                found.update((item.window, item) for item in self.reduce(step.batch, step.logits))
                continue
            for given, windows in step.block.examples:
                if isinstance(windows, QuothError):
                    yield given, windows
                else:
                    yield given, [found.pop(window) for window in windows]

    def _batches(self, windows: Sequence[Window], engine: Engine) -> Iterator[WindowBatch]:
        windower = self.windower
        return batches_of(windows, engine.batch_tokens, windower.tokenizer.pad_id, limit=windower.max_tokens)


def _characters(given: Given) -> int:
    return sum(map(len, given.contexts)) if isinstance(given, Example) else 0


def _steps(blocks: Iterable[_Block | None]) -> Iterator[_Step | None]:
    for block in blocks:
        if block is None:
            yield None
            continue
        yield from (_Step(block, batch) for batch in block.batches)
        yield _Step(block, None)


def _run(step: _Step) -> _Step:
    return step if step.batch is None else step._replace(logits=step.block.engine.run(step.batch))


def _is_enough(steps: Sequence[_Step], batches: int) -> bool:
    """Return True if enough steps are queued: more than this many batches, or steps of the next block."""
    return len(steps) > batches or sum(step.batch is None for step in steps) > 1


def _ahead(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], R],
    items: Iterable[Item | None],
    is_enough: Callable[[Sequence[Item]], bool],
) -> Iterator[R | None]:
    """Yield the result of each item, in order, while later items are processed.

    If the iterator of items raises, the results of earlier items are yielded first.

    Args:
        pool: The thread pool.
        work: The function to apply to each item.
        items: The items; they are read in the caller's thread. ``None`` means that the next item is not ready: all
            results are yielded first, and then ``None``.
        is_enough: Returns True if enough items are queued.
    """
    queued: deque[tuple[Item, Future[R]]] = deque()

    def first() -> R:
        return queued.popleft()[1].result()

    each = iter(items)
    while True:
        try:
            item = next(each)
        except StopIteration:
            break
        except Exception:
            while queued:
                yield first()
            raise
        if item is None:
            while queued:
                yield first()
            yield None
            continue
        queued.append((item, pool.submit(work, item)))
        while is_enough([item for item, _ in queued]):
            yield first()
    while queued:
        yield first()
