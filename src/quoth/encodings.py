"""Detects the encoding of a text file, UTF-8, UTF-16 or UTF-32, and reads CSV with any delimiter and long cells."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

__all__ = ["csv_delimiter", "long_cells", "unicode_encoding"]

# Byte order marks. Those of UTF-32 come first, because they begin with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_HEAD, _MIN_BYTES = 4096, 8  # number of bytes from which UTF-16 is inferred, and the minimum number

_DELIMITERS = (",", ";", "\t", "|")
_LONGEST_CELL = 2**31 - 1  # the limit of the csv module is 131,072 characters by default, which some contexts exceed
_MAX_HEADER = 10_000  # number of characters from which the delimiter is inferred
_QUOTED = re.compile(r'(?<![^,;\t|])"(?:[^"]|"")*"?')  # a cell in quotes


def unicode_encoding(data: bytes) -> str:
    """Return the encoding by the byte order mark; else UTF-16 if zero bytes suggest Latin letters in it; else UTF-8.

    Decoding with it removes the mark. Whether the data can be decoded is not checked.

    Example:
        >>> unicode_encoding("Ana Bell".encode("utf-16-le")), unicode_encoding(b"Ana")
        ('utf-16-le', 'utf-8')
    """
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return name
    head = data[:_HEAD] if len(data) >= _MIN_BYTES else b""
    for high, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = head[high::2], head[1 - high :: 2]
        if zeros.count(0) > len(zeros) // 3 and others.count(0) <= len(others) // 20:
            return name
    return "utf-8"


def _usual_names(cells: Sequence[str]) -> int:
    return len({"id", "question", "context"} & {cell.strip().lower() for cell in cells})


def csv_delimiter(text: str, known: Callable[[Sequence[str]], int] = _usual_names) -> str:
    """Return the delimiter of a CSV file: comma, semicolon, tab or bar.

    It is the one that gives the most known names of columns; of several, the tab if there is one, which texts rarely
    contain; else the most frequent one outside quotes; of several, the first.

    Args:
        text: The file, or its first line, which has the names of the columns.
        known: Returns how many of the names are known. By default, these are ``id``, ``question`` and ``context``.

    Example:
        >>> csv_delimiter('label;"notes, free, form, text"')
        ';'
    """
    header = text.lstrip("\r\n")[:_MAX_HEADER].splitlines()[:1]
    unquoted = _QUOTED.sub("", "".join(header))

    def rank(delimiter: str) -> tuple[int, bool, int]:
        count = unquoted.count(delimiter)
        return known(next(csv.reader(header, delimiter=delimiter), [])), delimiter == "\t" and count > 0, count

    return max(_DELIMITERS, key=rank)


@contextmanager
def long_cells() -> Iterator[None]:
    """Let the csv module read cells of any length."""
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
