"""Requests in the queue, and their fair share of the engine."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from quoth.reading import WholeWindow, Window

# The fair share of a request: some batches at once, and this part of the engine's speed from its arrival on. So under
# full load, a request with a few pages is still answered within its deadline; what exceeds that waits for idle time.
_BATCHES = 2
_SPEED_SHARE = 1 / 16


class OverloadedError(Exception):
    """The queue is full.

    Attributes:
        retry_s: Seconds after which it is likely to have capacity.
    """

    def __init__(self, retry_s: float) -> None:
        super().__init__(f"the queue is full for {retry_s:.0f} seconds")
        self.retry_s = retry_s


@dataclass(frozen=True, slots=True)
class Share:
    """The current fair share of the engine.

    Attributes:
        free: Tokens that each request may use at once.
        rate: Tokens per second that each request may use in addition, from its arrival on.
    """

    free: int
    rate: float

    @classmethod
    def of(cls, batch_tokens: int, rate: float) -> Share:
        """Return the share for an engine that reads ``batch_tokens`` at once, and ``rate`` tokens per second."""
        return cls(_BATCHES * batch_tokens, rate * _SPEED_SHARE)


@dataclass(slots=True, eq=False)
class QueuedRequest:
    """The windows of one request in the queue.

    Attributes:
        windows: The windows.
        deadline: The deadline, in the time of the event loop.
        urgent: The time from which the request is urgent.
        turn: Position in the round-robin order; the lowest is next.
        done: Resolved with all logits, in the order of the windows, or with ``TimeoutError`` after the deadline.
            Cancelling it removes the request.
        arrived, started, finished: When the request was queued, when its first window started, and when its last one
            finished; in seconds of ``time.perf_counter``.
        came: When it was queued, in the time of the event loop.
        tokens: Tokens that wait.
        served: Tokens that do not wait any more.
    """

    windows: Sequence[Window]
    deadline: float
    urgent: float
    turn: int
    done: asyncio.Future[list[WholeWindow]]
    arrived: float
    came: float
    started: float = 0.0
    finished: float = 0.0
    tokens: int = 0
    served: int = 0
    waiting: deque[int] = field(default_factory=deque)
    logits: dict[int, WholeWindow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Sort windows by length.
        self.waiting.extend(sorted(range(len(self.windows)), key=lambda index: -len(self.windows[index])))
        self.tokens = sum(map(len, self.windows))

    @property
    def next_length(self) -> int:
        """Length of its next window."""
        return len(self.windows[self.waiting[0]])

    def take(self) -> int:
        """Remove its next window; return the window's index."""
        length = self.next_length
        self.tokens -= length
        self.served += length
        return self.waiting.popleft()

    def fair(self, share: Share, now: float) -> float:
        """Return how many of its tokens that wait are within its fair share."""
        left = share.free + share.rate * max(0.0, now - self.came) - self.served
        return min(float(self.tokens), max(0.0, left))

    def finish(self, index: int, logits: WholeWindow, now: float) -> None:
        """Keep the logits of a window; after the last one the request is done."""
        self.logits[index] = logits
        if len(self.logits) == len(self.windows) and not self.done.done():
            self.finished = now
            self.done.set_result([self.logits[number] for number in range(len(self.windows))])


def counted(requests: Iterable[QueuedRequest], tokens: int, share: Share, now: float) -> tuple[float, float]:
    """Return the tokens that stand in the way of a new request: within fair shares, and beyond them.

    Beyond its fair share each request stands in the way with as many tokens at most as the new one has beyond its own,
    because they take turns.

    Args:
        requests: The requests in the queue.
        tokens: Tokens of the new request.
        share: The fair share.
        now: The time of the event loop.
    """
    fair = beyond = 0.0
    excess = max(0, tokens - share.free)
    for request in requests:
        mine = request.fair(share, now)
        fair += mine
        beyond += min(request.tokens - mine, excess)
    return fair, beyond
