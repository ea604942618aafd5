"""Where the spans of a context stand in its text: whole graphemes, and whole words where they are wanted."""

from __future__ import annotations

from quoth.reading.windows import Window
from quoth.records import Span
from quoth.text import surely_uncut, widen_to_graphemes, widen_to_words


class Places:
    """Where the spans of one context stand in its text, widened.

    How far a token's start moves does not depend on where the span ends, and the other way round. So each is worked
    out once: in a text without a blank, every span is widened to the whole of it.
    """

    def __init__(self, window: Window, whole_words: bool) -> None:
        self._window = window
        self._whole_words = whole_words
        self._starts: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def span(self, first: int, last: int) -> Span:
        """Return the place of the span from one token of the context to another, both inclusive."""
        if first not in self._starts or last not in self._ends:
            offsets = self._window.context.offsets
            exact = Span(int(offsets[first, 0]), int(offsets[last, 1]))
            wide = widened(self._window.example.context, exact, self._whole_words)
            self._starts[first], self._ends[last] = wide.start, wide.end
        return Span(self._starts[first], self._ends[last])


def widened(context: str, span: Span, whole_words: bool) -> Span:
    """Widen a span until it cuts no grapheme and no word: each may give the other more to do."""
    while not surely_uncut(context, span):
        wider = widen_to_graphemes(context, span)
        if whole_words:
            wider = widen_to_words(context, wider)
        if wider == span:
            return span
        span = wider
    return span
