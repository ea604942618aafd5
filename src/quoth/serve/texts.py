"""Texts that clients keep here, so that they are sent once and asked about often. Bounded in memory and in time."""

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
    """One kept text.

    Attributes:
        handle: SHA-256 of the text, and of its pages where it has some; 64 hex digits.
        text: The text.
        pages: Where each page stands, in code points, in order; ``None`` for a text without pages.
    """

    handle: str
    text: str
    pages: tuple[Span, ...] | None = None

    @classmethod
    def of(cls, text: str, pages: tuple[Span, ...] | None = None) -> Text:
        """Name a text by its content."""
        content = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
        if pages is not None:
            content.update(repr([(page.start, page.end) for page in pages]).encode())
        return cls(content.hexdigest(), text, pages)

    def page(self, position: int) -> int | None:
        """Return the page, from 1, on which a code point stands."""
        if not self.pages:
            return None
        return max(1, bisect_right(self.pages, position, key=lambda page: page.start))

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        return sys.getsizeof(self.text) + 64 * len(self.pages or ())


class Texts:
    """Remembers texts by their handles; forgets those that nobody asked about for longest.

    Attributes:
        size: Bytes of memory that the texts take now.
    """

    def __init__(self, max_bytes: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Set the bounds.

        Args:
            max_bytes: Most memory for all texts together.
            seconds: How long a text is kept after it was last asked about.
            clock: Seconds that only grow.
        """
        self.seconds = seconds
        self.size = 0
        self._max_bytes = max_bytes
        self._clock = clock
        # Each with the moment it was last asked about; that which waited longest is the first.
        self._kept: OrderedDict[str, tuple[Text, float]] = OrderedDict()

    def put(self, text: Text) -> bool:
        """Keep a text, at the cost of others; tell whether there is room for it at all."""
        if text.size > self._max_bytes:
            return False
        self._forget(text.handle)
        self._kept[text.handle] = text, self._clock()
        self.size += text.size
        while self.size > self._max_bytes:
            self._forget(next(iter(self._kept)))
        return True

    def get(self, handle: str) -> Text | None:
        """Return a text, and keep it for longer; ``None`` if it is not here, or not any more."""
        self.expire()
        if handle not in self._kept:
            return None
        text, _ = self._kept[handle]
        self._kept[handle] = text, self._clock()
        self._kept.move_to_end(handle)
        return text

    def expire(self) -> None:
        """Forget what nobody asked about for too long."""
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
