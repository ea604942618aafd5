"""From a question to its answers: cut into windows, through the batcher, and decoded; long work is off the event loop.

What is answered is what ``Reader.answer`` answers, to the bit, with an engine for which a window's logits do not depend
on its batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import TypeVar

from quoth.errors import QuothError
from quoth.inputs import wrong_question
from quoth.reader import Reader
from quoth.reading import DecodeSettings, Explanation, Tokenizer, WholeWindow, Window, Windower, decode, explain
from quoth.records import Example, Prediction
from quoth.serve.errors import ApiError, of_quoth, overloaded
from quoth.serve.queue.batcher import Batcher, Job, OverloadedError
from quoth.serve.settings import ServeSettings
from quoth.serve.texts import Text

T = TypeVar("T")

# Threads that cut and decode. The tokenizer and numpy let others run meanwhile, so a long text holds up no short one.
_THREADS = 4
# Threads that wait for a file's parser, each a process that may take a gigabyte. A thread is taken until its parser
# ends, even where the client has left, so that there are never more parsers than these, and the threads above are free.
_FILES_AT_ONCE = 2
# A window of about this many words warms the engine up.
_WARM_WORDS = 100


@dataclass(frozen=True, slots=True)
class Query:
    """One question and the texts that are to answer it.

    Attributes:
        question: The question.
        texts: The texts.
        where: Which part of the request it came from, for errors.
        id: What the client calls it, if anything.
        error: What is wrong with it already; then it is not asked.
    """

    question: str
    texts: tuple[Text, ...]
    where: str = "body"
    id: str | None = None
    error: ApiError | None = None


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
    """Where the time of a request went, in seconds."""

    queue: float
    compute: float
    total: float


@dataclass(frozen=True, slots=True)
class Cut:
    """A query cut into windows.

    Attributes:
        query: The query.
        example: Its question and contexts.
        windows: All its windows, in their order.
        error: Why it could not be cut; then it has no windows.
    """

    query: Query
    example: Example
    windows: tuple[Window, ...] = ()
    error: ApiError | None = None


class Desk:
    """Takes questions for one reader."""

    def __init__(self, reader: Reader, batcher: Batcher, settings: ServeSettings) -> None:
        """Put it together; the batcher must be run by somebody else."""
        self.reader = reader
        self._batcher = batcher
        self._settings = settings
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="desk")
        self._parsers = ThreadPoolExecutor(_FILES_AT_ONCE, thread_name_prefix="parser")

    async def warm_up(self) -> None:
        """Answer one question, so that all is loaded; and let the batcher judge the engine's speed."""
        text = Text.of("word " * _WARM_WORDS)
        cut = await self.apart(partial(cut_one, self.reader.windower, Query("word?", (text,))))
        await self._batcher.warm_up(cut.windows[0])

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(cancel_futures=True)
        self._parsers.shutdown(cancel_futures=True)

    async def ask(
        self, queries: Sequence[Query], settings: DecodeSettings, windower: Windower | None = None
    ) -> tuple[list[Reply], Times]:
        """Answer queries together, as one job; the reply to one that cannot be read is its error.

        Args:
            queries: The queries.
            settings: How answers are chosen.
            windower: Cuts them; the reader's if ``None``.

        Raises:
            ApiError: If there is no room or no time for them.
        """
        return await self._through(queries, windower or self.reader.windower, partial(_decode_all, settings))

    async def explain(self, query: Query, settings: DecodeSettings) -> tuple[Explanation, Times]:
        """Answer one query, and tell how.

        Raises:
            ApiError: As :meth:`ask` does, and if the question cannot be read.
        """
        finish = partial(_explain, settings, self.reader.tokenizer)
        return await self._through([query], self.reader.windower, finish)

    async def _through(
        self, queries: Sequence[Query], windower: Windower, finish: Callable[[list[Cut], list[WholeWindow]], T]
    ) -> tuple[T, Times]:
        """Take queries all the way, within the deadline."""
        began = time.perf_counter()
        # Where no room is for a single token more, nothing need be cut to know it.
        self._make_room()
        deadline = asyncio.get_running_loop().time() + self._settings.deadline_s
        try:
            async with asyncio.timeout_at(deadline):
                cuts = await self._cut(queries, windower)
                job = await self._read([window for cut in cuts for window in cut.windows], deadline)
                found = await self.apart(partial(finish, cuts, job.done.result() if job else []))
        except TimeoutError:
            raise self._too_late() from None
        queue = job.started - job.arrived if job else 0.0
        compute = job.finished - job.started if job else 0.0
        return found, Times(queue, compute, time.perf_counter() - began)

    async def apart(self, work: Callable[[], T]) -> T:
        """Do some work off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def parse(self, work: Callable[[], T]) -> T:
        """Read a file off the event loop; few are read at once."""
        return await asyncio.get_running_loop().run_in_executor(self._parsers, work)

    async def _cut(self, queries: Sequence[Query], windower: Windower) -> list[Cut]:
        # A thread cannot be cancelled; it looks now and then whether anybody still waits.
        left = Event()
        try:
            return await self.apart(partial(cut_all, windower, queries, self._settings.queue_tokens, left))
        finally:
            left.set()

    def _make_room(self) -> None:
        try:
            self._batcher.make_room(1)
        except OverloadedError as full:
            raise _full(full) from None

    async def _read(self, windows: list[Window], deadline: float) -> Job | None:
        if not windows:
            return None
        try:
            job = self._batcher.submit(windows, deadline)
        except OverloadedError as full:
            raise _full(full) from None
        # A job that is cancelled, as by the client's leaving, is dropped by the batcher.
        await job.done
        return job

    def _too_late(self) -> ApiError:
        return ApiError(
            504, "deadline_s_limit", f"the answer must be there within {self._settings.deadline_s:g} s, but is not",
            "Ask about less text at once, or start the server with a higher --deadline-s.",
        )  # fmt: skip


def _full(full: OverloadedError) -> ApiError:
    return overloaded("the queue must have room for the request, but is full", full.retry_s)


def cut_one(windower: Windower, query: Query) -> Cut:
    """Cut one query; an error is that of its question."""
    example = Example(query.id or "", query.question, [text.text for text in query.texts])
    where = f"{query.where}.question"
    if query.error:
        return Cut(query, example, error=query.error)
    if wrong := wrong_question(query.question):
        error = ApiError(422, "question_empty", f"the question {wrong}", "Ask a question.", where)
        return Cut(query, example, error=error)
    try:
        return Cut(query, example, tuple(windower.windows(example)))
    except QuothError as problem:
        return Cut(query, example, error=of_quoth(problem, where))


def cut_all(windower: Windower, queries: Sequence[Query], most_tokens: int, left: Event) -> list[Cut]:
    """Cut queries; stop where nobody waits for them any more.

    Raises:
        ApiError: If they have more tokens than the queue may ever hold.
    """
    cuts: list[Cut] = []
    tokens = 0
    for query in queries:
        if left.is_set():
            break
        cuts.append(cut_one(windower, query))
        tokens += sum(map(len, cuts[-1].windows))
        if tokens > most_tokens:
            raise ApiError(
                413, "queue_tokens_limit",
                f"a request must make at most {most_tokens:,} tokens, all windows together, but makes more",
                "Ask about less text, or fewer questions, at once.", query.where,
            )  # fmt: skip
    return cuts


def _decode_all(settings: DecodeSettings, cuts: Sequence[Cut], read: Sequence[WholeWindow]) -> list[Reply]:
    logits = {item.window: item.logits for item in read}
    return [
        Reply(cut.query, cut.error or decode(cut.example, [logits[window] for window in cut.windows], settings))
        for cut in cuts
    ]


def _explain(
    settings: DecodeSettings, tokenizer: Tokenizer, cuts: Sequence[Cut], read: Sequence[WholeWindow]
) -> Explanation:
    (cut,) = cuts
    if cut.error:
        raise cut.error
    return explain(cut.example, read, settings, tokenizer)
