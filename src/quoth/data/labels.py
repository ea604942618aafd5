"""Reads labels of questions, for the slices of a report, from a file of ids and labels or from a column of the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from quoth.data.flat import table_records
from quoth.data.hub import parquet_rows
from quoth.data.read import file_bytes, file_text, read_rows
from quoth.data.rows import Problems, shown
from quoth.data.texts import json_problem, parse_json, parse_lines
from quoth.encodings import csv_delimiter
from quoth.errors import DataError
from quoth.files import format_suffix


def read_labels(source: str, data: str | Path) -> dict[str, str]:
    """Read a label for each question.

    Args:
        source: A file with an id and a label in each row (``.tsv``, ``.csv``, ``.json``, ``.jsonl``, ``.parquet``, each
            also with ``.gz``), in the columns ``id`` and ``label``, or else in the first two. JSON may also be an
            object that maps ids to labels. Or the name of a column of the data (in SQuAD JSON, a key of the question).
        data: The data set of the questions.

    Returns:
        A mapping from ids to labels. Rows without an id or a label are skipped.

    Raises:
        DataError: If it is neither a file nor a column, has no labels, or cannot be read.
        MissingExtraError: If the format needs an extra.
    """
    file = Path(source)
    if file.is_file():
        problems = Problems(source)
        pairs = [_pair(row) for row in _rows(file, problems)]
    else:
        problems = Problems(str(data))
        pairs = [
            (row.fields.get("id"), row.fields.get(source)) for row in read_rows(str(data), problems, also=[source])
        ]
    for key, label in pairs:
        if isinstance(label, dict | list):
            problems.add(str(key), f"a label must be a text or a number, but is {shown(label)}")
    if problems.errors:
        raise DataError(problems.source, problems.sentences(), problems.lines())
    labels = {str(key): str(label) for key, label in pairs if key not in (None, "") and label not in (None, "")}
    if not labels:
        wanted = f"a file with an id and a label in each row, or a column of {data} with labels"
        raise DataError(source, [f"{source}: must be {wanted}, but is neither"])
    return labels


def _pair(row: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the id and the label of a row."""
    if "id" in row and "label" in row:
        return row["id"], row["label"]
    first, second, *_ = (*row.values(), None, None)
    return first, second


def _rows(file: Path, problems: Problems) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a file of labels; parts that cannot be read are reported."""
    suffix = format_suffix(file)
    if suffix == ".parquet":
        data = file_bytes(file, problems)
        if data is not None:
            yield from (row.fields for row in parquet_rows(data, problems))
        return
    text = file_text(str(file), problems)
    if text is None:
        return
    if suffix in (".csv", ".tsv"):
        records = (cells for _, cells in table_records(text, csv_delimiter(text), problems))
        names = next(records, [])
        yield from (dict(zip(names, cells, strict=False)) for cells in records)
    elif suffix in (".jsonl", ".ndjson"):
        yield from _objects(parse_lines(text, problems))
    else:
        try:
            document = parse_json(text)
        except ValueError as error:
            problems.add("", json_problem(error))
            return
        if isinstance(document, dict) and isinstance(document.get("data"), list):
            document = document["data"]
        if isinstance(document, dict):
            yield from ({"id": key, "label": label} for key, label in document.items())
        elif isinstance(document, list):
            yield from _objects(document)


def _objects(values: Iterable[object]) -> Iterator[dict[str, Any]]:
    return (value for value in values if isinstance(value, dict))
