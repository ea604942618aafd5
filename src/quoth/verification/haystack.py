"""The sources of a check, concatenated to one array of code points, and the mapping from it to the sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quoth.records import Span
from quoth.text import widen_to_graphemes, widen_to_words
from quoth.verification.fold import SEPARATOR, Codes, Folded, codes_of, fold
from quoth.verification.records import Place, Source

# Text before or after a number that makes it another number: "5" is not "1.5", "-5" or "5,000".
_NUMBER_BEFORE = re.compile(r"(?:\d[.,]|(?:^|[\s(])[-−])\Z")
_NUMBER_AFTER = re.compile(r"[.,]\d")
# Code points before and after a place that decide whether it cuts a word or a grapheme.
_AROUND = 256


class Haystack:
    """Concatenated sources.

    Args:
        sources: The sources.
        first: Index of the first of these sources among all sources of the check.

    Attributes:
        codes: Their code points, with a separator after each source.
    """

    def __init__(self, sources: Sequence[Source], first: int = 0) -> None:
        self._sources = sources
        self._first = first
        pieces: list[Codes] = []
        for source in sources:
            pieces += [codes_of(source.text), np.array([SEPARATOR], np.uint32)]
        self.codes: Codes = np.concatenate(pieces) if pieces else np.empty(0, np.uint32)
        self._starts = np.cumsum([0] + [len(source.text) + 1 for source in sources])
        feeds = (self.codes == 10) | (self.codes == 13)
        feeds[:-1] &= ~((self.codes[:-1] == 13) & (self.codes[1:] == 10))
        self._lines = np.flatnonzero(feeds)
        self._astral = np.flatnonzero((self.codes > 0xFFFF) & (self.codes != SEPARATOR))

    @cached_property
    def folded(self) -> Folded:
        """The folded text of all sources."""
        return fold(self.codes)

    def source_at(self, position: int) -> int:
        """Return the index of a code point's source among all sources of the check."""
        return self._first + int(np.searchsorted(self._starts, position, side="right")) - 1

    def sources_at(self, positions: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return the index of the source of each of some code points; see :meth:`source_at`."""
        return self._first + np.searchsorted(self._starts, positions, side="right") - 1

    def page_at(self, position: int) -> int | None:
        """Return the page of a code point; ``None`` if its source has no pages."""
        source = self.source_at(position)
        return self._sources[source - self._first].page_at(position - self.bounds(source)[0])

    def bounds(self, source: int) -> tuple[int, int]:
        """Return the range of a source, half-open, without its separator."""
        start = int(self._starts[source - self._first])
        return start, start + len(self._sources[source - self._first].text)

    def unfolded(self, start: int, end: int) -> Span | None:
        """Return the original span of a range of the folded text; ``None`` if it splits a character, word or number."""
        origin = self.folded.origin
        first, last = int(origin[start]), int(origin[end - 1])
        if (start and origin[start - 1] == first) or (end < len(origin) and origin[end] == last):
            return None
        span = Span(first, last + 1)
        return span if self.is_whole_words(span) else None

    def is_whole_words(self, span: Span) -> bool:
        """Return True if a span does not start or end inside a grapheme, word or number."""
        text, own = self._own(span)
        # Only the neighbourhood decides, and a "word" can be a million letters long.
        low = max(0, own.start - _AROUND)
        text, own = text[low : own.end + _AROUND], Span(own.start - low, own.end - low)
        if _NUMBER_BEFORE.search(text, max(0, own.start - 3), own.start) and text[own.start : own.start + 1].isdigit():
            return False
        if text[own.end - 1 : own.end].isdigit() and _NUMBER_AFTER.match(text, own.end):
            return False
        return widen_to_words(text, own) == own == widen_to_graphemes(text, own)

    def text_of(self, span: Span) -> str:
        """Return the text of a span."""
        text, own = self._own(span)
        return own.of(text)

    def place(self, span: Span) -> Place:
        """Return the place of a span: its source, line, page and boxes."""
        index = self.source_at(span.start)
        source = self._sources[index - self._first]
        text, own = self._own(span)
        start, _ = self.bounds(index)
        lines = np.searchsorted(self._lines, [start, span.start])
        astral = np.searchsorted(self._astral, [start, span.start, span.end])
        return Place(
            source=source.name,
            source_index=index,
            span=own,
            text=own.of(text),
            whole_words=self.is_whole_words(span),
            line=int(lines[1] - lines[0]) + 1,
            page=source.page_at(own.start),
            boxes=tuple(source.boxes_of(own)),
            utf16=(own.start + int(astral[1] - astral[0]), own.end + int(astral[2] - astral[0])),
        )

    def _own(self, span: Span) -> tuple[str, Span]:
        index = self.source_at(span.start)
        start, _ = self.bounds(index)
        return self._sources[index - self._first].text, Span(span.start - start, span.end - start)
