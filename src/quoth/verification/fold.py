"""Folds a text: removes differences of case, spaces, quotation marks, hyphens, ligatures and Unicode form.

Two texts with the same folded form have the same words in the same order. Digits are never joined: a space between two
digits is kept, and so is a hyphen next to a digit.

``quoth.data.lookalikes`` also folds texts, but for another question: whether two texts look the same. There, upper and
lower case, or single and double quotation marks, are different, and all compatibility forms (NFKD) are the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from quoth.text import DOUBLE_QUOTES, HYPHENS, SINGLE_QUOTES

Codes = NDArray[np.uint32]
Bools = NDArray[np.bool_]

# Separates sources that are searched together. It is not a code point, so no quote can contain it.
SEPARATOR = 0x110000
# Length from which distinct code points are found by counting instead of sorting, which is faster for long texts.
_LONG = 200_000
# Kinds of differences that folding removes.
FORMS = ("case", "spaces", "quotation marks", "hyphens", "ligatures", "invisible characters", "Unicode form")

_SPACES, _HYPHEN = re.compile(" +"), re.compile("-")
_QUOTATION_MARKS = frozenset(f"'\"{SINGLE_QUOTES}{DOUBLE_QUOTES}‹›「」『』〝〞〟＂＇")
_HYPHENS = frozenset(f"-{HYPHENS}")
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "ĳ": "ij", "Ĳ": "IJ"}


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text.

    Attributes:
        codes: Its code points, shape ``(n,)``.
        origin: For each of ``codes``, the index of its original code point in the text, int32, shape ``(n,)``.
    """

    codes: Codes
    origin: NDArray[np.int32]

    @property
    def text(self) -> str:
        """The folded text as a string."""
        return self.codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def codes_of(text: str) -> Codes:
    """Return the code points of a text, uint32, shape ``(len(text),)``."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def fold(codes: Codes, skip: str = "") -> Folded:
    """Fold a text.

    Args:
        codes: Its code points; may contain :data:`SEPARATOR`.
        skip: One of :data:`FORMS` that is not folded.
    """
    codes, origin = _fold_each(codes, skip)
    if skip != "spaces":
        kept = _needed_spaces(codes)
        codes, origin = codes[kept], origin[kept]
    if skip != "hyphens":
        kept = ~_inner_hyphens(codes)
        codes, origin = codes[kept], origin[kept]
    return Folded(codes, origin)


def fold_text(text: str, skip: str = "") -> str:
    """Return the folded form of a short text. For a long text, :func:`fold` is faster.

    Args:
        text: The text.
        skip: One of :data:`FORMS` that is not folded.
    """
    folded = "".join([_fold_character(character, skip) for character in text])
    if skip != "spaces":
        folded = _SPACES.sub(_between_digits, folded)
    if skip != "hyphens":
        folded = _HYPHEN.sub(_not_between_letters, folded)
    return folded


def _between_digits(match: re.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    return " " if text[max(0, start - 1) : start].isdigit() and text[end : end + 1].isdigit() else ""


def _not_between_letters(match: re.Match[str]) -> str:
    text, place = match.string, match.start()
    return "" if text[max(0, place - 1) : place].isalpha() and text[place + 1 : place + 2].isalpha() else "-"


@lru_cache(maxsize=65_536)
def _fold_character(character: str, skip: str) -> str:
    return "".join(map(chr, _fold_one(ord(character), skip)))


def _fold_each(codes: Codes, skip: str) -> tuple[Codes, NDArray[np.int32]]:
    """Fold each code point separately. A code point can become several code points, or none."""
    known, which = _distinct(codes)
    folded = [_fold_one(code, skip) for code in known.tolist()]
    lengths = np.array([len(each) for each in folded], np.int32)
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.int32) if len(folded) else lengths
    flat = np.array([code for each in folded for code in each], np.uint32)
    counts = lengths[which]
    origin = np.repeat(np.arange(len(codes), dtype=np.int32), counts)
    # The index of each folded code point among those of its original code point.
    ends = np.cumsum(counts, dtype=np.int32)
    within = np.arange(len(origin), dtype=np.int32) - (ends - counts)[origin]
    return flat[starts[which[origin]] + within] if len(origin) else np.empty(0, np.uint32), origin


@lru_cache(maxsize=65_536)
def _fold_one(code: int, skip: str) -> tuple[int, ...]:
    if code == SEPARATOR:
        return (code,)
    text = character = chr(code)
    if character.isspace() and skip != "spaces":
        text = " "
    elif unicodedata.category(character) == "Cf" and skip != "invisible characters":
        text = ""
    elif character in _QUOTATION_MARKS and skip != "quotation marks":
        text = "'"
    elif character in _HYPHENS and skip != "hyphens":
        text = "-"
    elif character in _LIGATURES and skip != "ligatures":
        text = _LIGATURES[character]
    if skip != "case" and character not in _LIGATURES:
        text = text.casefold()
    if skip != "Unicode form":
        text = unicodedata.normalize("NFD", text)
    return tuple(map(ord, text))


def _needed_spaces(codes: Codes) -> Bools:
    """Return True for characters that are not spaces, and for one space of each run between two digits."""
    kept: Bools = codes != 32
    places = np.flatnonzero(kept)
    digits = _test_each(codes, str.isdigit)[places]
    separated = np.flatnonzero(digits[:-1] & digits[1:] & (np.diff(places) > 1))
    kept[places[separated] + 1] = True
    return kept


def _inner_hyphens(codes: Codes) -> Bools:
    """Return True for hyphens between two letters, such as those at the end of a line."""
    found = np.zeros(len(codes), np.bool_)
    letters = _test_each(codes, str.isalpha)
    found[1:-1] = (codes[1:-1] == ord("-")) & letters[:-2] & letters[2:]
    return found


def _distinct(codes: Codes) -> tuple[Codes, NDArray[np.int32]]:
    """Return the distinct code points in ascending order, and the index of each code point among them."""
    if len(codes) < _LONG:
        known, which = np.unique(codes, return_inverse=True)
        return known, which.astype(np.int32)
    # Counting is faster than sorting for a long text with few distinct code points.
    known = np.flatnonzero(np.bincount(codes, minlength=SEPARATOR + 1)).astype(np.uint32)
    table = np.empty(SEPARATOR + 1, np.int32)
    table[known] = np.arange(len(known), dtype=np.int32)
    return known, table[codes]


def _test_each(codes: Codes, test: Callable[[str], bool]) -> Bools:
    """Apply a test to each code point."""
    known, which = _distinct(codes)
    return np.array([code != SEPARATOR and test(chr(code)) for code in known.tolist()], np.bool_)[which]
