"""A text -> its passages: paragraphs, or runs of sentences of long ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

from quoth.records import Span

# Code points of a passage at most, and what neighbours of one paragraph share at most.
LONGEST = 2_000
OVERLAP = 300
# A line so short, which ends no sentence, is a heading: it belongs to what follows.
_HEADING = 80

_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
_SENTENCE = re.compile(r"[.!?…؟۔][\"'”’»)\]]*\s+|[。！？।]|\n")
_WORD = re.compile(r"\s+")


def passages_of(text: str) -> list[Span]:
    """Cut a text into passages, in order.

    A paragraph that fits is one passage, with a heading before it. A longer one is cut between sentences, where there
    are such borders, and neighbours share whole sentences.
    """
    found: list[Span] = []
    start: int | None = None
    for paragraph in _paragraphs(text):
        start = paragraph.start if start is None else start
        said = paragraph.of(text)
        is_heading = len(said) < _HEADING and said[-1].isalnum() and paragraph.end < len(text.rstrip())
        if is_heading and paragraph.end - start < LONGEST // 4:
            continue
        found += _cut(text, Span(start, paragraph.end))
        start = None
    return found if start is None else [*found, *_cut(text, Span(start, len(text.rstrip())))]


def sentence_around(text: str, span: Span) -> Span:
    """Return the sentence, or sentences, that hold a span."""
    low = max(0, span.start - LONGEST)
    borders = [match.end() for match in _SENTENCE.finditer(text, low, span.start)]
    start = borders[-1] if borders else low
    end = _SENTENCE.search(text, max(span.start, span.end - 1), min(len(text), span.end + LONGEST))
    last = end.end() if end else min(len(text), span.end + LONGEST)
    said = text[start:last]
    return Span(start + len(said) - len(said.lstrip()), max(span.end, start + len(said.rstrip())))


def _paragraphs(text: str) -> Iterator[Span]:
    start = 0
    for match in [*_PARAGRAPH.finditer(text), None]:
        end = match.start() if match else len(text)
        said = text[start:end]
        if said.strip():
            yield Span(start + len(said) - len(said.lstrip()), start + len(said.rstrip()))
        start = match.end() if match else end


def _cut(text: str, paragraph: Span) -> Iterator[Span]:
    if len(paragraph) <= LONGEST:
        yield paragraph
        return
    start = paragraph.start
    while start < paragraph.end:
        end = min(paragraph.end, start + LONGEST)
        if end < paragraph.end:
            end = _border(text, start + LONGEST // 2, end)
        yield Span(start, end)
        if end == paragraph.end:
            return
        # On with the first sentence that lies wholly in the overlap.
        after = _SENTENCE.search(text, end - OVERLAP, end - 1)
        start = after.end() if after else end


def _border(text: str, low: int, high: int) -> int:
    """Return the last border of sentences between two places, else of words, else the second place."""
    for border in (_SENTENCE, _WORD):
        if places := [match.end() for match in border.finditer(text, low, high)]:
            return places[-1]
    return high
