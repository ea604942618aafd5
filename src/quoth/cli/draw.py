"""Draws an answer in its text: an excerpt around it, the answer marked, where it stands.

Whatever a text holds (escape sequences, rich's markup, line ends), a terminal only ever shows it. White space is drawn
as single blanks, so a drawing is for eyes; exact texts and places are those of the records.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from quoth.display import one_line
from quoth.records import Span

__all__ = ["Mark", "passage", "place", "put"]

# Code points that an excerpt shows on either side of the answer, at most.
REACH = 240
# Columns that are comfortable to read; a wider terminal is not filled.
MEASURE = 96

_PARAGRAPH = re.compile(r"\n\s*\n|\f")
_SENTENCE = re.compile(r"[.!?…؟۔][\"'”’»)\]]*\s+|[。！？।]")
_WORD = re.compile(r"\s+")
_LINE_END = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class Mark:
    """How an answer stands out.

    Attributes:
        style: Style of the answer, in rich's words.
        left, right: What to write around it.
    """

    style: str = ""
    left: str = ""
    right: str = ""

    @classmethod
    def of(cls, console: Console) -> Mark:
        """Choose by what a console can show: a marker pen, reverse video under NO_COLOR, or ``[[answer]]``."""
        if console.color_system is None:
            return cls("", "[[", "]]")
        return cls("bold reverse" if console.no_color else "bold black on bright_yellow")


def passage(context: str, span: Span, mark: Mark, *, reach: int = REACH) -> Text:
    """Draw a span in the text around it.

    Args:
        context: The text.
        span: The answer.
        mark: How the answer stands out.
        reach: Code points of the context to show on either side, at most.

    Returns:
        The paragraph around the span; where that reaches too far, whole sentences of it, or else whole words, with an
        ellipsis where it is cut.
    """
    return Text.assemble(
        one_line(_before(context, span.start, reach)),
        mark.left,
        (one_line(span.of(context)), mark.style),
        mark.right,
        one_line(_after(context, span.end, reach)),
    )


def place(context: str, span: Span, name: str) -> str:
    r"""Say where a span stands: ``name:line:column``, its code points, and the page where form feeds part pages.

    Lines, columns and pages count from 1; code points from 0, and the last one named is the first after the span.

    Example:
        >>> place("One.\nTwo, three.", Span(10, 15), "n.txt")
        'n.txt:2:6 · code points 10–15'
    """
    ends = [match.end() for match in _LINE_END.finditer(context, 0, span.start)]
    column = span.start - (ends[-1] if ends else 0) + 1
    parts = [f"{one_line(name)}:{len(ends) + 1}:{column}", f"code points {span.start}–{span.end}"]
    if "\f" in context:
        parts.append(f"page {context.count(chr(12), 0, span.start) + 1}")
    return " · ".join(parts)


def put(console: Console, text: Text, *, indent: int = 0) -> None:
    """Print a text with an indent: wrapped at words on a terminal, as one line when piped."""
    lines = [text.copy()]
    if console.is_terminal:
        lines = list(text.wrap(console, max(10, min(console.width, MEASURE) - indent)))
    for line in lines:
        line.rstrip()
        console.print(Text.assemble(" " * indent, line))


def _before(context: str, start: int, reach: int) -> str:
    """Return the text that leads to a position, from the start of its paragraph if that is within reach."""
    piece = context[max(0, start - reach) : start]
    if breaks := list(_PARAGRAPH.finditer(piece)):
        return piece[breaks[-1].end() :].lstrip()
    if start <= reach:
        return piece.lstrip()
    cut = _SENTENCE.search(piece) or _WORD.search(piece)
    return f"… {piece[cut.end() :]}" if cut else f"…{piece}"


def _after(context: str, end: int, reach: int) -> str:
    """Return the text that follows a position, to the end of its paragraph if that is within reach."""
    piece = context[end : end + reach]
    if found := _PARAGRAPH.search(piece):
        return piece[: found.start()].rstrip()
    if end + reach >= len(context):
        return piece.rstrip()
    if sentences := list(_SENTENCE.finditer(piece)):
        return piece[: sentences[-1].end()].rstrip() + " …"
    words = list(_WORD.finditer(piece))
    return f"{piece[: words[-1].start()]} …" if words else f"{piece}…"
