"""Bytes to text and text to JSON, where what is wrong gets a line and a column."""

from __future__ import annotations

import codecs
import json

from quoth.data.rows import Problems


def decode(data: bytes, problems: Problems) -> str | None:
    """Return the text, line ends as they are; or ``None``, with each line noted that is not UTF-8."""
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError:
        for number, line in enumerate(data.split(b"\n"), 1):
            decode_line(line, number, problems)
        return None


def decode_line(line: bytes, number: int, problems: Problems) -> str | None:
    """Return the text of one line, or ``None`` if it is not UTF-8, which is noted."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        place = f"line {number}, byte {error.start + 1}"
        problems.add(place, f"must be UTF-8, but holds the byte 0x{line[error.start]:02x}; save the file as UTF-8")
        return None


def parse_json(text: str) -> object:
    """Return what a JSON text says.

    Raises:
        ValueError: If the text is not JSON, with where and why; a ``json.JSONDecodeError`` where it has a place.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def why_not_json(error: ValueError) -> str:
    """Return the end of a sentence that says what is wrong with a JSON text."""
    reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return f"must be JSON, but: {reason[:1].lower()}{reason[1:]}"
