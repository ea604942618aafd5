"""Texts that clients store on the server to ask many questions about them. Bounded in memory and time."""

from __future__ import annotations

import hashlib
import sys
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from quoth.records import Span


@dataclass(frozen=True, slots=True)
class Text:
    """One stored text.

    Attributes:
        handle: SHA-256 of the text and its pages; 64 hex digits.
        text: The text.
        pages: Span of each page in code points, in order; ``None`` for a text without pages.
    """

    handle: str
    text: str
    pages: tuple[Span, ...] | None = None

    @classmethod
    def of(cls, text: str, pages: tuple[Span, ...] | None = None) -> Text:
        """Create a text with its handle."""
        content = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
        if pages is not None:
            content.update(repr([(page.start, page.end) for page in pages]).encode())
        return cls(content.hexdigest(), text, pages)

    def page(self, position: int) -> int | None:
        """Return the page of a code point, from 1."""
        if not self.pages:
            return None
        return max(1, bisect_right(self.pages, position, key=lambda page: page.start))

    @property
    def size(self) -> int:
        """Its memory, in bytes."""
        return sys.getsizeof(self.text) + 64 * len(self.pages or ())


class Texts:
    """Stores texts by handle, and removes the least recently used ones.

    Attributes:
        size: Memory of all texts, in bytes.
    """

    def __init__(self, max_bytes: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Set the bounds.

        Args:
            max_bytes: Maximum memory of all texts, in bytes.
            seconds: How long a text is stored after its last use.
            clock: A monotonic clock, in seconds.
        """
        self.seconds = seconds
        self.size = 0
        self._max_bytes = max_bytes
        self._clock = clock
        # Each text with the time of its last use; the least recently used is the first.
        self._kept: OrderedDict[str, tuple[Text, float]] = OrderedDict()

    def put(self, text: Text) -> bool:
        """Store a text, removing others if needed; return False if it is larger than the whole store."""
        if text.size > self._max_bytes:
            return False
        self._forget(text.handle)
        self._kept[text.handle] = text, self._clock()
        self.size += text.size
        while self.size > self._max_bytes:
            self._forget(next(iter(self._kept)))
        return True

    def get(self, handle: str) -> Text | None:
        """Return a text and renew its lifetime; ``None`` if it is unknown or has expired."""
        self.expire()
        if handle not in self._kept:
            return None
        text, _ = self._kept[handle]
        self._kept[handle] = text, self._clock()
        self._kept.move_to_end(handle)
        return text

    def expire(self) -> None:
        """Remove expired texts."""
        oldest = self._clock() - self.seconds
        while self._kept:
            handle, (_, asked) = next(iter(self._kept.items()))
            if asked > oldest:
                return
            self._forget(handle)

    def _forget(self, handle: str) -> None:
        text, _ = self._kept.pop(handle, (None, 0.0))
        self.size -= text.size if text else 0

    def __len__(self) -> int:
        return len(self._kept)
