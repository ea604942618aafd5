"""Splits a text into passages: paragraphs, or parts of long paragraphs at sentence boundaries."""

from __future__ import annotations

import re
from collections.abc import Iterator

import regex

from quoth.records import Span
from quoth.text import SENTENCE_OR_LINE_END

# Maximum length of a passage, and maximum overlap of neighbouring passages of one paragraph, in code points.
LONGEST = 2_000
OVERLAP = 300
# A paragraph that is shorter than this, in code points, and does not end a sentence, is a heading, and is part of the
# next passage.
_HEADING = 80
# Length from which a line is taken for a wrapped one, in code points.
_WRAPPED = 40

_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
_WORD = re.compile(r"\s+")


def passages_of(text: str) -> list[Span]:
    """Split a text into passages, in order.

    A paragraph that is short enough is one passage, together with the heading before it. A longer one is split between
    sentences if possible, and neighbouring passages overlap by whole sentences.
    """
    found: list[Span] = []
    start: int | None = None
    for paragraph in _paragraphs(text):
        start = paragraph.start if start is None else start
        content = paragraph.of(text)
        is_heading = len(content) < _HEADING and content[-1].isalnum() and paragraph.end < len(text.rstrip())
        if is_heading and paragraph.end - start < LONGEST // 4:
            continue
        found += _split(text, Span(start, paragraph.end))
        start = None
    return found if start is None else [*found, *_split(text, Span(start, len(text.rstrip())))]


def sentence_around(text: str, span: Span) -> Span:
    """Return the sentence or sentences that contain a span. A sentence may go over several lines, as in a PDF."""
    low, high = max(0, span.start - LONGEST), min(len(text), span.end + LONGEST)
    starts = [
        match.end() for match in SENTENCE_OR_LINE_END.finditer(text, low, span.start) if not _is_wrapped(text, match)
    ]
    start = starts[-1] if starts else low
    ends = SENTENCE_OR_LINE_END.finditer(text, max(span.start, span.end - 1), high)
    last = next((match.end() for match in ends if match.end() >= span.end and not _is_wrapped(text, match)), high)
    content = text[start:last]
    return Span(start + len(content) - len(content.lstrip()), max(span.end, start + len(content.rstrip())))


def _is_wrapped(text: str, end: regex.Match[str]) -> bool:
    """Return True for a line feed within a sentence: after a long line, or before a small letter."""
    if end[0] != "\n":
        return False
    before = text[text.rfind("\n", 0, end.start()) + 1 : end.start()].rstrip()
    after = text[end.end() : end.end() + 1]
    is_gap = not before or not after.strip() or before[-1] in ":;"
    return not is_gap and "\t" not in before and (len(before) >= _WRAPPED or after.islower())


def _paragraphs(text: str) -> Iterator[Span]:
    start = 0
    for match in [*_PARAGRAPH.finditer(text), None]:
        end = match.start() if match else len(text)
        content = text[start:end]
        if content.strip():
            yield Span(start + len(content) - len(content.lstrip()), start + len(content.rstrip()))
        start = match.end() if match else end


def _split(text: str, paragraph: Span) -> Iterator[Span]:
    if len(paragraph) <= LONGEST:
        yield paragraph
        return
    start = paragraph.start
    while start < paragraph.end:
        end = min(paragraph.end, start + LONGEST)
        if end < paragraph.end:
            end = _boundary(text, start + LONGEST // 2, end)
        yield Span(start, end)
        if end == paragraph.end:
            return
        # Continue with the first sentence that is completely in the overlap.
        after = SENTENCE_OR_LINE_END.search(text, end - OVERLAP, end - 1)
        start = after.end() if after else end


def _boundary(text: str, low: int, high: int) -> int:
    """Return the last sentence boundary between two positions, else the last word boundary, else ``high``."""
    for boundary in (SENTENCE_OR_LINE_END, _WORD):
        if places := [match.end() for match in boundary.finditer(text, low, high)]:
            return places[-1]
    return high
