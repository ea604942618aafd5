"""A text to answer questions from, with its handle and its pages."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass

from quoth.records import Span


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a request, or a stored text.

    Attributes:
        handle: SHA-256 of the text and its pages, 64 hex digits; "" for a text that is not stored.
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
