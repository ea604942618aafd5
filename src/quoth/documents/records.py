"""What a file becomes: Document, with pages and boxes; and what it may cost."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from quoth.records import Span

# Changes where the same bytes would give another text.
EXTRACTION_VERSION = 2


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What a file may cost.

    Attributes:
        file_bytes: Of the file itself.
        unpacked_bytes: Of all that a .docx or .epub file, which is a zip, unpacks to.
        characters: Of its text, in code points.
        pages: Of a PDF.
        seconds: For parsing.
        memory_bytes: For parsing, as address space; held where the system can.
    """

    file_bytes: int = 20_000_000
    unpacked_bytes: int = 100_000_000
    characters: int = 2_000_000
    pages: int = 1_000
    seconds: float = 20.0
    memory_bytes: int = 1_500_000_000


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page around a run of characters, in points from the upper left corner of the page as shown.

    Attributes:
        span: The run, in code points of the document's text.
        page: From 1.
        left, top, right, bottom: In points, ``left <= right`` and ``top <= bottom``.
    """

    span: Span
    page: int
    left: float
    top: float
    right: float
    bottom: float

    def to_dict(self) -> dict[str, float]:
        """Return the rectangle as JSON has it, without its run."""
        sides = {"left": self.left, "top": self.top, "right": self.right, "bottom": self.bottom}
        return {"page": self.page, **{side: round(value, 2) for side, value in sides.items()}}


@dataclass(frozen=True)
class Document:
    """The text of a file.

    Attributes:
        text: What the file says; lines end with a line feed. Never empty.
        pages: The place of each page in the text, in order; empty if the file has no pages.
        name: Its path or name, as it was given.
        title: Its own title, or else its file name with blanks for ``_`` and ``-``.
        boxes: Of a PDF, a box for each word, or for each line of a word that is broken, in the order of the text.
        page_sizes: Of a PDF, width and height of each page in points.
        file_hash: SHA-256 of its bytes.
        notes: What a reader of the text should know, such as pages without text.
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
        """SHA-256 of the extraction: of the text, its pages, and the version of what extracted it."""
        content = hashlib.sha256(self.text.encode("utf-8", "surrogatepass"))
        content.update(repr([EXTRACTION_VERSION, *((page.start, page.end) for page in self.pages)]).encode())
        return content.hexdigest()

    def page_at(self, position: int) -> int | None:
        """Return the page, from 1, on which a code point stands; ``None`` if the file has no pages."""
        if not self.pages:
            return None
        return max(1, bisect_right(self.pages, position, key=lambda page: page.start))

    def boxes_of(self, span: Span) -> tuple[Box, ...]:
        """Return the rectangles that cover a span: one for each of its lines on each page."""
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
    """Tell whether a box goes on where another ends, on the same line."""
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
