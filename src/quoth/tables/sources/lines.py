"""CSV and JSON lines: text files, with a known byte offset for the first row of each shard.

A row that cannot be parsed becomes a row with an error. The columns of CSV are texts: "007" stays "007". A column of
JSON lines has the common type of its values; if there is none, each value is written as JSON.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa

from quoth.errors import DataError
from quoth.tables.columns import RowError
from quoth.tables.rows import Rows
from quoth.tables.sources.files import Location, Scan

# Maximum rows, and approximate characters, that are in memory at once.
_ROWS, _CHARACTERS = 1024, 1 << 24
_LONGEST_CELL = 2**31 - 1
_SURROGATES = re.compile("[\ud800-\udfff]")
_TYPES = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64(), "bool": pa.bool_()}
# Returns True for the first row of a shard.
Begins = Callable[[int], bool]


class _Lines:
    """The lines of a file as text, with the byte offset of the next one. Bytes that are not UTF-8 become surrogates."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        file.seek(offset)
        self._file = file
        self.offset = offset

    def __iter__(self) -> Iterator[str]:
        for raw in self._file:
            text = raw.decode("utf-8", "surrogateescape")
            if self.offset == 0:
                text = text.removeprefix("\ufeff")
            self.offset += len(raw)
            yield text


def scan_csv(location: Location, begins: Begins) -> Scan:
    """Read the header and find the rows.

    Raises:
        DataError: If it is not CSV with a header, or a quote is never closed.
    """
    names, delimiter, offset = _header(location)
    rows, marks = 0, []
    for start, _ in _records(location, delimiter, offset):
        if not rows or begins(rows):
            marks.append((rows, start))
        rows += 1
    return Scan(rows, marks, pa.schema([(name, pa.string()) for name in names]))


def read_csv(location: Location, schema: pa.Schema, place: int) -> Iterator[Rows]:
    """Yield the rows, starting at a byte offset; ``schema`` has the columns to read."""
    names, delimiter, _ = _header(location)
    places = [names.index(name) for name in schema.names]
    block = _Block(schema)
    for _, cells in _records(location, delimiter, place):
        wrong = None
        if len(cells) != len(names):
            wrong = RowError("unreadable_row", f"the row must have {len(names)} cells, but has {len(cells)}")
            cells = [*cells, *[None] * (len(names) - len(cells))]
        yield from block.add([cells[index] for index in places], wrong)
    yield from block.rest()


def _header(location: Location) -> tuple[list[str], str, int]:
    """Return the names of the columns, the delimiter, and the offset of the first row."""
    with location.open() as file:
        if file.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(location.path, [f"{location.path}: must be UTF-8, but is UTF-16. Convert it."])
        lines = _Lines(file, 0)
        iterator = iter(lines)
        first = next(iterator, "")
        delimiter = max(",;\t", key=first.count) if not location.path.endswith(".tsv") else "\t"
        lines.offset = 0
        file.seek(0)
        names = next(csv.reader(iter(lines), delimiter=delimiter, strict=True), [])
        if not names:
            raise DataError(location.path, [f"{location.path}: must have a header, but its first line is empty"])
        return names, delimiter, lines.offset


def _records(location: Location, delimiter: str, offset: int) -> Iterator[tuple[int, list[Any]]]:
    """Yield each record with its byte offset. Blank lines are skipped."""
    limit = csv.field_size_limit(_LONGEST_CELL)
    with location.open() as file:
        lines = _Lines(file, offset)
        reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
        start = offset
        try:
            for cells in reader:
                if cells:
                    yield start, cells
                start = lines.offset
        except csv.Error as error:
            raise DataError(location.path, [f"{location.path}: byte {start:,}: must be CSV, but: {error}"]) from error
        finally:
            csv.field_size_limit(limit)


def scan_jsonl(location: Location, begins: Begins) -> Scan:
    """Find the rows, and the type of each column."""
    rows, marks, kinds = 0, [], dict[str, set[str]]()
    for start, line in _json_lines(location, 0):
        if not rows or begins(rows):
            marks.append((rows, start))
        rows += 1
        fields, _ = _parsed(line)
        for name, value in fields.items():
            kinds.setdefault(name, set()).add(_kind(value))
    return Scan(rows, marks, pa.schema([(name, _TYPES[_common(found)]) for name, found in kinds.items()]))


def read_jsonl(location: Location, schema: pa.Schema, place: int, text_columns: Sequence[str]) -> Iterator[Rows]:
    """Yield the rows, starting at a byte offset.

    Args:
        location: The file.
        schema: The columns to read.
        place: The byte offset.
        text_columns: Text columns: another type of value becomes an error of the row.
    """
    block = _Block(schema)
    convert = [_as_is if field.type != pa.string() else _as_text for field in schema]
    for _, line in _json_lines(location, place):
        fields, wrong = _parsed(line)
        for name in text_columns:
            value = fields.get(name)
            if wrong is None and value is not None and not isinstance(value, str):
                wrong = RowError("not_text", f"column {name!r} must be a text, but is {json.dumps(value)[:60]}")
        yield from block.add([to(fields.get(name)) for to, name in zip(convert, schema.names, strict=True)], wrong)
    yield from block.rest()


def _json_lines(location: Location, offset: int) -> Iterator[tuple[int, str]]:
    with location.open() as file:
        lines = _Lines(file, offset)
        start = offset
        for line in lines:
            if line.strip():
                yield start, line
            start = lines.offset


def _parsed(line: str) -> tuple[dict[str, Any], RowError | None]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {}, RowError("unreadable_row", f"the line must be JSON, but cannot be read: {error}")
    if not isinstance(fields, dict):
        return {}, RowError("unreadable_row", f"the line must be a JSON object, but is a {type(fields).__name__}")
    return fields, None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64" if -(2**63) <= value < 2**63 else "other"
    return {float: "double", str: "string"}.get(type(value), "other")


def _common(kinds: set[str]) -> str:
    """Return the common type of a column from the types of its values."""
    kinds = kinds - {"null"}
    if len(kinds) == 1 and "other" not in kinds:
        return next(iter(kinds))
    return "double" if kinds == {"int64", "double"} else "string"


def _as_is(value: Any) -> Any:
    return value


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class _Block:
    """Collects rows and converts them to Arrow."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._clear()

    def _clear(self) -> None:
        self._rows: list[list[Any]] = []
        self._broken: dict[int, RowError] = {}
        self._characters = 0

    def add(self, values: list[Any], wrong: RowError | None) -> Iterator[Rows]:
        """Add a row, and yield the collected rows if there are enough."""
        for index, value in enumerate(values):
            if isinstance(value, str):
                self._characters += len(value)
                if not value.isascii() and _SURROGATES.search(value):
                    values[index] = _SURROGATES.sub("\ufffd", value)
                    wrong = wrong or RowError("not_utf8", "the row must be UTF-8, but is not")
        if wrong:
            self._broken[len(self._rows)] = wrong
        self._rows.append(values)
        if len(self._rows) >= _ROWS or self._characters >= _CHARACTERS:
            yield from self.rest()

    def rest(self) -> Iterator[Rows]:
        """Yield the remaining rows."""
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = [pa.array(list(column), field.type) for column, field in zip(columns, self._schema, strict=True)]
            yield Rows(pa.Table.from_arrays(arrays, schema=self._schema), self._broken)
        self._clear()
