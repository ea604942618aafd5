"""Answers questions: windows, batcher, decoding. Long work runs in threads, off the event loop.

Results are bit-identical to ``Reader.answer`` with engines for which the logits of a window do not depend on its batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import BinaryIO, TypeVar

from quoth.documents import Document, DocumentLimits, read_document
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
from quoth.serve.queue.queries import Build, Cut, Query, cut_all, cut_one
from quoth.serve.queue.requests import OverloadedError, QueuedRequest
from quoth.serve.settings import ServeSettings
from quoth.serve.texts import Text

T = TypeVar("T")
R = TypeVar("R")

# Threads for tokenization and decoding, and others for texts that are longer than so many characters together.
_THREADS = 4
_LONG_THREADS = 2
_LONG = 50_000
# Threads that wait for parser processes, each of which may use a gigabyte. A thread is occupied until its parser ends,
# even if the client has disconnected. This limits the number of parsers, and keeps the threads above free.
_FILES_AT_ONCE = 2
# Number of words in the window that warms the engine up.
_WARM_WORDS = 100


@dataclass(frozen=True, slots=True)
class Reply:
    """A query with what came of it.

    Attributes:
        query: The query.
        found: Its answers, or why there are none.
    """

    query: Query
    found: Prediction | ApiError


@dataclass(frozen=True, slots=True)
class Times:
    """Timing of a request, in seconds."""

    queue: float
    compute: float
    total: float


class Desk:
    """Answers questions with one reader, through the batcher.

    Attributes:
        asking: Number of requests that are being answered.
    """

    def __init__(
        self,
        reader: Reader,
        batcher: Batcher,
        settings: ServeSettings,
        waited: Callable[[float], None] = lambda seconds: None,
        span: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext(),
    ) -> None:
        """Create the desk. The caller must run the batcher.

        Args:
            reader: The reader.
            batcher: The batcher of its engine.
            settings: The limits.
            waited: Called with each time in the queue, in seconds.
            span: Records a part of a request, by its name.
        """
        self._span = span
        self._waited = waited
        self.asking = 0
        self.reader = reader
        self._batcher = batcher
        self._settings = settings
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="desk")
        self._long_pool = ThreadPoolExecutor(_LONG_THREADS, thread_name_prefix="desk-long")
        self._parsers = ThreadPoolExecutor(_FILES_AT_ONCE, thread_name_prefix="parser")

    async def warm_up(self) -> None:
        """Answer one question, so that everything is loaded, and let the batcher measure the engine's speed."""
        text = Text.of("word " * _WARM_WORDS)
        cut = await self.apart(partial(cut_one, self.reader.windower, Query("word?", (text,))))
        await self._batcher.warm_up(cut.windows[0])

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(cancel_futures=True)
        self._long_pool.shutdown(cancel_futures=True)
        self._parsers.shutdown(cancel_futures=True)

    async def ask(
        self, build: Build, settings: DecodeSettings, render: Callable[[list[Reply], Times], R],
        windower: Windower | None = None,
    ) -> R:  # fmt: skip
        """Answer queries together; the reply to one that cannot be read is its error.

        Args:
            build: Returns the queries; called in a thread.
            settings: The decoding settings.
            render: Makes the result of the replies; called in a thread.
            windower: The windower; the reader's own if ``None``.

        Raises:
            ApiError: If the queue is full, or the deadline is exceeded; and what ``build`` and ``render`` raise.
        """
        return await self._through(build, windower or self.reader.windower, partial(_decode_all, settings), render)

    async def explain(
        self, build: Build, settings: DecodeSettings, render: Callable[[tuple[Query, Explanation], Times], R]
    ) -> R:
        """Answer and explain one query; arguments as for :meth:`ask`.

        Raises:
            ApiError: As for :meth:`ask`, and if the query is invalid.
        """
        finish = partial(_explain, settings, self.reader.tokenizer)
        return await self._through(build, self.reader.windower, finish, render)

    async def decoded(
        self, query: Query, choose: Callable[[Example, list[WindowLogits]], Prediction]
    ) -> tuple[Prediction, Times]:
        """Read one query, and let the caller choose its answers from the logits of all its windows.

        Raises:
            ApiError: As for :meth:`ask`, and if the query is invalid.
        """
        finish = partial(_choose_one, choose)
        return await self._through(lambda: [query], self.reader.windower, finish, lambda found, times: (found, times))

    async def _through(
        self,
        build: Build,
        windower: Windower,
        finish: Callable[[list[Cut], list[WholeWindow]], T],
        render: Callable[[T, Times], R],
    ) -> R:
        """Process queries from text to response, within the deadline."""
        began = time.perf_counter()
        # If the queue is full, reject the request before creating windows.
        self._check_capacity()
        async with self._limited() as deadline:
            with self._span("split"):
                cuts, is_long = await self._cut(build, windower)
            with self._span("read"):
                queued = await self._read([window for cut in cuts for window in cut.windows], deadline)
            if queued:
                self._waited(queued.started - queued.arrived)

            def last() -> R:
                found = finish(cuts, queued.done.result() if queued else [])
                queue = queued.started - queued.arrived if queued else 0.0
                compute = queued.finished - queued.started if queued else 0.0
                return render(found, Times(queue, compute, time.perf_counter() - began))

            with self._span("decode"):
                return await self.apart(last, is_long=is_long)

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[float]:
        """Count a request while it is being answered, and end it at its deadline, in the time of the event loop."""
        deadline = asyncio.get_running_loop().time() + self._settings.deadline_s
        self.asking += 1
        try:
            async with asyncio.timeout_at(deadline):
                yield deadline
        except TimeoutError:
            raise ApiError(
                504, "deadline_s_limit", f"the request exceeded the deadline of {self._settings.deadline_s:g} s",
                "Send less text at once, or ask the operator of this server to raise its limit (deadline_s).",
            ) from None  # fmt: skip
        finally:
            self.asking -= 1

    async def apart(self, work: Callable[[], T], *, is_long: bool = False) -> T:
        """Run a function in a thread; long ones run apart from the others."""
        pool = self._long_pool if is_long else self._pool
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    async def within_deadline(self, work: Callable[[], T]) -> T:
        """Run a long function in one of the few threads for files, within the deadline.

        Raises:
            ApiError: If it takes too long; the thread is not interrupted.
        """
        async with self._limited():
            return await asyncio.get_running_loop().run_in_executor(self._parsers, work)

    async def parse(self, file: BinaryIO, name: str, limits: DocumentLimits) -> Document:
        """Read an uploaded file within the deadline; few are read at the same time, and only these are in memory.

        Raises:
            ApiError: If it takes too long, with the time until a parser was free. Its parser is stopped then.
            DocumentError: If it cannot be read.
        """
        deadline = time.monotonic() + self._settings.deadline_s

        def work() -> Document:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            return read_document(file.read(), name, replace(limits, seconds=min(limits.seconds, left)))

        return await self.within_deadline(work)

    async def _cut(self, build: Build, windower: Windower) -> tuple[list[Cut], bool]:
        """Return the queries with their windows, and whether they are long."""
        # A thread cannot be cancelled, so it checks regularly whether the request was cancelled.
        left = Event()
        cut = partial(cut_all, windower, most_tokens=self._settings.queue_tokens, left=left)

        def short() -> tuple[list[Cut] | None, list[Query]]:
            queries = list(build())
            is_long = sum(len(text.text) for query in queries for text in query.texts) > _LONG
            return (None if is_long else cut(queries)), queries

        try:
            cuts, queries = await self.apart(short)
            if cuts is not None:
                return cuts, False
            return await self.apart(partial(cut, queries), is_long=True), True
        finally:
            left.set()

    def _check_capacity(self) -> None:
        try:
            self._batcher.check_capacity(1)
        except OverloadedError as full:
            raise _full(full) from None

    async def _read(self, windows: list[Window], deadline: float) -> QueuedRequest | None:
        if not windows:
            return None
        try:
            queued = self._batcher.submit(windows, deadline)
        except OverloadedError as full:
            raise _full(full) from None
        # The batcher drops cancelled requests, such as those of disconnected clients.
        await queued.done
        return queued


def _full(full: OverloadedError) -> ApiError:
    return overloaded("the queue is full", full.retry_s, "queue")


def _decode_all(settings: DecodeSettings, cuts: Sequence[Cut], read: Sequence[WholeWindow]) -> list[Reply]:
    logits = {item.window: item.logits for item in read}
    return [
        Reply(cut.query, cut.error or decode(cut.example, [logits[window] for window in cut.windows], settings))
        for cut in cuts
    ]


def _choose_one(
    choose: Callable[[Example, list[WindowLogits]], Prediction], cuts: Sequence[Cut], read: Sequence[WholeWindow]
) -> Prediction:
    (cut,) = cuts
    if cut.error:
        raise cut.error
    logits = {item.window: item.logits for item in read}
    return choose(cut.example, [logits[window] for window in cut.windows])


def _explain(
    settings: DecodeSettings, tokenizer: Tokenizer, cuts: Sequence[Cut], read: Sequence[WholeWindow]
) -> tuple[Query, Explanation]:
    (cut,) = cuts
    if cut.error:
        raise cut.error
    return cut.query, explain(cut.example, read, settings, tokenizer)
