"""Reads an iterator in a separate thread, so that other work continues while the iterator blocks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from threading import Condition, Thread
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")

# How long a block waits for more items after its first one, in seconds.
_GATHERING = 0.02
# How long to wait for the thread when the pump is closed, in seconds; it cannot stop while the input blocks.
_LEAVING = 0.2


class Pump(Generic[Item]):
    """Reads an iterator ahead, up to a limit.

    The thread runs in a copy of the caller's context variables, and ends with the input or when the pump is closed.
    """

    def __init__(self, items: Iterable[Item], limit: int, size: Callable[[Item], int], most: int) -> None:
        """Start reading.

        Args:
            items: The input.
            limit: Maximum number of items in the buffer.
            size: Returns the size of an item.
            most: Reading pauses while the total size of the items in the buffer is at least this.
        """
        self._limit, self._size_of, self._most, self._size = limit, size, most, 0
        self._read: deque[Item] = deque()
        self._changed = Condition()
        self._closed = self._ended = False
        self._error: BaseException | None = None
        context = copy_context()
        self._thread = Thread(target=lambda: context.run(self._run, items), name="quoth-input", daemon=True)
        self._thread.start()

    def __enter__(self) -> Pump[Item]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Stop reading after the current item."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(_LEAVING)

    def blocks(self) -> Iterator[list[Item] | None]:
        """Yield the items that are ready, in blocks of at most ``limit``, and ``None`` before waiting for the input.

        Raises:
            BaseException: Any exception of the input, after all earlier items.
        """
        while True:
            block, full, ended = self._take()
            if block:
                yield block
            if ended:
                if self._error is not None:
                    raise self._error
                return
            if not full:
                yield None

    def _is_full(self) -> bool:
        return len(self._read) >= self._limit or self._size >= self._most

    def _take(self) -> tuple[list[Item], bool, bool]:
        """Wait for an item, and briefly for more; return them, whether the buffer was full, and whether it ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._read or self._ended)
            until = time.monotonic() + _GATHERING
            while not self._is_full() and not self._ended:
                if not self._changed.wait(until - time.monotonic()):
                    break
            block, full = list(self._read), self._is_full()
            self._read.clear()
            self._size = 0
            self._changed.notify_all()
            return block, full, self._ended

    def _run(self, items: Iterable[Item]) -> None:
        error: BaseException | None = None
        try:
            for item in items:
                with self._changed:
                    self._changed.wait_for(lambda: not self._is_full() or self._closed)
                    if self._closed:
                        break
                    self._read.append(item)
                    self._size += self._size_of(item)
                    self._changed.notify_all()
        except BaseException as caught:  # noqa: BLE001 (raised by the thread that takes the items)
            error = caught
            if "thread" in str(caught):
                caught.add_note(
                    "The input is read in a separate thread, so that answers are yielded while it waits. If it must be "
                    "read by the caller's thread, like a cursor of SQLite, pass own_thread=False"
                )
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()
