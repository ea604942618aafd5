"""CSV and JSON lines: text files, with a known byte offset for the first row of each shard.

A row that cannot be parsed becomes a row with an error. The columns of CSV are texts: "007" stays "007". A column of
JSON lines has the common type of its values; if there is none, each value is written as JSON.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, BinaryIO

import pyarrow as pa

from quoth.encodings import csv_delimiter, long_cells
from quoth.errors import DataError
from quoth.tables.columns import RowError, is_text
from quoth.tables.rows import Rows
from quoth.tables.sources.files import Location, Scan

# Maximum rows, and approximate characters, that are in memory at once.
_ROWS, _CHARACTERS = 1024, 1 << 24
# Bytes of a compressed file that are skipped at once.
_SKIP = 1 << 20
# The first bytes of files that are not UTF-8 text.
_FOREIGN = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x1f\x8b": "compressed by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"BZh": "compressed by bzip2",
    b"PK\x03\x04": "a ZIP archive or a spreadsheet",
    b"PAR1": "Parquet",
}
_SURROGATES = re.compile("[\ud800-\udfff]")
_TYPES = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64(), "bool": pa.bool_()}
# Returns True for the first row of a shard.
Begins = Callable[[int], bool]


class _Lines:
    """The lines of a file as text, with the byte offset of the next one. Bytes that are not UTF-8 become surrogates.

    The offsets of a compressed file are those of its decompressed text.
    """

    def __init__(self, file: BinaryIO, offset: int) -> None:
        if offset and file.seekable():
            file.seek(offset)
        else:
            left = offset
            while left and (skipped := file.read(min(left, _SKIP))):
                left -= len(skipped)
        self._file = file
        self.offset = offset

    def __iter__(self) -> Iterator[str]:
        for raw in self._file:
            text = raw.decode("utf-8", "surrogateescape")
            if self.offset == 0:
                text = text.removeprefix("\ufeff")
            self.offset += len(raw)
            yield text


@contextmanager
def _lines(location: Location, offset: int) -> Iterator[_Lines]:
    """Open a file at a byte offset.

    Raises:
        DataError: If it is not UTF-8 text.
    """
    with location.text_file() as file:
        start = b"" if offset else file.peek(4)
        for first, what in _FOREIGN.items():
            if start.startswith(first):
                raise DataError(
                    location.path,
                    [f"{location.path}: must be {location.format} in UTF-8, but is {what}. Convert or rename it."],
                )
        yield _Lines(file, offset)


def scan_csv(location: Location, begins: Begins) -> Scan:
    """Read the header and find the rows.

    Raises:
        DataError: If it is not CSV with a header, a quote is never closed, or a name of a column is not UTF-8.
    """
    names, delimiter, offset = _header(location)
    rows, marks = 0, []
    for start, _ in _records(location, delimiter, offset):
        if not rows or begins(rows):
            marks.append((rows, start))
        rows += 1
    return Scan(rows, marks, _schema(location, [(name, pa.string()) for name in names]))


def _schema(location: Location, columns: list[tuple[str, pa.DataType]]) -> pa.Schema:
    """Return the schema of a file.

    Raises:
        DataError: If a name is not UTF-8, which an Arrow schema requires.
    """
    for name, _ in columns:
        if _SURROGATES.search(name):
            shown = _SURROGATES.sub("\ufffd", name)
            problem = f"{location.path}: the names of columns must be UTF-8, but {shown!r} is not. Convert it to UTF-8."
            raise DataError(location.path, [problem])
    return pa.schema(columns)


def read_csv(location: Location, schema: pa.Schema, place: int) -> Iterator[Rows]:
    """Yield the rows, starting at a byte offset; ``schema`` has the columns to read."""
    names, delimiter, _ = _header(location)
    places = [names.index(name) for name in schema.names]
    block = _Block(schema)
    for _, record in _records(location, delimiter, place):
        wrong, cells = (record, list[Any]()) if isinstance(record, RowError) else (None, record)
        if wrong is None and len(cells) != len(names):
            wrong = RowError("unreadable_row", f"the row must have {len(names)} cells, but has {len(cells)}")
        cells = [*cells, *[None] * (len(names) - len(cells))]
        yield from block.add([cells[index] for index in places], wrong)
    yield from block.rest()


def _header(location: Location) -> tuple[list[str], str, int]:
    """Return the names of the columns, the delimiter, and the offset of the first row."""
    with _lines(location, 0) as lines:
        iterator = iter(lines)
        first = next(iterator, "")
        delimiter = csv_delimiter(first)
        try:
            names = next(csv.reader(chain([first], iterator), delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            reason = "its lines end in \\r alone" if "new-line" in str(error) else f"its header is not: {error}"
            raise DataError(location.path, [f"{location.path}: must be CSV, but {reason}"]) from error
        if not names:
            raise DataError(location.path, [f"{location.path}: must have a header, but its first line is empty"])
        return names, delimiter, lines.offset


def _records(location: Location, delimiter: str, offset: int) -> Iterator[tuple[int, list[Any] | RowError]]:
    """Yield each record with its byte offset; a line that cannot be parsed is an error. Blank lines are skipped."""
    with long_cells(), _lines(location, offset) as lines:
        records = csv.reader(iter(lines), delimiter=delimiter, strict=True)
        while True:
            start = lines.offset
            try:
                cells = next(records, None)
            except csv.Error as error:
                if "end of data" in str(error):  # a quote that is never closed hides all further rows
                    problem = f"{location.path}: byte {start:,}: must be CSV, but: {error}"
                    raise DataError(location.path, [problem]) from error
                yield start, RowError("unreadable_row", f"the row must be CSV, but: {error}")
                continue
            if cells is None:
                return
            if cells:
                yield start, cells


def scan_jsonl(location: Location, begins: Begins) -> Scan:
    """Find the rows, and the type of each column.

    Raises:
        DataError: If a name of a column is not UTF-8.
    """
    rows, marks, kinds = 0, [], dict[str, set[str]]()
    for start, line in _json_lines(location, 0):
        if not rows or begins(rows):
            marks.append((rows, start))
        rows += 1
        fields, _ = _parsed(line)
        for name, value in fields.items():
            kinds.setdefault(name, set()).add(_kind(value))
    return Scan(rows, marks, _schema(location, [(name, _TYPES[_common(found)]) for name, found in kinds.items()]))


def read_jsonl(location: Location, schema: pa.Schema, place: int, text_columns: Sequence[str]) -> Iterator[Rows]:
    """Yield the rows, starting at a byte offset.

    Args:
        location: The file.
        schema: The columns to read.
        place: The byte offset.
        text_columns: Text columns: another type of value becomes an error of the row.
    """
    block = _Block(schema)
    convert = [_as_text if is_text(field.type) else _as_is for field in schema]
    for _, line in _json_lines(location, place):
        fields, wrong = _parsed(line)
        for name in text_columns:
            value = fields.get(name)
            if wrong is None and value is not None and not isinstance(value, str):
                wrong = RowError("not_text", f"column {name!r} must be a text, but is {json.dumps(value)[:60]}")
        yield from block.add([to(fields.get(name)) for to, name in zip(convert, schema.names, strict=True)], wrong)
    yield from block.rest()


def _json_lines(location: Location, offset: int) -> Iterator[tuple[int, str]]:
    with _lines(location, offset) as lines:
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
