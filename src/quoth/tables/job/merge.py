"""Merges the shards of a job to one CSV or JSON lines file, piece by piece."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from quoth import display
from quoth.errors import ConfigError
from quoth.records import finite
from quoth.tables.columns import is_text
from quoth.tables.job.plan import Plan

FORMATS = ("csv", "jsonl")
_ROWS = 1024
_BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)


def merge(plan: Plan, kind: str, *, excel_safe: bool = False) -> str:
    """Write all shards to ``DIR/_answers.csv`` or ``DIR/_answers.jsonl``, atomically; return its path or URL.

    Bytes are written in base64. In JSON, numbers that are not finite are null. In CSV, lists and other nested values
    are written as JSON, and null is an empty cell.

    Args:
        plan: The plan of the job.
        kind: The format: "csv" or "jsonl".
        excel_safe: In CSV, put an apostrophe before cells that a spreadsheet would treat as formulas.

    Raises:
        ConfigError: If the format is unknown.
        OSError: If the file cannot be written.
    """
    check_format(kind)
    name = f"_answers.{kind}"
    target = plan.output.url(name)
    with plan.output.atomic_file(name) as file:
        if kind == "jsonl":
            for table in _tables(plan):
                # Most values are ready for JSON: looking at each of them would double the time.
                names = [field.name for field in table.schema if _may_need_plain(field.type)]
                for row in table.to_pylist():
                    for name in names:
                        row[name] = _plain(row[name])
                    file.write(_dumps(row).encode() + b"\n")
            return target
        writer = None
        for table in _tables(plan):
            flat = _flat(table, excel_safe)
            if writer is None:
                writer = csv.CSVWriter(file, flat.schema)
            writer.write_table(flat)
        if writer is not None:
            writer.close()
    return target


def check_format(kind: str) -> None:
    """Check the name of a format.

    Raises:
        ConfigError: If the format is unknown.
    """
    if kind not in FORMATS:
        raise ConfigError(f"the output format must be one of {', '.join(FORMATS)}, but is {kind}")


def _tables(plan: Plan) -> Iterator[pa.Table]:
    for index in range(plan.shards):
        with plan.output.open(plan.name(index)) as source, parquet.ParquetFile(source) as file:
            if index == 0:
                yield file.schema_arrow.empty_table()
            for batch in file.iter_batches(_ROWS, use_threads=False):
                yield pa.Table.from_batches([batch])


def _flat(table: pa.Table, excel_safe: bool) -> pa.Table:
    """Return a table for CSV: nested columns as JSON, and bytes in base64."""
    safe = display.excel_safe if excel_safe else _as_is
    for place, field in enumerate(table.schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_nested(kind):
            write: Callable[[Any], Any] = _json
        elif any(test(kind) for test in _BYTES) or (excel_safe and is_text(kind)):
            write = _plain
        else:
            continue
        texts = [None if value is None else safe(write(value)) for value in table.column(place).to_pylist()]
        table = table.set_column(place, field.name, pa.array(texts, pa.string()))
    return table.rename_columns([safe(name) for name in table.column_names])


def _as_is(cell: object) -> object:
    return cell


def _json(value: Any) -> str:
    return _dumps(_plain(value))


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)


def _may_need_plain(kind: pa.DataType) -> bool:
    """Return whether a column may have values that JSON has not, or is a dictionary, whose values may."""
    tests = (*_BYTES, pa.types.is_floating, pa.types.is_nested, pa.types.is_dictionary)
    return any(test(kind) for test in tests)


def _plain(value: Any) -> Any:
    """Return a value that JSON can represent; dates and decimal numbers, which it has as texts, are unchanged."""
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
