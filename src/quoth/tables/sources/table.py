"""A table of many files, of which any range of rows can be read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

import pyarrow as pa

from quoth.errors import ConfigError, DataError
from quoth.tables.columns import RowError, is_text, kept_names
from quoth.tables.rows import PIECE_BYTES, Rows, leading
from quoth.tables.settings import TableSettings
from quoth.tables.sources import columnar, lines
from quoth.tables.sources.files import Location, Scan, readable


@dataclass(frozen=True, slots=True)
class TableFile:
    """A scanned file.

    Attributes:
        location: Its location.
        fingerprint: Its fingerprint, to detect changes.
        rows: Number of rows.
        marks: Rows at which reading can start, each with its position in the file.
    """

    location: Location
    fingerprint: Mapping[str, Any]
    rows: int
    marks: tuple[tuple[int, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        marks = [list(mark) for mark in self.marks]
        return {**asdict(self.location), **self.fingerprint, "rows": self.rows, "marks": marks}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TableFile:
        """Create it from the result of :meth:`to_dict`."""
        rest = {key: value for key, value in values.items() if key not in ("path", "format", "rows", "marks")}
        marks = tuple((row, place) for row, place in values["marks"])
        return cls(Location(values["path"], values["format"]), rest, values["rows"], marks)

    def check_unchanged(self) -> None:
        """Check quickly that the file has not changed.

        Raises:
            DataError: If its size or modification time differs.
        """
        size, modified = self.location.state()
        if (size, modified) != (self.fingerprint["size"], self.fingerprint["modified_ns"]):
            path = self.location.path
            raise DataError(
                path, [f"{path}: must not change while it is read, but has changed. Start again in another folder."]
            )


@dataclass(frozen=True, slots=True)
class Table:
    """A table of files with the same columns.

    Attributes:
        files: The files, in the order of their rows.
        schema: The columns.
    """

    files: tuple[TableFile, ...]
    schema: pa.Schema

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(file.rows for file in self.files)


def scan(locations: Sequence[Location], settings: TableSettings, rows_per_shard: int) -> Table:
    """Count the rows of each file, and find the common types of their columns.

    Raises:
        ConfigError: If a file lacks columns, or two files have columns without a common type.
        DataError: If a file cannot be read.
    """
    files: list[TableFile] = []
    schema: pa.Schema | None = None
    before = 0
    for location in locations:
        fingerprint = location.fingerprint()
        with readable(location):
            found = _scan(location, before, rows_per_shard)
        files.append(TableFile(location, fingerprint, found.rows, tuple(found.marks)))
        before += found.rows
        if schema is None or not schema.names:
            schema = found.schema
        elif found.rows or found.schema.names:
            schema = _agreed(schema, found.schema, settings, (locations[0], location))
    if schema is not None and not schema.names:
        _refuse_no_object(files)
    return Table(tuple(files), schema if schema is not None else pa.schema([]))


def _scan(location: Location, before: int, rows_per_shard: int) -> Scan:
    def begins(row: int) -> bool:
        return (before + row) % rows_per_shard == 0

    if location.format == "csv":
        return lines.scan_csv(location, begins)
    if location.format == "jsonl":
        return lines.scan_jsonl(location, begins)
    return columnar.scan_columnar(location)


def _refuse_no_object(files: Sequence[TableFile]) -> None:
    """Check that there is a row with columns, if there are rows: each line of an array in several lines is invalid.

    Raises:
        DataError: If there is none.
    """
    for file in files:
        if file.rows and file.location.format == "jsonl":
            path = file.location.path
            raise DataError(path, [f"{path}: must have a JSON object in each line, but no line has one"])


def _agreed(schema: pa.Schema, other: pa.Schema, settings: TableSettings, where: Sequence[Location]) -> pa.Schema:
    """Return the common schema of two files; JSON lines may lack columns, or have values of any types."""
    first, second = where
    if first.format == second.format == "jsonl":
        return _united(schema, other)
    names = schema.names if settings.columns is None else [*settings.text_columns, *kept_names(schema, settings)]
    extra = [name for name in other.names if name not in schema.names] if settings.columns is None else []
    for name in dict.fromkeys([*names, *extra]):
        if schema.names.count(name) > 1:  # reported by check_columns
            continue
        one, two = (part.field(name) if part.names.count(name) == 1 else None for part in (schema, other))
        common = None if one is None or two is None else _promoted(one, two)
        if common is None:
            raise ConfigError(
                f"{second.path}: must have the columns of {first.path}, but the type of column {name!r} is "
                f"{_kind(other, name)} here and {_kind(schema, name)} there. Choose columns that all files have "
                "(--columns)."
            )
        schema = schema.set(schema.get_field_index(name), common)
    return schema


def _kind(schema: pa.Schema, name: str) -> str:
    count = schema.names.count(name)
    return str(schema.field(name).type) if count == 1 else "ambiguous" if count else "missing"


def _promoted(one: pa.Field, other: pa.Field) -> pa.Field | None:
    """Return a field that can hold the values of both, or ``None`` if there is none."""
    if one.type.equals(other.type) and one.nullable == other.nullable:
        return one
    null = pa.null() in (one.type, other.type)
    if is_text(one.type) and is_text(other.type) and not null:
        return pa.field(one.name, pa.large_string(), one.nullable or other.nullable, one.metadata)
    parts = [pa.schema([field.remove_metadata()]) for field in (one, other)]
    try:
        return pa.unify_schemas(parts, promote_options="permissive").field(0).with_metadata(one.metadata)
    except pa.ArrowTypeError:
        return None


def _united(schema: pa.Schema, other: pa.Schema) -> pa.Schema:
    fields = {field.name: field.type for field in schema}
    for field in other:
        known = fields.setdefault(field.name, field.type)
        if known != field.type:
            numbers = {known, field.type} == {pa.int64(), pa.float64()}
            fields[field.name] = pa.float64() if numbers else pa.string()
    return pa.schema(list(fields.items()))


class Cursor:
    """Reads ranges of rows. A range that starts after the previous one in the same file continues from there."""

    def __init__(self, table: Table, settings: TableSettings) -> None:
        self._table = table
        self._settings = settings
        self._names = list(dict.fromkeys([*kept_names(table.schema, settings), *settings.text_columns]))
        self._schema = pa.schema([table.schema.field(name) for name in self._names], metadata=table.schema.metadata)
        self._ends = list(accumulate(file.rows for file in table.files))
        self._open: _OpenFile | None = None

    @property
    def schema(self) -> pa.Schema:
        """The columns that are read."""
        return self._schema

    def read(self, start: int, stop: int, size: int) -> Iterator[Rows]:
        """Yield the rows from ``start`` to below ``stop`` in pieces of a size.

        Pieces of long texts, and the last piece of each file, are smaller.

        Raises:
            DataError: If a file has changed since it was scanned, or cannot be read.
        """
        while start < stop:
            index = bisect_right(self._ends, start)
            before = self._ends[index] - self._table.files[index].rows
            end = min(stop, self._ends[index])
            yield from self._read_file(index, start - before, end - before, size)
            start = end

    def _read_file(self, index: int, start: int, stop: int, size: int) -> Iterator[Rows]:
        file = self._table.files[index]
        file.check_unchanged()
        opened, self._open = self._open, None  # if reading fails, the position in the file is unknown
        if opened is None or opened.index != index or opened.row > start or _mark(file, start)[0] > opened.row:
            row, place = _mark(file, start)
            opened = _OpenFile(file, index, row, self._rows(file.location, place))
        try:
            with readable(file.location):
                opened.skip(start)
                while opened.row < stop:
                    yield opened.take(min(size, stop - opened.row))
        except DataError:
            file.check_unchanged()  # a change may be the reason
            raise
        file.check_unchanged()
        self._open = opened

    def _rows(self, location: Location, place: int) -> Iterator[Rows]:
        if location.format == "csv":
            return lines.read_csv(location, self._schema, place)
        if location.format == "jsonl":
            return lines.read_jsonl(location, self._schema, place, self._settings.text_columns)
        return columnar.read_columnar(location, self._schema, place, self._settings)


def _mark(file: TableFile, row: int) -> tuple[int, int]:
    """Return the last mark at or before a row."""
    return file.marks[bisect_right(file.marks, (row, 2**63)) - 1]


class _OpenFile:
    """A file that is being read, with the row that comes next."""

    def __init__(self, file: TableFile, index: int, row: int, batches: Iterator[Rows]) -> None:
        self._file = file
        self.index = index
        self.row = row
        self._batches = batches
        self._rest: Rows | None = None

    def skip(self, row: int) -> None:
        """Skip to a row."""
        while self.row < row:
            self._next(row - self.row)

    def take(self, count: int) -> Rows:
        """Return the next rows, at most ``count``.

        Raises:
            DataError: If there are fewer rows in the file.
        """
        tables: list[pa.Table] = []
        broken: dict[int, RowError] = {}
        held, room = 0, PIECE_BYTES
        while held < count and room > 0:
            part, size = self._next(count - held, room)
            broken.update({held + place: error for place, error in part.broken.items()})
            tables.append(part.table)
            held += part.table.num_rows
            room -= size
        return Rows(pa.concat_tables(tables), broken)

    def _next(self, most: int, room: int | None = None) -> tuple[Rows, int]:
        """Return some of the next rows, and the bytes of their texts if ``room`` limits these."""
        while self._rest is None or not self._rest.table.num_rows:
            self._rest = next(self._batches, None)
            if self._rest is None:
                path = self._file.location.path
                raise DataError(path, [f"{path}: must have {self._file.rows:,} rows, but has fewer"])
        rest, size = self._rest, 0
        if room is not None:
            most, size = leading(rest.table.slice(0, most), room)
        part = rest.slice(0, most)
        self._rest = rest.slice(most, rest.table.num_rows) if most < rest.table.num_rows else None
        self.row += part.table.num_rows
        return part, size
