"""The batcher: batches windows of many requests from one bounded queue, each within its fair share first.

Everything runs on the event loop without locks, except for the engines, which run in a thread each, one batch at a
time. There are two lanes, each with an engine: one for windows within the fair share of their requests
(:class:`Share`), and one for windows beyond it, such as those of a very long text. So a short question never waits for
the batch of a long text; the operating system divides the processor between both. The second lane pauses while the
first one has a long queue.

A batch is created when the engine of its lane is idle:

- The next request in round-robin order provides the first window. So a request with hundreds of windows and one with a
  single window alternate.
- Windows of similar length from all requests are added, one per request and round, up to the token budget.
- A request that has waited for half of its deadline is urgent and goes first, in the order of deadlines, but only with
  windows within its fair share.

Backpressure: the capacity of the queue is what the engine can process in a quarter of a deadline at its recent speed,
counting fair shares only. So an accepted request within its fair share meets its deadline, even with many later ones or
a slower machine. Other requests are rejected at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count, repeat

from quoth.engines import Engine
from quoth.reading import WholeWindow, Window, WindowBatch, padded_length, unbatch_whole
from quoth.serve.queue.requests import OverloadedError, QueuedRequest, Share, counted

# Minimum ratio of the shortest to the longest window of a batch; the rest is padding.
_MIN_LENGTH_RATIO = 0.75
# Weight of the newest batch in the moving average of the speed.
_NEWEST_WEIGHT = 0.2
# Capacity of the queue, as a share of the deadline.
_QUEUE_SHARE = 0.25
# The second lane pauses while more than this share of the capacity waits for the first one.
_PAUSE_SHARE = 0.25
# A request of any size is accepted while at most this share of the capacity waits before it beyond fair shares.
_ACCEPT_SHARE = 0.25
# Number of full batches for the first estimate of the speed.
_WARM_UP = 3

Observer = Callable[[int, int, float], None]
Batch = list[tuple[QueuedRequest, int]]


class Batcher:
    """Batches the windows of many requests for one engine, or two that compute the same.

    Attributes:
        rate: Tokens per second in the last batches.
    """

    def __init__(
        self, engine: Engine, pad_id: int, *, batch_tokens: int, queue_tokens: int, deadline_s: float,
        longest: int | None = None, observe: Observer = lambda windows, tokens, seconds: None,
        load_second: Callable[[], Engine] | None = None,
    ) -> None:  # fmt: skip
        """Create a batcher.

        Args:
            engine: The engine.
            pad_id: Token id of the padding.
            longest: Maximum length of a window, for :meth:`WindowBatch.of`.
            batch_tokens: Maximum tokens per batch, padding included; a longer window has its own batch.
            queue_tokens: Maximum tokens in the queue.
            deadline_s: Deadline of a request, in seconds.
            observe: Called for each batch with the number of windows, tokens without padding, and seconds.
            load_second: Loads an engine for the second lane when it is first needed. For engines that do not compute
                two batches at the same time; with ``None``, both lanes share the engine.
        """
        self.rate = float(batch_tokens)
        self._queue_tokens = queue_tokens
        self._batch_tokens = batch_tokens
        self._deadline_s = deadline_s
        self._requests: list[QueuedRequest] = []
        self._turns = count()
        # The second lane has small batches, so that it pauses soon if the first one needs the processor.
        first = _Lane(engine, pad_id, longest, batch_tokens, observe)
        second_engine = None if load_second else engine
        second = _Lane(second_engine, pad_id, longest, max(1, batch_tokens // 2), observe, load_second)
        self._lanes = first, second

    async def warm_up(self, window: Window) -> None:
        """Run some batches of one window, to warm the engine up and measure its speed."""
        for _ in range(_WARM_UP):
            self.rate = await self._lanes[0].measure_speed(window)

    def submit(self, windows: Sequence[Window], deadline: float) -> QueuedRequest:
        """Queue a request.

        Args:
            windows: Its windows, at least one.
            deadline: The deadline, in event-loop time.

        Raises:
            OverloadedError: If the queue is full.
        """
        loop = asyncio.get_running_loop()
        self.check_capacity(sum(map(len, windows)))
        urgent = deadline - self._deadline_s / 2
        turn, done = next(self._turns), loop.create_future()
        request = QueuedRequest(windows, deadline, urgent, turn, done, time.perf_counter(), loop.time())
        self._requests.append(request)
        for lane in self._lanes:
            lane.arrival.set()
        return request

    def check_capacity(self, tokens: int) -> None:
        """Raise if the queue has no capacity for a request of this many tokens. An empty queue accepts any number.

        Raises:
            OverloadedError: If the queue is full.
        """
        now = asyncio.get_running_loop().time()
        self._drop(now)
        share = self.share
        fair, beyond = counted(self._requests, tokens, share, now)
        if fair and fair + min(tokens, share.free) > self.capacity:
            raise OverloadedError(fair / self.rate)
        if beyond > _ACCEPT_SHARE * self.capacity and beyond + tokens - share.free > self.capacity:
            raise OverloadedError(beyond / self.rate)

    @property
    def share(self) -> Share:
        """The fair share of each request at present."""
        return Share.of(self._batch_tokens, self.rate)

    @property
    def capacity(self) -> float:
        """Current capacity of the queue, in tokens: what the engine can process in time, at most ``queue_tokens``."""
        return min(self._queue_tokens, self.rate * self._deadline_s * _QUEUE_SHARE)

    @property
    def tokens(self) -> int:
        """Number of tokens in the queue."""
        return sum(request.tokens for request in self._requests)

    @property
    def tokens_beyond(self) -> float:
        """Number of tokens in the queue that are beyond the fair share of their requests."""
        now, share = asyncio.get_running_loop().time(), self.share
        return sum(request.tokens - request.fair(share, now) for request in self._requests)

    @property
    def requests(self) -> int:
        """Number of requests in the queue."""
        return len(self._requests)

    async def run(self) -> None:
        """Run batches until cancelled."""
        async with asyncio.TaskGroup() as both:
            for lane in self._lanes:
                both.create_task(self._run_lane(lane))

    async def _run_lane(self, lane: _Lane) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await lane.arrival.wait()
            batch = self.next_batch(loop.time(), beyond=lane is self._lanes[1])
            if not batch:
                lane.pause()
                continue
            tokens, seconds = await lane.run(batch)
            # The speed of the second lane counts if it is the only one that runs.
            if tokens and (lane is self._lanes[0] or not self._lanes[0].is_running):
                self.rate += _NEWEST_WEIGHT * (tokens / max(seconds, 1e-6) - self.rate)
            # The speed has changed, and with it the fair shares and which requests are ready.
            for each in self._lanes:
                each.arrival.set()

    def close(self) -> None:
        """Stop the threads of the engines."""
        for lane in self._lanes:
            lane.close()

    def next_batch(self, now: float, *, beyond: bool = False) -> Batch:
        """Remove the windows of the next batch from the queue: requests, and indices of their windows.

        Args:
            now: The event-loop time, in seconds.
            beyond: Take windows beyond the fair share of their requests, instead of within it.
        """
        self._drop(now)
        share = self.share
        waiting_for_first = sum(request.fair(share, now) for request in self._requests) if beyond else 0.0
        if waiting_for_first > _PAUSE_SHARE * self.capacity:
            return []

        def is_ready(request: QueuedRequest) -> bool:
            return bool(request.waiting) and (request.fair(share, now) > 0) is not beyond

        ready = list(filter(is_ready, self._requests))
        if not ready:
            return []
        # Urgent requests first, by deadline (False sorts before True). Beyond fair shares, no request is urgent.
        ordered = sorted(
            ready,
            key=lambda request: (True, request.turn) if beyond or now < request.urgent else (False, request.deadline),
        )
        batch = self._lanes[beyond].new_batch()
        batch.add(ordered[0])
        first = batch.longest
        # Each round takes one window per request; in the first round, the first request has already provided one.
        for requests in chain([ordered[1:]], repeat(ordered)):
            candidates = sorted(filter(is_ready, requests), key=lambda request: abs(request.next_length - first))
            if not sum(map(batch.add, candidates)) and requests is ordered:
                break
        for request in dict.fromkeys(request for request, _ in batch.rows):
            request.turn = next(self._turns)
            request.started = request.started or time.perf_counter()
        self._requests = [request for request in self._requests if request.waiting]
        return batch.rows

    def _drop(self, now: float) -> None:
        """Remove cancelled requests, and requests whose deadline is exceeded."""
        kept = []
        for request in self._requests:
            if request.done.done() or request.deadline <= now:
                # The caller must get TimeoutError, because it would take a cancellation for an internal error.
                if not request.done.done():
                    request.done.set_exception(TimeoutError())
            else:
                kept.append(request)
        self._requests = kept


class _Lane:
    """An engine with the thread that runs it."""

    def __init__(
        self, engine: Engine | None, pad_id: int, longest: int | None, budget: int, observe: Observer,
        load: Callable[[], Engine] | None = None,
    ) -> None:  # fmt: skip
        self.arrival = asyncio.Event()
        self.is_running = False
        self._engine = engine
        self._pad_id = pad_id
        self._longest = longest
        self._budget = budget
        self._observe = observe
        self._load = load
        # When the last batch finished; None if no windows were waiting then.
        self._ended: float | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")

    def new_batch(self) -> _BatchBuilder:
        """Return an empty batch."""
        return _BatchBuilder(self._budget, self._longest)

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown()

    async def measure_speed(self, window: Window) -> float:
        """Run a batch of copies of one window; return the tokens per second."""
        rows = max(1, self._budget // padded_length(len(window), self._longest))
        before = time.perf_counter()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._compute, [window] * rows)
        return rows * len(window) / (time.perf_counter() - before)

    def pause(self) -> None:
        """Wait for the next arrival of windows."""
        self.arrival.clear()
        self._ended = None

    async def run(self, batch: Batch) -> tuple[int, float]:
        """Run a batch, and give its logits to the requests.

        Returns:
            The number of tokens, 0 if the batch failed, and the seconds since the lane's last batch finished, or since
            this one started if the lane had paused.
        """
        before = time.perf_counter()
        since = before if self._ended is None else self._ended
        windows = [request.windows[index] for request, index in batch]
        self.is_running = True
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._compute, windows)
        await asyncio.wait([running])
        self.is_running = False
        error = running.exception()
        if error is not None:
            for request, _ in batch:
                if not request.done.done():
                    request.done.set_exception(error)
            return 0, 0.0
        now = self._ended = time.perf_counter()
        tokens = sum(map(len, windows))
        self._observe(len(batch), tokens, now - before)
        for (request, index), logits in zip(batch, running.result(), strict=True):
            request.finish(index, logits, now)
        return tokens, now - since

    def _compute(self, windows: list[Window]) -> list[WholeWindow]:
        if self._engine is None:
            assert self._load is not None
            self._engine = self._load()
        batch = WindowBatch.of(windows, self._pad_id, limit=self._longest)
        return unbatch_whole(batch, self._engine.run(batch))


class _BatchBuilder:
    """A batch under construction."""

    def __init__(self, budget: int, limit: int | None) -> None:
        self.rows: Batch = []
        self.shortest = self.longest = 0
        self._budget = budget
        self._limit = limit

    def add(self, request: QueuedRequest) -> bool:
        """Add the next window of a request, if it fits and has a similar length."""
        length = request.next_length
        shortest, longest = min(self.shortest or length, length), max(self.longest, length)
        padded = padded_length(longest, self._limit)
        fits = (len(self.rows) + 1) * padded <= self._budget and shortest >= _MIN_LENGTH_RATIO * longest
        if self.rows and not fits:
            return False
        self.rows.append((request, request.take()))
        self.shortest, self.longest = shortest, longest
        return True
