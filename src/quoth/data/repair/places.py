"""Finds the place of an answer in its context, if it is unambiguous."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from quoth.data.lookalikes import alike_at, fold
from quoth.text import find_all

_MAX_SHIFT = 10  # maximum error of a start, in code points
_CASED = ("LATIN", "GREEK", "CYRILLIC")


class Place(NamedTuple):
    """The place of an answer: the rule that found it, the text at the place, and its start."""

    rule: str
    text: str
    start: int


def places_of(context: str, text: str, start: int | None) -> Iterator[Place]:
    """Yield the place that each rule finds, in the order of the rules. The places may differ.

    Args:
        context: The context.
        text: The answer, not empty, without leading and trailing white space.
        start: Its incorrect start, or ``None``.
    """
    if start is None or start < 0:
        start = None
    else:
        yield from _in_place(context, text, start)
        fitting = [Place(rule, text, at) for rule, at in in_other_units(context, start) if context.startswith(text, at)]
        if len({place.start for place in fitting}) == 1:  # otherwise, the unit is ambiguous
            yield from fitting
    found = list(find_all(context, text))
    if start is not None and (place := _nearest(found, start)) is not None:
        yield Place("near", text, place)
    if len(found) == 1:
        yield Place("elsewhere" if start is not None else "starts", text, found[0])
    if found:
        return
    yield from _in_other_letters(context, text, start)


def _in_place(context: str, text: str, start: int) -> Iterator[Place]:
    """Yield the text at the start itself, if it differs from the answer only in form."""
    for rule, case in (("look-alikes", False), ("case", True)):
        if (there := alike_at(context, start, text, case=case)) is not None:
            yield Place(rule, there, start)
            return
    for spelling in _spellings(text):
        if context.startswith(spelling, start):
            yield Place("entities", spelling, start)
            return


def in_other_units(context: str, start: int) -> Iterator[tuple[str, int]]:
    """Yield the start in code points for each other unit in which it may have been counted, with the unit's name."""
    if not context.isascii():
        yield from _decoded("bytes", context.encode("utf-8", "surrogatepass")[:start], "utf-8")
        yield from _decoded("utf-16", context.encode("utf-16-le", "surrogatepass")[: 2 * start], "utf-16-le")
    if "\r\n" in context:  # a CR LF pair counted as one
        done = 0
        for place, character in enumerate(f"{context} "):  # the end of the text is a valid position, too
            if done == start:
                yield "line-ends", place
                break
            done += not (character == "\r" and context[place + 1 : place + 2] == "\n")
    elif "\n" in context:  # a line feed counted as two
        before = 0
        for place, character in enumerate(f"{context} "):
            if place + before == start:
                yield "line-ends", place
                break
            before += character == "\n"


def _decoded(rule: str, head: bytes, encoding: str) -> Iterator[tuple[str, int]]:
    try:
        yield rule, len(head.decode(encoding, "surrogatepass"))
    except UnicodeDecodeError:
        return  # inside a character: not this unit


def _nearest(found: list[int], start: int) -> int | None:
    close = [place for place in found if abs(place - start) <= _MAX_SHIFT]
    return close[0] if len(close) == 1 else None


def _in_other_letters(context: str, text: str, start: int | None) -> Iterator[Place]:
    """Yield the place of a text that looks like the answer: the one near its start, else the only one."""
    for rule, case in (("look-alikes", False), ("case", True)):
        if rule == "case":
            yield from _with_entities(context, text)
        spans = fold(context, case=case).find_all(fold(text, case=case).text.strip())
        close = [span for span in spans if start is not None and abs(span[0] - start) <= _MAX_SHIFT]
        if len(close) == 1 or len(spans) == 1:
            first, last = (close if len(close) == 1 else spans)[0]
            yield Place(rule, context[first:last], first)


def _with_entities(context: str, text: str) -> Iterator[Place]:
    found = [(spelling, place) for spelling in _spellings(text) for place in find_all(context, spelling)]
    if len(found) == 1:
        yield Place("entities", *found[0])


def _spellings(text: str) -> list[str]:
    return sorted({html.unescape(text), html.escape(text), html.escape(text, quote=False)} - {text})


def whole_words(context: str, start: int, end: int) -> tuple[int, int]:
    """Return a span of whole words of Latin, Greek or Cyrillic letters if it is unambiguous, else the same span.

    "ten" in "contenders" is moved to the separate word "ten" if it occurs exactly once; "Rober" in "Roberson" is
    extended to the whole word, because it is more than half of it. This applies only between two letters: "1990" in
    "1990s" is unchanged, and so are scripts with particles or without spaces between words.
    """
    first, last = _widened(context, start, end)
    if (first, last) == (start, end):
        return start, end
    text = context[start:end]
    places = [
        place
        for place in find_all(context, text)
        if _widened(context, place, place + len(text)) == (place, place + len(text))
    ]
    if places:
        return (places[0], places[0] + len(text)) if len(places) == 1 else (start, end)
    head = next((n for n, each in enumerate(text) if not each.isalpha()), len(text))
    tail = next((n for n, each in enumerate(reversed(text)) if not each.isalpha()), len(text))
    is_most = start - first < max(head, 1) and last - end < max(tail, 1)
    return (first, last) if is_most else (start, end)


def _widened(context: str, start: int, end: int) -> tuple[int, int]:
    while start > 0 and _joined(context, start):
        start -= 1
    while end < len(context) and _joined(context, end):
        end += 1
    return start, end


def _joined(context: str, place: int) -> bool:
    before, after = context[place - 1], context[place]
    return before.isalpha() and after.isalpha() and _is_cased(before) and _is_cased(after)


def _is_cased(character: str) -> bool:
    if character.isascii():
        return True
    return unicodedata.name(character, "").startswith(_CASED)
