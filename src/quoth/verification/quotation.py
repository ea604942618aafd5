"""Finds the parts of a text that are in quotation marks, of any language, nested or over several paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from quoth.text import unspaced

# The marks that close a quote, by the mark that opens it.
_DOUBLE = {
    '"': '"',
    "“": "”",
    "„": "“”",
    "”": "”",
    "«": "»",
    "»": "«»",
    "「": "」",
    "『": "』",
    "〝": "〞〟",
    "＂": "＂",
    "״": "״",
}
_SINGLE = {"‘": "’", "‚": "‘’", "‹": "›", "'": "'"}
# Marks that can also close a quote, or be an apostrophe or a unit, so they open one only at the start of a word.
_AMBIGUOUS = frozenset("\"”»＂״'")
_MARKS = re.compile("[" + "".join(sorted({*_DOUBLE, *"".join(_DOUBLE.values())})) + "]")
_WORD_STARTS = "([{¿¡“‘«‚„‹'$€£¥+−-§#…"
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
_BEFORE_WORD = frozenset("([{<>—–/:=*_“‘«‚„‹\"'-")


@dataclass(slots=True)
class _Open:
    """A quote that has started: its opening mark, and the position after it."""

    mark: str
    start: int


def quoted(text: str) -> tuple[str, ...]:
    """Return the quotes in quotation marks in a text, in order; the whole text if there are none.

    A quote within a quote is a part of it. A quote that does not end goes to the end of its paragraph; if the next
    paragraph begins with the same mark, it continues there as another quote. Single quotation marks count only if there
    are no others, because most of them are apostrophes; such a quote ends at the last mark that can end it.

    Example:
        >>> quoted('It says "three months", and later “in writing”.')
        ('three months', 'in writing')
    """
    found = [text[start:end].strip() for start, end in sorted(_doubles(text))]
    found = [quote for quote in found if quote] or [quote.strip() for quote in _singles(text) if quote.strip()]
    return tuple(found) or ((text,) if text.strip() else ())


def _doubles(text: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of the outermost quotes in double marks, and of those within a quote that does not end."""
    open_quotes: list[_Open] = []
    inner: list[list[tuple[int, int]]] = [[]]
    paragraphs = [(match.start(), match.end()) for match in _PARAGRAPH.finditer(text)]
    place = 0
    for match in _MARKS.finditer(text):
        mark, position = match[0], match.start()
        while place < len(paragraphs) and paragraphs[place][1] <= position:
            end, start = paragraphs[place]
            place += 1
            if open_quotes and start == position and mark == open_quotes[0].mark:
                # The convention of quotes of several paragraphs: each begins with the mark, only the last one ends.
                yield open_quotes[0].start, end
                open_quotes.clear()
                inner = [[]]
        current = open_quotes[-1] if open_quotes else None
        if _opens(text, position, mark, current):
            open_quotes.append(_Open(mark, position + 1))
            inner.append([])
        elif current is not None and mark in _DOUBLE[current.mark]:
            closed = (open_quotes.pop().start, position)
            inner.pop()
            inner[-1].append(closed)
            if not open_quotes:
                yield closed
                inner = [[]]
    if open_quotes:
        first = open_quotes[0].start
        yield first, next((end for end, _ in paragraphs if end >= first), len(text))
        yield from (each for level in inner[1:] for each in level)


def _opens(text: str, position: int, mark: str, current: _Open | None) -> bool:
    """Return True if a mark opens a quote.

    A mark that can also close a quote opens one if nothing that it could close is open and no word is before it, or if
    a word begins after it and none is before it, so that it is nested.
    """
    if mark not in _DOUBLE:
        return False
    can_close = current is not None and mark in _DOUBLE[current.mark]
    if mark not in _AMBIGUOUS:
        return not can_close
    if current is not None and can_close:
        return mark == current.mark and position > current.start and _starts_word(text, position)
    return _ends_no_word(text, position) or unspaced(text[position - 1 : position])


def _starts_word(text: str, position: int) -> bool:
    after = text[position + 1 : position + 2]
    is_start = after.isalnum() or (bool(after) and after in _WORD_STARTS)
    return is_start and _ends_no_word(text, position)


def _ends_no_word(text: str, position: int) -> bool:
    before = text[position - 1 : position]
    return not before or before.isspace() or before in _BEFORE_WORD


def _singles(text: str) -> Iterator[str]:
    """Yield the quotes in single marks."""
    opening = []
    is_low = False
    for match in re.finditer("[‘‚‹']", text):
        is_end = is_low and match[0] == "‘"
        is_low = match[0] == "‚"
        if not is_end and _starts_word(text, match.start()):
            opening.append(match)
    for number, match in enumerate(opening):
        stop = opening[number + 1].start() if number + 1 < len(opening) else len(text)
        region = text[match.end() : stop]
        ends = [
            each.start()
            for each in re.finditer(f"[{_SINGLE[match[0]]}]", region)
            if each.start()
            and not region[each.start() - 1].isspace()
            and not region[each.end() : each.end() + 1].isalnum()
        ]
        if ends:
            yield region[: ends[-1]]
