"""Detects the encoding of a text file: UTF-8, UTF-16 or UTF-32."""

from __future__ import annotations

import codecs

__all__ = ["unicode_encoding"]

# Byte order marks. Those of UTF-32 come first, because they begin with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_HEAD, _MIN_BYTES = 4096, 8  # number of bytes from which UTF-16 is inferred, and the minimum number


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
