"""A text to answer questions from, with its handle and its pages."""

from __future__ import annotations

from dataclasses import dataclass

from quoth.files import hash_of_text
from quoth.records import Span, page_at


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
        return cls(
            hash_of_text(text, None if pages is None else [(page.start, page.end) for page in pages]), text, pages
        )

    def page_at(self, position: int) -> int | None:
        """Return the page of a code point, from 1; ``None`` without pages."""
        return page_at(self.pages or (), position)
