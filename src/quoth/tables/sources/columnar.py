"""Parquet and Arrow files: their rows can be counted without reading them, and read from any row group or batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from quoth.tables.rows import Rows
from quoth.tables.sources.files import Location, Scan, unreadable

# Maximum rows, and approximate bytes, that are decoded at once.
_ROWS, _BYTES = 1024, 1 << 25
# Number of bytes of a column that are read at once, because a row group may be larger than the memory.
_BUFFER = 1 << 20


def scan_parquet(location: Location) -> Scan:
    """Count the rows; the marks are row groups.

    Raises:
        DataError: If it is not Parquet.
    """
    try:
        with location.arrow_file() as file:
            opened = parquet.ParquetFile(file)
            sizes = [opened.metadata.row_group(index).num_rows for index in range(opened.num_row_groups)]
            return Scan(*_marks(sizes), opened.schema_arrow)
    except pa.ArrowInvalid as error:
        raise unreadable(location, error) from error


def read_parquet(location: Location, columns: Sequence[str], place: int) -> Iterator[Rows]:
    """Yield the rows, starting at a row group."""
    with location.arrow_file() as file:
        opened = parquet.ParquetFile(file, buffer_size=_BUFFER)
        groups = list(range(place, opened.num_row_groups))
        sizes = [(meta.num_rows, meta.total_byte_size) for meta in map(opened.metadata.row_group, groups)]
        per_row = max((size / max(1, rows) for rows, size in sizes), default=1)
        batch = int(max(1, min(_ROWS, _BYTES / max(1, per_row))))
        for record in opened.iter_batches(batch, groups, list(columns), use_threads=False):
            yield Rows(pa.Table.from_batches([record]).select(list(columns)))


def scan_arrow(location: Location) -> Scan:
    """Count the rows; the marks are record batches.

    Raises:
        DataError: If it is not an Arrow file.
    """
    try:
        with location.arrow_file() as file:
            schema, batches = _batches(file, 0)
            return Scan(*_marks([batch.num_rows for batch in batches]), schema)
    except pa.ArrowInvalid as error:
        raise unreadable(location, error) from error


def read_arrow(location: Location, columns: Sequence[str], place: int) -> Iterator[Rows]:
    """Yield the rows, starting at a record batch."""
    with location.arrow_file() as file:
        _, batches = _batches(file, place)
        for batch in batches:
            table = pa.Table.from_batches([batch]).select(list(columns))
            yield from Rows(table).pieces(_ROWS)


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
