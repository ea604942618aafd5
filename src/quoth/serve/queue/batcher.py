"""The heart of the server: windows of many requests meet in one bounded queue and go to the engine together.

All of it runs on the event loop, so nothing is locked; only the engine runs elsewhere, on a thread of its own, one
batch at a time. A batch is formed when the engine is free:

- a job whose turn it is gives the first window; its turn then comes after all the others', so that a job of hundreds of
  windows and a job of one get a batch each, one after the other;
- windows of like length join it, from as many jobs as there are, one each a round, up to the budget of tokens;
- a job that has waited half of its time goes before the turns, the most urgent first.

The queue takes no more than the engine has lately done in a quarter of a deadline. A job that is taken in is in time,
however many come after it and even if the machine gets slower, and a job that would not be is refused at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, count, repeat

from quoth.engines import Engine
from quoth.reading import WholeWindow, Window, WindowBatch, padded_length, unbatch_whole

# Windows are alike if the shorter is at least so much of the longer: the rest would be padding.
_LIKE = 0.75
# The speed is that of the last batches, the newest weighing so much.
_NEWEST = 0.2
# The queue takes what the engine does in so much of a deadline.
_QUEUED = 0.25
# Batches of full size that the speed is first judged by.
_WARM_UP = 3

Observer = Callable[[int, int, float], None]


class OverloadedError(Exception):
    """The queue has no room for a job.

    Attributes:
        retry_s: Seconds after which it is likely to have.
    """

    def __init__(self, retry_s: float) -> None:
        super().__init__(f"the queue is full for {retry_s:.0f} seconds")
        self.retry_s = retry_s


@dataclass(slots=True, eq=False)
class Job:
    """The windows of one request, on their way through the engine.

    Attributes:
        windows: The windows.
        deadline: When it is too late, as the event loop's clock counts.
        urgent: When it goes before the turns.
        turn: The least is the next.
        done: Resolved with all logits, in the order of the windows, or with ``TimeoutError`` if the deadline passes
            first; whoever cancels it takes the job back.
        arrived, started, finished: When it was queued, when its first window went in, when its last came out; in
            seconds of ``time.perf_counter``.
    """

    windows: Sequence[Window]
    deadline: float
    urgent: float
    turn: int
    done: asyncio.Future[list[WholeWindow]]
    arrived: float
    started: float = 0.0
    finished: float = 0.0
    waiting: deque[int] = field(default_factory=deque)
    logits: dict[int, WholeWindow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Those of like length one after the other.
        self.waiting.extend(sorted(range(len(self.windows)), key=lambda index: -len(self.windows[index])))

    @property
    def next_length(self) -> int:
        """Length of the window that is its next."""
        return len(self.windows[self.waiting[0]])


class Batcher:
    """Runs one engine for many.

    Attributes:
        tokens: How many tokens wait.
        rate: Tokens a second of the last batches.
    """

    def __init__(
        self, engine: Engine, pad_id: int, *, batch_tokens: int, queue_tokens: int, deadline_s: float,
        longest: int | None = None, observe: Observer = lambda windows, tokens, seconds: None,
    ) -> None:  # fmt: skip
        """Set the bounds.

        Args:
            engine: What runs the network.
            pad_id: Id that fills a batch.
            longest: The longest window of the reader, as :meth:`WindowBatch.of` takes its limit.
            batch_tokens: Most tokens of one engine call, padding included; a longer window goes alone.
            queue_tokens: Most tokens that wait.
            deadline_s: How long a job may take, in seconds.
            observe: Told of each batch: its windows, its tokens without padding, its seconds.
        """
        self.tokens = 0
        self.rate = float(batch_tokens)
        self._engine = engine
        self._pad_id = pad_id
        self._longest = longest
        self._batch_tokens = batch_tokens
        self._queue_tokens = queue_tokens
        self._deadline_s = deadline_s
        self._observe = observe
        self._jobs: list[Job] = []
        self._turns = count()
        self._arrival = asyncio.Event()
        # When the last batch came out, and whether others waited when it went in.
        self._ended = 0.0
        self._is_busy = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")

    async def warm_up(self, window: Window) -> None:
        """Run some batches of one window, so that the first request is as fast as the next and the speed is known."""
        rows = max(1, self._batch_tokens // padded_length(len(window), self._longest))
        loop = asyncio.get_running_loop()
        for _ in range(_WARM_UP):
            before = time.perf_counter()
            await loop.run_in_executor(self._thread, self._compute, [window] * rows)
            self.rate = rows * len(window) / (time.perf_counter() - before)

    def submit(self, windows: Sequence[Window], deadline: float) -> Job:
        """Queue a job.

        Args:
            windows: Its windows, one at least.
            deadline: When it is too late, as the event loop's clock counts.

        Raises:
            OverloadedError: If the queue has no room for it.
        """
        loop = asyncio.get_running_loop()
        tokens = sum(map(len, windows))
        self.make_room(tokens)
        urgent = deadline - self._deadline_s / 2
        job = Job(windows, deadline, urgent, next(self._turns), loop.create_future(), time.perf_counter())
        self._jobs.append(job)
        self.tokens += tokens
        self._arrival.set()
        return job

    def make_room(self, tokens: int) -> None:
        """Make sure that so many tokens may join those that wait; alone, any number may.

        Raises:
            OverloadedError: If there is no room.
        """
        self._drop(asyncio.get_running_loop().time())
        if self._jobs and self.tokens + tokens > self.capacity:
            raise OverloadedError(self.tokens / self.rate)

    @property
    def capacity(self) -> float:
        """Most tokens that may wait now: what the engine does in time, if that is less than the bound."""
        return min(self._queue_tokens, self.rate * self._deadline_s * _QUEUED)

    @property
    def jobs(self) -> int:
        """How many jobs have windows that wait."""
        return len(self._jobs)

    async def run(self) -> None:
        """Run batches until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._arrival.wait()
            batch = self.next_batch(loop.time())
            if batch:
                await self._run_batch(batch)
            else:
                self._arrival.clear()

    def close(self) -> None:
        """Let the engine's thread end."""
        self._thread.shutdown()

    def next_batch(self, now: float) -> list[tuple[Job, int]]:
        """Take the windows of the next batch out of the queue: jobs, and indices of their windows."""
        self._drop(now)
        if not self._jobs:
            return []
        # False sorts before True: urgent jobs first, by deadline.
        line = sorted(self._jobs, key=lambda job: (now < job.urgent, job.turn if now < job.urgent else job.deadline))
        batch = _Draft(self._batch_tokens, self._longest)
        batch.take(line[0])
        first = batch.longest
        # A round takes one window of each job; in the first, that of the first job is taken already.
        for jobs in chain([line[1:]], repeat(line)):
            ready = sorted((job for job in jobs if job.waiting), key=lambda job: abs(job.next_length - first))
            if not sum(map(batch.take, ready)) and jobs is line:
                break
        for job in {id(job): job for job, _ in batch.rows}.values():
            job.turn = next(self._turns)
            job.started = job.started or time.perf_counter()
        self.tokens -= sum(len(job.windows[index]) for job, index in batch.rows)
        self._jobs = [job for job in self._jobs if job.waiting]
        return batch.rows

    def _drop(self, now: float) -> None:
        """Forget jobs that nobody waits for any more, or not in time."""
        kept = []
        for job in self._jobs:
            if job.done.done() or job.deadline <= now:
                self.tokens -= sum(len(job.windows[index]) for index in job.waiting)
                # Whoever still waits learns that it is too late; a cancelled wait would look like something broken.
                if not job.done.done():
                    job.done.set_exception(TimeoutError())
            else:
                kept.append(job)
        self._jobs = kept

    async def _run_batch(self, batch: list[tuple[Job, int]]) -> None:
        before = time.perf_counter()
        # Where there was always something to do, what lay between two batches is part of how long the next one takes.
        since = self._ended if self._is_busy else before
        self._is_busy = bool(self._jobs)
        windows = [job.windows[index] for job, index in batch]
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._compute, windows)
        await asyncio.wait([running])
        error = running.exception()
        if error is not None:
            for job, _ in batch:
                if not job.done.done():
                    job.done.set_exception(error)
            return
        now = self._ended = time.perf_counter()
        tokens = sum(map(len, windows))
        self.rate += _NEWEST * (tokens / max(now - since, 1e-6) - self.rate)
        self._observe(len(batch), tokens, now - before)
        for (job, index), logits in zip(batch, running.result(), strict=True):
            job.logits[index] = logits
            if len(job.logits) == len(job.windows) and not job.done.done():
                job.finished = now
                job.done.set_result([job.logits[number] for number in range(len(job.windows))])

    def _compute(self, windows: list[Window]) -> list[WholeWindow]:
        batch = WindowBatch.of(windows, self._pad_id, limit=self._longest)
        return unbatch_whole(batch, self._engine.run(batch))


class _Draft:
    """A batch that is being put together."""

    def __init__(self, budget: int, limit: int | None) -> None:
        self.rows: list[tuple[Job, int]] = []
        self.shortest = self.longest = 0
        self._budget = budget
        self._limit = limit

    def take(self, job: Job) -> bool:
        """Take the next window of a job, if it fits and is like the others."""
        length = job.next_length
        shortest, longest = min(self.shortest or length, length), max(self.longest, length)
        padded = padded_length(longest, self._limit)
        fits = (len(self.rows) + 1) * padded <= self._budget and shortest >= _LIKE * longest
        if self.rows and not fits:
            return False
        self.rows.append((job, job.waiting.popleft()))
        self.shortest, self.longest = shortest, longest
        return True
