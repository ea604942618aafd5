"""Assigns shards to workers: each gets consecutive shards, so that it continues to read in the same file."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class ShardQueue:
    """The remaining shards, as one run per worker; a worker whose run is empty takes half of the longest one."""

    def __init__(self, shards: Sequence[int], workers: int) -> None:
        size = -(-len(shards) // workers)
        self._runs = [deque(shards[index * size : (index + 1) * size]) for index in range(workers)]

    def take(self, worker: int) -> int | None:
        """Return the next shard of a worker; ``None`` if there are no more."""
        if not self._runs[worker]:
            longest = max(self._runs, key=len)
            half = [longest.pop() for _ in range(-(-len(longest) // 2))]
            self._runs[worker].extend(reversed(half))
        return self._runs[worker].popleft() if self._runs[worker] else None

    def put_back(self, worker: int, shard: int) -> None:
        """Return a shard that was not finished."""
        self._runs[worker].appendleft(shard)
