"""Parquet and Arrow files: their rows can be counted without reading them, and read from any row group or batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from quoth.tables.columns import RowError, is_text
from quoth.tables.rows import Rows, texts
from quoth.tables.settings import TableSettings
from quoth.tables.sources.files import Location, Scan

# Maximum rows, and approximate bytes, that are decoded at once.
_ROWS, _BYTES = 1024, 1 << 25
# Number of bytes of a column that are read at once, because a row group may be larger than the memory.
_BUFFER = 1 << 20


def scan_columnar(location: Location) -> Scan:
    """Count the rows, and find where reading can start."""
    found = _scan_parquet(location) if location.format == "parquet" else _scan_arrow(location)
    fields = [field.with_type(_storable(field.type)) for field in found.schema]
    return found._replace(schema=pa.schema(fields, metadata=found.schema.metadata))


def read_columnar(location: Location, schema: pa.Schema, place: int, settings: TableSettings) -> Iterator[Rows]:
    """Yield the rows, starting at a mark; ``schema`` has the columns to read, with the common types of all files."""
    read = _read_parquet if location.format == "parquet" else _read_arrow
    for table in read(location, schema.names, place):
        yield _repaired(_cast(table, schema), settings)


def _scan_parquet(location: Location) -> Scan:
    """Count the rows; the marks are row groups."""
    with location.arrow_file() as file:
        opened = parquet.ParquetFile(file)
        sizes = [opened.metadata.row_group(index).num_rows for index in range(opened.num_row_groups)]
        return Scan(*_marks(sizes), opened.schema_arrow)


def _read_parquet(location: Location, columns: Sequence[str], place: int) -> Iterator[pa.Table]:
    """Yield the rows, starting at a row group."""
    with location.arrow_file() as file:
        opened = parquet.ParquetFile(file, buffer_size=_BUFFER)
        groups = list(range(place, opened.num_row_groups))
        sizes = [(meta.num_rows, meta.total_byte_size) for meta in map(opened.metadata.row_group, groups)]
        per_row = max((size / max(1, rows) for rows, size in sizes), default=1)
        batch = int(max(1, min(_ROWS, _BYTES / max(1, per_row))))
        for record in opened.iter_batches(batch, groups, list(columns), use_threads=False):
            yield pa.Table.from_batches([record]).select(list(columns))


def _scan_arrow(location: Location) -> Scan:
    """Count the rows; the marks are record batches."""
    with location.arrow_file() as file:
        schema, batches = _batches(file, 0)
        return Scan(*_marks([batch.num_rows for batch in batches]), schema)


def _read_arrow(location: Location, columns: Sequence[str], place: int) -> Iterator[pa.Table]:
    """Yield the rows, starting at a record batch."""
    with location.arrow_file() as file:
        _, batches = _batches(file, place)
        for batch in batches:
            table = pa.Table.from_batches([batch]).select(list(columns))
            yield from (rows.table for rows in Rows(table).pieces(_ROWS))


def _batches(file: pa.NativeFile, place: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Yield the batches of an Arrow file or stream, starting at one."""
    try:
        opened = pa.ipc.open_file(file)
    except pa.ArrowInvalid:
        file.seek(0)
        stream: Any = pa.ipc.open_stream(file)  # the stream format, which `datasets` writes
        return stream.schema, (batch for number, batch in enumerate(stream) if number >= place)
    return opened.schema, (opened.get_batch(index) for index in range(place, opened.num_record_batches))


def _marks(sizes: Sequence[int]) -> tuple[int, list[tuple[int, int]]]:
    marks, rows = [], 0
    for place, size in enumerate(sizes):
        marks.append((rows, place))
        rows += size
    return rows, marks


def _storable(kind: pa.DataType) -> pa.DataType:
    """Return a type without views, as polars writes them: many readers of Parquet and CSV do not support these."""
    types = pa.types
    if types.is_string_view(kind):
        return pa.large_string()
    if types.is_binary_view(kind):
        return pa.large_binary()
    if types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _storable(kind.value_type), kind.ordered)
    if types.is_list(kind) or types.is_large_list(kind):
        make = pa.list_ if types.is_list(kind) else pa.large_list
        return make(kind.value_field.with_type(_storable(kind.value_type)))
    if types.is_struct(kind):
        return pa.struct([field.with_type(_storable(field.type)) for field in kind.fields])
    return kind


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the columns of a file with the common types of all files."""
    columns = (
        column if column.type.equals(field.type) else column.cast(field.type)
        for column, field in zip(table.columns, schema, strict=True)
    )
    return pa.Table.from_arrays(list(columns), schema=schema)


def _repaired(table: pa.Table, settings: TableSettings) -> Rows:
    """Replace bytes that are not UTF-8, which Arrow does not check, and with which other programs reject a file.

    In a column that the reader reads, they are an error of the row.
    """
    broken: dict[int, RowError] = {}
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if not is_text(field.type) or _is_valid(column):
            continue
        values = texts(column)
        wrong = {row: value for row, value in enumerate(values) if isinstance(value, bytes)}
        if field.name in settings.text_columns:
            error = RowError("not_utf8", f"the {settings.role(field.name)} must be UTF-8, but is not")
            broken = {**dict.fromkeys(wrong, error), **broken}
        repaired = [wrong[row].decode(errors="replace") if row in wrong else value for row, value in enumerate(values)]
        table = table.set_column(place, field, pa.array(repaired, pa.large_string()).cast(field.type))
    return Rows(table, broken)


def _is_valid(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
