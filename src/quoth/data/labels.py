"""Reads labels of questions, for the slices of a report, from a file of ids and labels or from a column of the data."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from quoth.data.read import file_text
from quoth.data.rows import Problems
from quoth.data.texts import json_problem, parse_json
from quoth.errors import DataError


def read_labels(source: str, data: str | Path) -> dict[str, str]:
    """Read a label for each question.

    Args:
        source: A file with an id and a label in each row (``.tsv``, ``.csv``, ``.json``, ``.jsonl``, each also with
            ``.gz``), in the columns ``id`` and ``label``, or else in the first two. JSON may also be an object that
            maps ids to labels. Or the name of a column of the data (in SQuAD JSON, a key of the question).
        data: The file of the questions.

    Returns:
        A mapping from ids to labels. Rows without an id or a label are skipped.

    Raises:
        DataError: If it is neither a file nor a column, has no labels, or cannot be read.
    """
    file = Path(source)
    if file.is_file():
        labels = dict(_pairs(file))
    elif Path(data).is_file():
        labels = {row["id"]: row[source] for row in _rows(Path(data)) if row.get("id") and row.get(source)}
    else:
        labels = {}
    if not labels:
        wanted = f"a file with an id and a label in each row, or a column of {data} with labels"
        raise DataError(source, [f"{source}: must be {wanted}, but is neither"])
    return {str(key): str(label) for key, label in labels.items()}


def _pairs(file: Path) -> Iterator[tuple[Any, Any]]:
    for row in _rows(file):
        if "label" in row and "id" in row:
            yield row["id"], row["label"]
        elif len(row) >= 2:
            values = list(row.values())
            yield values[0], values[1]


def _rows(file: Path) -> Iterable[Mapping[str, Any]]:
    """Yield the rows of a file as mappings, without checking them."""
    name = file.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        import pyarrow.parquet

        yield from pyarrow.parquet.read_table(file).to_pylist()
        return
    problems = Problems(str(file))
    text = file_text(str(file), problems)
    if text is None:
        raise DataError(str(file), problems.sentences(), problems.lines())
    if name.endswith((".tsv", ".csv")):
        yield from csv.DictReader(text.splitlines(), delimiter="\t" if name.endswith(".tsv") else ",")
    elif name.endswith(".jsonl"):
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield from _json_rows([_parsed(line, f"{file}: line {number}")])
    else:
        yield from _json_rows(_parsed(text, str(file)))


def _parsed(text: str, where: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise DataError(where, [f"{where}: {json_problem(error)}"]) from error


def _json_rows(document: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the questions of SQuAD JSON, the rows of a list, or the items of an object from ids to labels, as rows."""
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        document = document["data"]
    if isinstance(document, dict):
        yield from ({"id": key, "label": label} for key, label in document.items())
        return
    for item in document if isinstance(document, list) else ():
        if not isinstance(item, dict):
            continue
        paragraphs = item.get("paragraphs", [item])
        for paragraph in paragraphs:
            yield from paragraph.get("qas", [paragraph])
