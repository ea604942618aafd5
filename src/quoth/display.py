"""Text that is safe to print on a terminal, in HTML or in a table for spreadsheets."""

from __future__ import annotations

import re

__all__ = ["count", "excel_safe", "one_line", "percent", "visible"]

# Control characters, characters that change the text direction, and lone surrogates, which UTF-8 cannot encode. Line
# feed and tab are kept.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# Spreadsheets treat cells that begin with one of these characters as formulas.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_WHITE_SPACE = re.compile(r"\s+")


def visible(text: str) -> str:
    r"""Replace each character that a terminal would interpret, one for one.

    Control characters become their Unicode pictures, the others U+FFFD.

    Example:
        >>> visible("\x1b[31m")
        '␛[31m'
    """
    return _UNSAFE.sub(_picture, text)


def one_line(text: str) -> str:
    """Return a text as one line: white space becomes single spaces, control characters become visible."""
    return visible(_WHITE_SPACE.sub(" ", text))


def excel_safe(cell: object) -> object:
    """Return a cell of a CSV file; a text that a spreadsheet would treat as a formula begins with an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def percent(probability: float) -> str:
    """Format a probability with one decimal, 0 and 100 % only if exact: ``<0.1%``, ``97.3%``, ``>99.9%``."""
    if 0 < probability < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < probability < 1 else f"{probability:.1%}"


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
