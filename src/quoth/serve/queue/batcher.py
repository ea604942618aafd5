"""The batcher: batches windows of many requests from one bounded queue.

Everything runs on the event loop without locks, except for the engine, which runs in one thread, one batch at a time.
A batch is created when the engine is idle:

- The next job in round-robin order provides the first window. So a job with hundreds of windows and a job with one
  window alternate.
- Windows of similar length from all jobs are added, one per job and round, up to the token budget.
- A job that has waited for half of its deadline is urgent and goes first, in the order of deadlines.

Backpressure: the capacity of the queue is what the engine can process in a quarter of a deadline at its recent speed.
So an accepted job meets its deadline, even with many later jobs or a slower machine. Other jobs are rejected at once.
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

# Minimum ratio of lengths for windows in the same batch; the rest is padding.
_LIKE = 0.75
# Weight of the newest batch in the moving average of the speed.
_NEWEST = 0.2
# Capacity of the queue, as a share of the deadline.
_QUEUED = 0.25
# Number of full batches for the first estimate of the speed.
_WARM_UP = 3

Observer = Callable[[int, int, float], None]


class OverloadedError(Exception):
    """The queue is full.

    Attributes:
        retry_s: Seconds after which it is likely to have capacity.
    """

    def __init__(self, retry_s: float) -> None:
        super().__init__(f"the queue is full for {retry_s:.0f} seconds")
        self.retry_s = retry_s


@dataclass(slots=True, eq=False)
class Job:
    """The windows of one request in the queue.

    Attributes:
        windows: The windows.
        deadline: The deadline, in the time of the event loop.
        urgent: The time from which the job is urgent.
        turn: Position in the round-robin order; the lowest is next.
        done: Resolved with all logits, in the order of the windows, or with ``TimeoutError`` after the deadline.
            Cancelling it removes the job.
        arrived, started, finished: When the job was queued, when its first window started, and when its last one
            finished; in seconds of ``time.perf_counter``.
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
        # Sort windows by length.
        self.waiting.extend(sorted(range(len(self.windows)), key=lambda index: -len(self.windows[index])))

    @property
    def next_length(self) -> int:
        """Length of its next window."""
        return len(self.windows[self.waiting[0]])


class Batcher:
    """Batches the windows of many jobs for one engine.

    Attributes:
        tokens: Number of tokens in the queue.
        rate: Tokens per second in the last batches.
    """

    def __init__(
        self, engine: Engine, pad_id: int, *, batch_tokens: int, queue_tokens: int, deadline_s: float,
        longest: int | None = None, observe: Observer = lambda windows, tokens, seconds: None,
    ) -> None:  # fmt: skip
        """Create a batcher.

        Args:
            engine: The engine.
            pad_id: Token id of the padding.
            longest: Maximum length of a window, for :meth:`WindowBatch.of`.
            batch_tokens: Maximum tokens per batch, padding included; a longer window has its own batch.
            queue_tokens: Maximum tokens in the queue.
            deadline_s: Deadline of a job, in seconds.
            observe: Called for each batch with the number of windows, tokens without padding, and seconds.
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
        # When the last batch finished, and whether other windows were waiting when it started.
        self._ended = 0.0
        self._is_busy = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")

    async def warm_up(self, window: Window) -> None:
        """Run some batches of one window, to warm the engine up and to measure its speed."""
        rows = max(1, self._batch_tokens // padded_length(len(window), self._longest))
        loop = asyncio.get_running_loop()
        for _ in range(_WARM_UP):
            before = time.perf_counter()
            await loop.run_in_executor(self._thread, self._compute, [window] * rows)
            self.rate = rows * len(window) / (time.perf_counter() - before)

    def submit(self, windows: Sequence[Window], deadline: float) -> Job:
        """Queue a job.

        Args:
            windows: Its windows, at least one.
            deadline: The deadline, in the time of the event loop.

        Raises:
            OverloadedError: If the queue is full.
        """
        loop = asyncio.get_running_loop()
        tokens = sum(map(len, windows))
        self.check_capacity(tokens)
        urgent = deadline - self._deadline_s / 2
        job = Job(windows, deadline, urgent, next(self._turns), loop.create_future(), time.perf_counter())
        self._jobs.append(job)
        self.tokens += tokens
        self._arrival.set()
        return job

    def check_capacity(self, tokens: int) -> None:
        """Raise if the queue has no capacity for this many tokens. An empty queue accepts any number.

        Raises:
            OverloadedError: If the queue is full.
        """
        self._drop(asyncio.get_running_loop().time())
        if self._jobs and self.tokens + tokens > self.capacity:
            raise OverloadedError(self.tokens / self.rate)

    @property
    def capacity(self) -> float:
        """Current capacity of the queue, in tokens: what the engine can process in time, at most ``queue_tokens``."""
        return min(self._queue_tokens, self.rate * self._deadline_s * _QUEUED)

    @property
    def jobs(self) -> int:
        """Number of jobs in the queue."""
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
        """Stop the engine's thread."""
        self._thread.shutdown()

    def next_batch(self, now: float) -> list[tuple[Job, int]]:
        """Remove the windows of the next batch from the queue: jobs, and indices of their windows."""
        self._drop(now)
        if not self._jobs:
            return []
        # False sorts before True: urgent jobs first, by deadline.
        line = sorted(self._jobs, key=lambda job: (now < job.urgent, job.turn if now < job.urgent else job.deadline))
        batch = _Draft(self._batch_tokens, self._longest)
        batch.take(line[0])
        first = batch.longest
        # Each round takes one window per job; in the first round, the first job has already provided one.
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
        """Remove cancelled jobs, and jobs whose deadline is exceeded."""
        kept = []
        for job in self._jobs:
            if job.done.done() or job.deadline <= now:
                self.tokens -= sum(len(job.windows[index]) for index in job.waiting)
                # Raise TimeoutError for the caller; a cancellation would look like an internal error.
                if not job.done.done():
                    job.done.set_exception(TimeoutError())
            else:
                kept.append(job)
        self._jobs = kept

    async def _run_batch(self, batch: list[tuple[Job, int]]) -> None:
        before = time.perf_counter()
        # If the queue was never empty, the time since the last batch counts as time of this batch.
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
    """A batch under construction."""

    def __init__(self, budget: int, limit: int | None) -> None:
        self.rows: list[tuple[Job, int]] = []
        self.shortest = self.longest = 0
        self._budget = budget
        self._limit = limit

    def take(self, job: Job) -> bool:
        """Add the next window of a job, if it fits and has a similar length."""
        length = job.next_length
        shortest, longest = min(self.shortest or length, length), max(self.longest, length)
        padded = padded_length(longest, self._limit)
        fits = (len(self.rows) + 1) * padded <= self._budget and shortest >= _LIKE * longest
        if self.rows and not fits:
            return False
        self.rows.append((job, job.waiting.popleft()))
        self.shortest, self.longest = shortest, longest
        return True
