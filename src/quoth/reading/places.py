"""Widens spans of a context to whole graphemes and, optionally, whole words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quoth.reading.windows import Window
from quoth.records import Span
from quoth.text import surely_uncut, widen_to_graphemes, widen_to_words

Tokens = NDArray[np.int64]

_ALPHANUMERIC = np.array([chr(code).isalnum() for code in range(128)])


class Places:
    """The widened spans of one context.

    A text is a sequence of pieces (words, and graphemes elsewhere). A span is widened from the start of the piece of
    its first character to the end of the piece of its last one. Pieces are cached, because in a text without spaces
    every span is widened to the whole text.
    """

    def __init__(self, window: Window, whole_words: bool) -> None:
        self._offsets = window.context.offsets
        self._context = window.text
        self._whole_words = whole_words
        # Start and end of each character's piece; 0 if not computed yet.
        self._starts, self._ends = (
            _ascii_pieces(self._context, whole_words)
            if self._context.isascii()
            else np.zeros((2, len(self._context)), dtype=np.int64)
        )

    def span(self, first: int, last: int) -> Span:
        """Return the place of the span from one token of the context to another, both inclusive."""
        start, end = self._offsets.item(first, 0), self._offsets.item(last, 1) - 1
        for position in (start, end):
            if not self._ends.item(position):
                self._compute_piece(position)
        return Span(self._starts.item(start), self._ends.item(end))

    def spans(self, firsts: Tokens, lasts: Tokens) -> tuple[Tokens, Tokens]:
        """Return the starts and the ends of many such spans."""
        starts, ends = self._offsets[firsts, 0], self._offsets[lasts, 1] - 1
        for position in np.unique(np.concatenate([starts, ends])).tolist():
            if not self._ends.item(position):
                self._compute_piece(position)
        return self._starts[starts], self._ends[ends]

    def _compute_piece(self, position: int) -> None:
        """Compute the piece of a character."""
        piece = widened(self._context, Span(position, position + 1), self._whole_words)
        self._starts[piece.start : piece.end] = piece.start
        self._ends[piece.start : piece.end] = piece.end


def _ascii_pieces(context: str, whole_words: bool) -> Tokens:
    """Return the start and the end of each character's piece in a text of ASCII, ``(2, len(context))``.

    A piece is a word of letters and digits, the line end CR LF, or any other single character.
    """
    characters = np.frombuffer(context.encode(), dtype=np.uint8)
    before, after = characters[:-1], characters[1:]
    joined = (before == ord("\r")) & (after == ord("\n"))
    if whole_words:
        in_words = _ALPHANUMERIC[characters]
        joined |= in_words[:-1] & in_words[1:]
    borders = np.concatenate(([0], np.flatnonzero(~joined) + 1, [len(context)]))
    lengths = np.diff(borders)
    return np.repeat([borders[:-1], borders[1:]], lengths, axis=1)


def widened(context: str, span: Span, whole_words: bool) -> Span:
    """Widen a span to whole graphemes and words: repeat until neither widens the span."""
    while not surely_uncut(context, span):
        wider = widen_to_graphemes(context, span)
        if whole_words:
            wider = widen_to_words(context, wider)
        if wider == span:
            return span
        span = wider
    return span
