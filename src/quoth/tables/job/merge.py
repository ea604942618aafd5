"""Merges the shards of a job to one CSV or JSON lines file, piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from quoth.errors import ConfigError
from quoth.tables.job.plan import Plan

FORMATS = ("csv", "jsonl")
_ROWS = 1024


def merge(plan: Plan, kind: str) -> str:
    """Write all shards to ``DIR/_answers.csv`` or ``DIR/_answers.jsonl``, atomically; return its path or URL.

    In CSV, lists and other nested values are written as JSON, and null is an empty cell.

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
                for row in table.to_pylist():
                    file.write(json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n")
            return target
        writer = None
        for table in _tables(plan):
            flat = _flat(table)
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


def _flat(table: pa.Table) -> pa.Table:
    """Return a table with nested columns as JSON."""
    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            texts = [_json(value) for value in table.column(place).to_pylist()]
            table = table.set_column(place, field.name, pa.array(texts, pa.string()))
    return table


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)
