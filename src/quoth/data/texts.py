"""Decodes text and parses JSON, and reports errors with line and column."""

from __future__ import annotations

import ast
import codecs
import json
from collections.abc import Iterator

from quoth.data.rows import Problems
from quoth.encodings import unicode_encoding
from quoth.errors import ConfigError


def decode(data: bytes, problems: Problems) -> str | None:
    """Return the text of UTF-8 with its line ends; ``None`` if it is not UTF-8, with an error for each such line."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        for number, line in enumerate(data.split(b"\n"), 1):
            decode_line(line, number, problems)
        return None


def decode_line(line: bytes, number: int, problems: Problems) -> str | None:
    """Return the text of one line; ``None`` if it is not UTF-8, which is reported."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        place = f"line {number}, byte {error.start + 1}"
        message = (
            f"must be UTF-8, but contains the byte 0x{line[error.start]:02x}; save the file as UTF-8, or state its"
        )
        rewrite = f"quoth data repair {problems.source} -o OUT.json --encoding cp1252"
        advice = f"encoding with --encoding, such as that of Windows in Western Europe: {rewrite}"
        problems.add(place, f"{message} {advice}", "utf-8")
        return None


def as_utf8(data: bytes, encoding: str | None, problems: Problems) -> bytes | None:
    """Convert text to UTF-8 without a byte order mark; ``None`` if it does not have its encoding, which is reported.

    Without a given encoding, text that is neither UTF-16 nor UTF-32 is returned as it is: its lines are checked when
    they are decoded.

    Raises:
        ConfigError: If there is no such encoding.
    """
    name = encoding or unicode_encoding(data)
    if encoding is None and name.startswith("utf-8"):
        return data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode(name).removeprefix("\ufeff").encode("utf-8", "surrogatepass")
    except LookupError:
        raise ConfigError(f"encoding must be one that Python knows, such as cp1252 or utf-16, but is {name}") from None
    except UnicodeDecodeError as error:
        problems.add("", f"must be {name}, but byte {error.start + 1} is not: {error.reason}")
        return None


def parse_json(text: str) -> object:
    """Parse a JSON text. NaN, which pandas writes for a missing value, is ``None``.

    Raises:
        ValueError: If it is not JSON; a ``json.JSONDecodeError`` if the position is known.
    """
    try:
        return json.loads(text, parse_constant=lambda name: None if name == "NaN" else float(name))
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def parse_lines(text: str, problems: Problems) -> Iterator[object]:
    """Yield the value of each line of JSON lines; lines that are not JSON are reported, and blank ones skipped."""
    # Split at line feeds only, because text in JSON may contain all other line ends of Unicode.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield parse_json(line)
            except ValueError as error:
                problems.add(f"line {number}", json_problem(error), "no JSON")


def parse_cell(text: str) -> object:
    """Parse a cell with JSON, or with Python literals as pandas writes them; ``array([...])`` is read as a list.

    Raises:
        ValueError: If it is neither; the error is that of JSON.
    """
    try:
        return parse_json(text)
    except ValueError as error:
        try:
            return ast.literal_eval(_ArrayToList().visit(ast.parse(text.strip(), mode="eval")))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            raise error from None


class _ArrayToList(ast.NodeTransformer):
    """Replaces ``array(x)`` by ``x``."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id == "array" and node.args:
            return self.visit(node.args[0])  # type: ignore[no-any-return]
        return node


def json_problem(error: ValueError) -> str:
    """Return a message about invalid JSON, without its place."""
    reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return f"must be JSON, but: {reason[:1].lower()}{reason[1:]}"
