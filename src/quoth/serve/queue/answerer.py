"""Answers questions: splits texts into windows, reads them through the batcher, and decodes the answers.

Long work runs in threads, to keep the event loop free. Results are bit-identical to those of ``Reader.answer`` if the
engine computes the same logits for a window in any batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import BinaryIO, TypeVar

from quoth.documents import Document, DocumentLimits, Stop, read_document
from quoth.reader import Reader
from quoth.reading import (
    DecodeSettings,
    Explanation,
    Tokenizer,
    WholeWindow,
    Window,
    Windower,
    WindowLogits,
    decode,
    explain,
)
from quoth.records import Example, Prediction
from quoth.serve.errors import ApiError, overloaded
from quoth.serve.queue.batcher import Batcher
from quoth.serve.queue.queries import BuildQueries, Query, SplitQuery, split_queries, split_query
from quoth.serve.queue.requests import OverloadedError, QueuedRequest
from quoth.serve.settings import ServeSettings
from quoth.serve.texts import Text

T = TypeVar("T")
R = TypeVar("R")

# Threads for tokenization and decoding, and separate ones for requests with more characters than _LONG_CHARACTERS.
_THREADS = 4
_LONG_THREADS = 2
_LONG_CHARACTERS = 50_000
# Threads that wait for parser processes, each of which may use a gigabyte. This limits the number of parsers, and
# leaves the other threads free.
_PARSER_THREADS = 2
# Threads that compare quotes with texts.
_VERIFIER_THREADS = 2
# Number of words in the window with which the engine is warmed up.
_WARM_UP_WORDS = 100


@dataclass(frozen=True, slots=True)
class Reply:
    """A query with its result.

    Attributes:
        query: The query.
        found: Its answers, or the error.
    """

    query: Query
    found: Prediction | ApiError


@dataclass(frozen=True, slots=True)
class Times:
    """Timing of a request, in seconds."""

    queue: float
    compute: float
    total: float


class Answerer:
    """Answers questions with one reader, through the batcher.

    Attributes:
        active: Number of requests and functions in threads for which somebody waits. While it is not 0, the answerer
            must not be closed.
    """

    def __init__(
        self,
        reader: Reader,
        batcher: Batcher,
        settings: ServeSettings,
        waited: Callable[[float], None] = lambda seconds: None,
        span: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext(),
    ) -> None:
        """Create the answerer. The caller must run the batcher.

        Args:
            reader: The reader.
            batcher: The batcher of its engine.
            settings: The limits.
            waited: Called with the time of each request in the queue, in seconds.
            span: Returns a context manager that traces a named part of a request.
        """
        self._span = span
        self._waited = waited
        self.active = 0
        self.reader = reader
        self._batcher = batcher
        self._settings = settings
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="answer")
        self._long_pool = ThreadPoolExecutor(_LONG_THREADS, thread_name_prefix="answer-long")
        self._parsers = ThreadPoolExecutor(_PARSER_THREADS, thread_name_prefix="parser")
        self._verifiers = ThreadPoolExecutor(_VERIFIER_THREADS, thread_name_prefix="verifier")

    async def warm_up(self) -> None:
        """Answer one question, to load everything, and let the batcher measure the engine's speed."""
        text = Text.of("word " * _WARM_UP_WORDS)
        split = await self.in_thread(partial(split_query, self.reader.windower, Query("word?", (text,))))
        await self._batcher.warm_up(split.windows[0])

    def close(self) -> None:
        """Stop the threads. Blocks until their current work is finished."""
        self._pool.shutdown(cancel_futures=True)
        self._long_pool.shutdown(cancel_futures=True)
        self._parsers.shutdown(cancel_futures=True)
        self._verifiers.shutdown(cancel_futures=True)

    async def ask(
        self, build: BuildQueries, settings: DecodeSettings, render: Callable[[list[Reply], Times], R],
        windower: Windower | None = None,
    ) -> R:  # fmt: skip
        """Answer queries together. The reply to an invalid query is its error.

        Args:
            build: Returns the queries; called in a thread.
            settings: The decoding settings.
            render: Converts the replies to the result; called in a thread.
            windower: The windower; the reader's own if ``None``.

        Raises:
            ApiError: If the queue is full, the deadline is exceeded, or ``build`` or ``render`` raises it.
        """
        return await self._process(build, windower or self.reader.windower, partial(_decode_all, settings), render)

    async def explain(
        self, build: BuildQueries, settings: DecodeSettings, render: Callable[[tuple[Query, Explanation], Times], R]
    ) -> R:
        """Answer and explain one query; arguments as for :meth:`ask`.

        Raises:
            ApiError: As for :meth:`ask`, and if the query is invalid.
        """
        finish = partial(_explain, settings, self.reader.tokenizer)
        return await self._process(build, self.reader.windower, finish, render)

    async def ask_with(
        self, query: Query, choose: Callable[[Example, list[WindowLogits]], Prediction]
    ) -> tuple[Prediction, Times]:
        """Read one query, and choose its answers with a function of the caller.

        Args:
            query: The query.
            choose: Returns the prediction from the example and the logits of all its windows; called in a thread.

        Raises:
            ApiError: As for :meth:`ask`, and if the query is invalid.
        """
        finish = partial(_choose_one, choose)
        return await self._process(lambda: [query], self.reader.windower, finish, lambda found, times: (found, times))

    async def _process(
        self,
        build: BuildQueries,
        windower: Windower,
        finish: Callable[[list[SplitQuery], list[WholeWindow]], T],
        render: Callable[[T, Times], R],
    ) -> R:
        """Process queries from text to response, within the deadline."""
        began = time.perf_counter()
        # If the queue is full, reject the request before creating windows.
        self._check_capacity()
        async with self._with_deadline() as deadline:
            with self._span("split"):
                splits, is_long = await self._split(build, windower)
            with self._span("read"):
                queued = await self._read([window for split in splits for window in split.windows], deadline)
            if queued:
                self._waited(queued.started - queued.arrived)

            def finish_and_render() -> R:
                found = finish(splits, queued.done.result() if queued else [])
                queue = queued.started - queued.arrived if queued else 0.0
                compute = queued.finished - queued.started if queued else 0.0
                return render(found, Times(queue, compute, time.perf_counter() - began))

            with self._span("decode"):
                return await self.in_thread(finish_and_render, is_long=is_long)

    @asynccontextmanager
    async def _with_deadline(self) -> AsyncIterator[float]:
        """Count a request while it is being answered, and end it at its deadline; yield that in event-loop time."""
        deadline = asyncio.get_running_loop().time() + self._settings.deadline_s
        try:
            with self._counted():
                async with asyncio.timeout_at(deadline):
                    yield deadline
        except TimeoutError:
            raise ApiError(
                504, "deadline_s_limit", f"the request exceeded the deadline of {self._settings.deadline_s:g} s",
                "Send less text at once, or ask the operator of this server to raise its limit (deadline_s).",
            ) from None  # fmt: skip

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1

    async def in_thread(self, work: Callable[[], T], *, is_long: bool = False) -> T:
        """Run a function in a thread. Long functions have separate threads."""
        pool = self._long_pool if is_long else self._pool
        with self._counted():
            return await asyncio.get_running_loop().run_in_executor(pool, work)

    async def within_deadline(self, work: Callable[[], T]) -> T:
        """Run a function that reads files in one of the threads for parsers, within the deadline.

        If it takes too long, or the client leaves, the parser process for which the thread waits is stopped.

        Raises:
            ApiError: If the deadline is exceeded.
        """
        return await self._stoppable(self._parsers, lambda stop: work())

    async def verify(self, work: Callable[[Stop], T]) -> T:
        """Run a function that compares quotes in one of the threads for that, within the deadline.

        Args:
            work: Should end soon when its argument is set, because then nobody waits for the result.

        Raises:
            ApiError: If the deadline is exceeded.
        """
        return await self._stoppable(self._verifiers, work)

    async def _stoppable(self, pool: ThreadPoolExecutor, work: Callable[[Stop], T]) -> T:
        stop = Stop()

        def stoppable() -> T:
            with stop.applies():
                return work(stop)

        async with self._with_deadline():
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, stoppable)
            finally:
                stop.set()

    async def parse(self, file: BinaryIO, name: str, limits: DocumentLimits) -> Document:
        """Read an uploaded file within the deadline. A limited number of files is read, and in memory, at a time.

        Raises:
            ApiError: If the deadline is exceeded, including the wait for a parser. The parser is stopped then.
            DocumentError: If the file cannot be read.
        """
        deadline = time.monotonic() + self._settings.deadline_s

        def work() -> Document:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            return read_document(file.read(), name, replace(limits, seconds=min(limits.seconds, remaining)))

        return await self.within_deadline(work)

    async def _split(self, build: BuildQueries, windower: Windower) -> tuple[list[SplitQuery], bool]:
        """Return the queries with their windows, and whether they are long."""
        # A thread cannot be cancelled, so it checks this event regularly.
        cancelled = Event()
        split = partial(split_queries, windower, max_tokens=self._settings.queue_tokens, cancelled=cancelled)

        def build_and_split_short() -> tuple[list[SplitQuery] | None, list[Query]]:
            queries = list(build())
            is_long = sum(len(text.text) for query in queries for text in query.texts) > _LONG_CHARACTERS
            return (None if is_long else split(queries)), queries

        try:
            splits, queries = await self.in_thread(build_and_split_short)
            if splits is not None:
                return splits, False
            return await self.in_thread(partial(split, queries), is_long=True), True
        finally:
            cancelled.set()

    def _check_capacity(self) -> None:
        try:
            self._batcher.check_capacity(1)
        except OverloadedError as error:
            raise _queue_full(error) from None

    async def _read(self, windows: list[Window], deadline: float) -> QueuedRequest | None:
        if not windows:
            return None
        try:
            queued = self._batcher.submit(windows, deadline)
        except OverloadedError as error:
            raise _queue_full(error) from None
        # The batcher drops cancelled requests, such as those of disconnected clients.
        await queued.done
        return queued


def _queue_full(error: OverloadedError) -> ApiError:
    return overloaded("the queue is full", error.retry_s, "queue")


def _decode_all(settings: DecodeSettings, splits: Sequence[SplitQuery], read: Sequence[WholeWindow]) -> list[Reply]:
    logits = {item.window: item.logits for item in read}
    return [
        Reply(split.query, split.error or decode(split.example, [logits[window] for window in split.windows], settings))
        for split in splits
    ]


def _choose_one(
    choose: Callable[[Example, list[WindowLogits]], Prediction],
    splits: Sequence[SplitQuery],
    read: Sequence[WholeWindow],
) -> Prediction:
    (split,) = splits
    if split.error:
        raise split.error
    logits = {item.window: item.logits for item in read}
    return choose(split.example, [logits[window] for window in split.windows])


def _explain(
    settings: DecodeSettings, tokenizer: Tokenizer, splits: Sequence[SplitQuery], read: Sequence[WholeWindow]
) -> tuple[Query, Explanation]:
    (split,) = splits
    if split.error:
        raise split.error
    return split.query, explain(split.example, read, settings, tokenizer)
