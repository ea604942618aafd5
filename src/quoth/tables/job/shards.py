"""Answers one shard: reads its rows, answers them, and writes one Parquet file atomically.

The file depends only on its rows, the settings and the versions: the reader processes the rows from the shard's first
to its last in pieces of a fixed size, and the boundaries of row groups depend only on the content.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from quoth.errors import ConfigError
from quoth.tables.answer import TableAnswerer
from quoth.tables.columns import answer_names, output_schema
from quoth.tables.job.plan import COUNTS, Counts, Plan
from quoth.tables.rows import piece_size, text_bytes
from quoth.tables.settings import TableSettings
from quoth.tables.sources import Cursor

# Maximum rows, and bytes of text, of a row group.
_GROUP_ROWS, _GROUP_BYTES = 16_384, 1 << 26

Report = Callable[[Counts], None]


def check_storable(schema: pa.Schema) -> None:
    """Check that Parquet can store all columns.

    Raises:
        ConfigError: If it cannot store one.
    """
    for field in schema:
        one = pa.schema([field.with_nullable(True)])
        try:
            with parquet.ParquetWriter(pa.BufferOutputStream(), one) as writer:
                writer.write_table(pa.Table.from_arrays([pa.nulls(1, field.type)], schema=one))
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise ConfigError(
                f"table: column {field.name!r} is of type {field.type}, which Parquet cannot store. Keep other columns "
                "(--columns)."
            ) from error


def write_shard(plan: Plan, index: int, cursor: Cursor, answerer: TableAnswerer, report: Report) -> Counts:
    """Answer the rows of a shard and write its file.

    Args:
        plan: The plan.
        index: The index of the shard.
        cursor: The cursor that reads the rows.
        answerer: The answerer.
        report: Called repeatedly with the counts so far.

    Raises:
        DataError: If the input cannot be read, or has changed.
        OSError: If the file cannot be written, such as on a full disk.
        ReaderError: If the engine fails.
    """
    settings = plan.settings
    schema = output_schema(cursor.schema, settings)
    start, stop = plan.bounds(index)
    counts = Counts()
    pieces = answerer.stream(cursor.read(start, stop, piece_size(settings)))
    with (
        plan.output.atomic_file(plan.name(index)) as file,
        parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for group in _groups(pieces):
            for table in group:
                counts += count(table, settings)
                counts = replace(counts, rows=counts.questions // max(1, len(settings.asked)))
                report(counts)
            writer.write_table(_joined(group, schema), row_group_size=2 * _GROUP_ROWS)
        writer.add_key_value_metadata({COUNTS: json.dumps(counts.to_dict()).encode()})
    return counts


def _groups(tables: Iterable[pa.Table]) -> Iterator[list[pa.Table]]:
    group: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        group.append(table)
        rows += table.num_rows
        size += int(text_bytes(table).sum())
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield group
            group, rows, size = [], 0, 0
    if group:
        yield group


def _joined(group: list[pa.Table], schema: pa.Schema) -> pa.Table:
    """Concatenate tables to one chunk; dictionaries are in the order in which their values occur."""
    table = pa.concat_tables(group)
    columns = [
        column.cast(column.type.value_type).combine_chunks().dictionary_encode().cast(column.type)
        if pa.types.is_dictionary(column.type)
        else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=schema).combine_chunks()


def count(table: pa.Table, settings: TableSettings) -> Counts:
    """Count answers and errors of some answered rows; not rows, because a row's answers may be in two tables."""
    names = answer_names(settings)
    errors: Counter[str] = Counter()
    answered = 0
    codes = [name for name in names if name.endswith("error_code")]
    for name in codes:
        for entry in pc.value_counts(table.column(name)).to_pylist():
            if entry["values"] is not None:
                errors[entry["values"]] += entry["counts"]
    for name in names:
        if name.endswith("answer"):
            answered += table.num_rows - table.column(name).null_count
    abstained = table.num_rows * len(codes) - answered - errors.total()
    return Counts(0, answered, abstained, dict(sorted(errors.items())))
