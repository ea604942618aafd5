"""Documents with pages and boxes, and limits for files."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from quoth.files import hash_of_text
from quoth.records import Span, page_at

# Must be increased when a change of the parsers makes the same file give a different text.
EXTRACTION_VERSION = 5


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """Limits for one file.

    Attributes:
        file_bytes: Maximum size of the file.
        unpacked_bytes: Maximum size of the unpacked content of a .docx or .epub file, which is a ZIP archive.
        characters: Maximum length of the text, in code points.
        pages: Maximum number of pages of a PDF.
        seconds: Time limit for parsing.
        memory_bytes: Memory limit for parsing (address space); not enforced on Windows.
    """

    file_bytes: int = 20_000_000
    unpacked_bytes: int = 100_000_000
    characters: int = 2_000_000
    pages: int = 1_000
    seconds: float = 20.0
    memory_bytes: int = 1_500_000_000


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around a span of text, in points from the top left corner of the displayed page.

    Attributes:
        span: The span, in code points of the document's text.
        page: Page number, from 1.
        left, top, right, bottom: The sides, in points; ``left <= right`` and ``top <= bottom``.
    """

    span: Span
    page: int
    left: float
    top: float
    right: float
    bottom: float

    def to_dict(self) -> dict[str, float]:
        """Return the page and the rectangle for JSON, without the span."""
        sides = {"left": self.left, "top": self.top, "right": self.right, "bottom": self.bottom}
        return {"page": self.page, **{side: round(value, 2) for side, value in sides.items()}}


@dataclass(frozen=True)
class Document:
    """The text of a file.

    Attributes:
        text: The text; lines end with a line feed. Never empty if it was read from a file.
        pages: The span of each page in the text, in order; empty if the format has no pages.
        name: Its path or name, as given.
        title: Its title, or else its file name with spaces instead of ``_`` and ``-``.
        boxes: For a PDF, a box for each word (or for each part of a hyphenated word), and for each character of a
            script without spaces, in the order of the text.
        page_sizes: For a PDF, the width and height of each page, in points.
        file_hash: SHA-256 of the file.
        notes: Notes about what was not read, such as pages without text, or comments.
    """

    text: str
    pages: tuple[Span, ...] = ()
    name: str = ""
    title: str = ""
    boxes: tuple[Box, ...] = field(default=(), repr=False)
    page_sizes: tuple[tuple[float, float], ...] = field(default=(), repr=False)
    file_hash: str = ""
    notes: tuple[str, ...] = ()

    @cached_property
    def text_hash(self) -> str:
        """SHA-256 of the text, its pages, and the version of the extraction."""
        return hash_of_text(self.text, [EXTRACTION_VERSION, *((page.start, page.end) for page in self.pages)])

    def page_at(self, position: int) -> int | None:
        """Return the page of a code point, from 1; ``None`` if the document has no pages."""
        return page_at(self.pages, position)

    def boxes_of(self, span: Span) -> tuple[Box, ...]:
        """Return the rectangles that cover a span: one for each line on each page."""
        first = bisect_right(self.boxes, span.start, key=lambda box: box.span.end)
        last = bisect_left(self.boxes, span.end, key=lambda box: box.span.start)
        lines: list[Box] = []
        for box in self.boxes[first:last]:
            if lines and _same_line(lines[-1], box):
                lines[-1] = _around(lines[-1], box)
            else:
                lines.append(box)
        return tuple(lines)


def _same_line(one: Box, other: Box) -> bool:
    """Return True if two boxes are on the same line, and the second one is to the right of the first."""
    overlap = min(one.bottom, other.bottom) - max(one.top, other.top)
    height = min(one.bottom - one.top, other.bottom - other.top)
    return one.page == other.page and overlap > 0.5 * height and other.left >= one.left


def _around(one: Box, other: Box) -> Box:
    return Box(
        Span(one.span.start, other.span.end),
        one.page,
        min(one.left, other.left),
        min(one.top, other.top),
        max(one.right, other.right),
        max(one.bottom, other.bottom),
    )
