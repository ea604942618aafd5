"""Stops the parsing of files whose results are no longer needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_OF_THREAD = threading.local()


class Stop:
    """Lets one thread stop the parsers of other threads.

    Example:
        >>> from quoth.documents import read_document
        >>> stop = Stop()
        >>> with stop.applies():  # another thread may call stop.set() meanwhile
        ...     read_document(b"It has 3 keys.", "piano.txt").text
        'It has 3 keys.'
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._ends: list[Callable[[], None]] = []

    def set(self) -> None:
        """Stop the running parsers, and all later ones. Each raises ``DocumentError`` in its thread."""
        with self._lock:
            self._is_set = True
            for end in self._ends:
                end()

    @contextmanager
    def applies(self) -> Iterator[None]:
        """Apply to all files that this thread reads within the block."""
        _OF_THREAD.stop = self
        try:
            yield
        finally:
            _OF_THREAD.stop = None

    @property
    def is_set(self) -> bool:
        """Whether :meth:`set` was called."""
        return self._is_set

    @contextmanager
    def ends(self, end: Callable[[], None]) -> Iterator[None]:
        """Call a function when :meth:`set` is called within the block, or at the start if it was called before."""
        with self._lock:
            self._ends.append(end)
            if self._is_set:
                end()
        try:
            yield
        finally:
            with self._lock:
                self._ends.remove(end)


def current_stop() -> Stop:
    """Return the ``Stop`` that applies to this thread; outside of :meth:`Stop.applies`, a new one without effect."""
    found: Stop | None = getattr(_OF_THREAD, "stop", None)
    return found or Stop()
