"""Writes files of answers in the format of their extension: JSON, JSON lines, CSV, TSV or Parquet; also gzipped."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from quoth import display
from quoth.errors import ConfigError, MissingExtraError
from quoth.files import atomic_bytes, format_suffix, packed_bytes
from quoth.records import Prediction
from quoth.text import replace_surrogates

Write = Callable[[Prediction], None]

FORMATS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
COLUMNS = ("id", "prediction_text", "no_answer", "probability", "null_probability", "null_odds", "start", "end")
_ROWS = 1000  # number of rows in a row group of a Parquet file


def format_of(path: Path) -> str:
    """Return the format of a file's name, such as ``.csv`` for ``a.csv.gz``; JSON if it has no extension.

    Raises:
        ConfigError: If the extension is not a supported format.
    """
    suffix = format_suffix(path) or ".json"
    if suffix not in FORMATS:
        names = ", ".join(FORMATS)
        raise ConfigError(f"{path}: the name must end in one of {names}, each also with .gz, but ends in {suffix}")
    if suffix == ".parquet" and path.suffix.lower() == ".gz":
        raise ConfigError(f"{path}: Parquet files are already compressed; remove .gz from the name")
    return suffix


def answer_row(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as a row of ``COLUMNS``; if the reader abstains, the text is ``""`` and the span ``None``.

    ``probability`` is that of the best answer, even if the reader abstains.
    """
    best, first = prediction.best, prediction.answers[0] if prediction.answers else None
    return {
        "id": prediction.id,
        "prediction_text": prediction.text,
        "no_answer": prediction.no_answer,
        "probability": None if first is None else float(first.probability),
        "null_probability": None if prediction.null_probability is None else float(prediction.null_probability),
        "null_odds": None if prediction.null_odds is None else float(prediction.null_odds),
        "start": None if best is None else best.span.start,
        "end": None if best is None else best.span.end,
    }


@contextmanager
def answer_file(path: Path, *, excel_safe: bool = False) -> Iterator[Write]:
    """Open a file for answers, which is written atomically, and yield a function that adds a prediction.

    JSON files contain ``{id: text}``, the format of the official scorers; other formats contain rows, see
    :func:`answer_row`.

    Args:
        path: The file.
        excel_safe: Put an apostrophe before cells that a spreadsheet would evaluate as formulas.

    Raises:
        ConfigError: If the extension is not a supported format.
        MissingExtraError: If the format is Parquet and pyarrow is not installed.
    """
    kind = format_of(path)
    if kind == ".parquet":
        with _parquet(path) as write:
            yield write
        return
    with text_file(path) as file:
        if kind == ".json":
            with json_object(file) as add:
                yield lambda prediction: add(prediction.id, prediction.text)
        elif kind in (".jsonl", ".ndjson"):
            yield lambda prediction: print_line(file, prediction)
        else:
            yield _table(file, "\t" if kind == ".tsv" else ",", excel_safe)


@contextmanager
def text_file(path: Path) -> Iterator[TextIO]:
    """Open a text file that is written atomically; gzipped if its name ends in ``.gz``."""
    with packed_bytes(path) as data, TextIOWrapper(data, encoding="utf-8", newline="") as file:
        yield file


def print_line(file: TextIO, prediction: Prediction) -> None:
    """Write a prediction as a line of JSON, in ASCII so that any text can be encoded."""
    file.write(json.dumps(answer_row(prediction)) + "\n")


@contextmanager
def json_object(file: TextIO) -> Iterator[Callable[[str, object], None]]:
    """Write a JSON object entry by entry, one per line, in ASCII so that even lone surrogates can be encoded."""
    before = "{\n"

    def add(key: str, value: object) -> None:
        nonlocal before
        file.write(f"{before}{json.dumps(key)}: {json.dumps(value)}")
        before = ",\n"

    yield add
    file.write("{}\n" if before == "{\n" else "\n}\n")


def _table(file: TextIO, delimiter: str, excel_safe: bool) -> Write:
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(COLUMNS)

    def write(prediction: Prediction) -> None:
        cells = [
            replace_surrogates(value) if isinstance(value, str) else value for value in answer_row(prediction).values()
        ]
        writer.writerow(map(display.excel_safe, cells) if excel_safe else cells)

    return write


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("writing Parquet", "tables") from None
    kinds = (pa.string(), pa.string(), pa.bool_(), pa.float64(), pa.float64(), pa.float64(), pa.int64(), pa.int64())
    schema = pa.schema(list(zip(COLUMNS, kinds, strict=True)))
    rows: list[dict[str, Any]] = []
    with atomic_bytes(path) as data, parquet.ParquetWriter(data, schema) as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(rows, schema))
            rows.clear()

        def write(prediction: Prediction) -> None:
            row = answer_row(prediction)
            rows.append(
                {
                    **row,
                    "id": replace_surrogates(row["id"]),
                    "prediction_text": replace_surrogates(row["prediction_text"]),
                }
            )
            if len(rows) == _ROWS:
                flush()

        yield write
        flush()
