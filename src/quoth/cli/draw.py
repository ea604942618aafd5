"""Draws an answer in its text: an excerpt with the answer marked, and its position.

Escape sequences, rich markup and line ends in a text are shown, but never interpreted. White space is shown as single
spaces, so drawings are only for display; records have the exact texts and offsets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from rich.console import Console
from rich.text import Text

from quoth.display import one_line
from quoth.records import Span
from quoth.text import SENTENCE_END

__all__ = ["Mark", "passage", "place", "put"]

# Maximum number of code points of an excerpt on either side of the answer.
REACH = 240
# Maximum width that is comfortable to read, in columns.
MEASURE = 96

_PARAGRAPH = re.compile(r"\n\s*\n|\f")
_WORD = re.compile(r"\s+")
_LINE_END = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class Mark:
    """How an answer is highlighted.

    Attributes:
        style: Style of the answer, in rich's syntax.
        left, right: Text before and after it.
    """

    style: str = ""
    left: str = ""
    right: str = ""

    @classmethod
    def of(cls, console: Console) -> Mark:
        """Choose what a console supports: colour, reverse video under NO_COLOR, or ``[[answer]]``."""
        if console.color_system is None:
            return cls("", "[[", "]]")
        return cls("bold reverse" if console.no_color else "bold black on bright_yellow")


def passage(context: str, span: Span, mark: Mark, *, reach: int = REACH) -> Text:
    """Draw a span in the text around it.

    Args:
        context: The text.
        span: The answer.
        mark: How the answer is highlighted.
        reach: Maximum number of code points of the context on either side.

    Returns:
        The paragraph around the span; if it is too long, whole sentences of it, or else whole words, with an ellipsis
        for omitted text.
    """
    return Text.assemble(
        one_line(_before(context, span.start, reach)),
        mark.left,
        (one_line(span.of(context)), mark.style),
        mark.right,
        one_line(_after(context, span.end, reach)),
    )


def place(context: str, span: Span, name: str) -> str:
    r"""Return the position of a span: ``name:line:column``, its code points, and its page if form feeds separate pages.

    Lines, columns and pages count from 1, code points from 0; the end of the span is exclusive. The text of a parsed
    file, such as HTML, has other lines than the file, so only its code points are returned.

    Example:
        >>> place("One.\nTwo, three.", Span(10, 15), "n.txt")
        'n.txt:2:6 · code points 10–15'
    """
    from quoth.documents import PARSED

    codes = f"code points {span.start}–{span.end}"
    if PurePath(name).suffix.lower() in PARSED:
        return f"{one_line(name)} · {codes} of its text"
    ends = [match.end() for match in _LINE_END.finditer(context, 0, span.start)]
    column = span.start - (ends[-1] if ends else 0) + 1
    parts = [f"{one_line(name)}:{len(ends) + 1}:{column}", codes]
    if "\f" in context:
        parts.append(f"page {context.count(chr(12), 0, span.start) + 1}")
    return " · ".join(parts)


def put(console: Console, text: Text, *, indent: int = 0) -> None:
    """Print a text with an indent: wrapped at words on a terminal, else as one line."""
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
    cut = SENTENCE_END.search(piece) or _WORD.search(piece)
    return f"… {piece[cut.end() :]}" if cut else f"…{piece}"


def _after(context: str, end: int, reach: int) -> str:
    """Return the text that follows a position, to the end of its paragraph if that is within reach."""
    piece = context[end : end + reach]
    if found := _PARAGRAPH.search(piece):
        return piece[: found.start()].rstrip()
    if end + reach >= len(context):
        return piece.rstrip()
    if sentences := list(SENTENCE_END.finditer(piece)):
        return piece[: sentences[-1].end()].rstrip() + " …"
    words = list(_WORD.finditer(piece))
    return f"{piece[: words[-1].start()]} …" if words else f"{piece}…"
