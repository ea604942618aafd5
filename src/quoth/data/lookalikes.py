"""Finds texts that look the same but differ in spaces, quotes, dashes or Unicode form, and shows the differences."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import NamedTuple

from quoth.data.rows import shown
from quoth.text import DOUBLE_QUOTES, HYPHENS, SINGLE_QUOTES

_SINGLE = {
    **dict.fromkeys(SINGLE_QUOTES, "'"),
    **dict.fromkeys(DOUBLE_QUOTES, '"'),
    **dict.fromkeys(HYPHENS, "-"),
    "…": "...",
}
# A text that looks the same as another one has at most twice its length and this many more code points.
_EXTRA = 10
_EXCERPT = 20  # number of code points shown on either side of a difference


class Folded(NamedTuple):
    """A folded text.

    Attributes:
        text: The text with white space as one space, quotes and dashes as ASCII, and in the Unicode form NFKD.
        places: The index of each character in the original text, and at the end the length of the original text.
    """

    text: str
    places: list[int]

    def find_all(self, needle: str) -> list[tuple[int, int]]:
        """Return all places of a folded text, as start and end in the original."""
        found: list[tuple[int, int]] = []
        start = self.text.find(needle) if needle else -1
        while start >= 0:
            end = start + len(needle)
            first, last = self.places[start], self.places[end - 1]
            # Ignore matches that start or end in the middle of a character's decomposition.
            is_complete = (start == 0 or self.places[start - 1] != first) and self.places[end] != last
            if is_complete and not unicodedata.combining(self.text[end : end + 1] or " "):
                found.append((first, last + 1))
            start = self.text.find(needle, start + 1)
        return found


@lru_cache(maxsize=64)
def fold(text: str, *, case: bool = False) -> Folded:
    """Fold a text; with ``case``, fold upper and lower case, too."""
    pieces: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        plain = _fold_character(character, case)
        if plain == " " and pieces and pieces[-1] == " ":
            continue
        pieces.extend(plain)
        places.extend([place] * len(plain))
    places.append(len(text))
    return Folded("".join(pieces), places)


def alike_at(context: str, start: int, text: str, *, case: bool = False) -> str | None:
    """Return the text at a place of a context if it has the same folded form as a given text; else ``None``."""
    there = context[start : start + 2 * len(text) + _EXTRA]
    found = fold(there, case=case).find_all(fold(text, case=case).text.strip())
    return next((there[:end] for first, end in found if first == 0), None)


@lru_cache(maxsize=4096)
def _fold_character(character: str, case: bool) -> str:
    if character.isspace():
        return " "
    if unicodedata.category(character) == "Cf":
        return ""  # zero-width spaces and joiners, soft hyphens, direction marks
    plain = _SINGLE.get(character) or unicodedata.normalize("NFKD", character)
    plain = "".join(_SINGLE.get(each, each) for each in plain).strip() or plain
    return plain.casefold() if case else plain


def difference_message(wanted: str, there: str) -> str:
    r"""Return a message that one text is expected and another was found, with excerpts around the first difference.

    Example:
        >>> difference_message("640 metres", "640\xa0metres")
        'must be "640 metres", but is "640\\u00a0metres" (SPACE where the context has NO-BREAK SPACE)'
    """
    place = next((n for n, (a, b) in enumerate(zip(wanted, there, strict=False)) if a != b), None)
    if place is None:
        place = min(len(wanted), len(there))
    looks_same = fold(wanted).text == fold(there).text
    show = _escaped if looks_same else shown
    message = f"must be {show(_excerpt(wanted, place))}, but is {show(_excerpt(there, place))}"
    if not looks_same or wanted == there:
        return message
    if unicodedata.normalize("NFC", wanted) == unicodedata.normalize("NFC", there):
        return f"{message} (the same letters in another Unicode form: {_form(wanted)} and {_form(there)})"
    return f"{message} ({_name(wanted, place)} where the context has {_name(there, place)})"


def _excerpt(text: str, place: int) -> str:
    if len(text) <= 3 * _EXCERPT:
        return text
    start, end = max(0, place - _EXCERPT), place + _EXCERPT
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")


def _escaped(text: str) -> str:
    """Return a text in quotes, with an escape for each character that looks like an ASCII character."""
    return '"' + "".join(each if each == "…" or _is_plain(each) else _escape(each) for each in text) + '"'


def _is_plain(character: str) -> bool:
    if character.isascii():
        return character.isprintable()
    return character.isalnum() and unicodedata.normalize("NFC", character) == character


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def _name(text: str, place: int) -> str:
    if place >= len(text):
        return "nothing"
    return unicodedata.name(text[place], f"U+{ord(text[place]):04X}")


def _form(text: str) -> str:
    forms = [form for form in ("NFC", "NFD") if unicodedata.is_normalized(form, text)]
    return forms[0] if forms else "neither NFC nor NFD"
