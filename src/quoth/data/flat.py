"""Flat rows, one question each, as JSON lines, CSV and TSV, with the columns of the hub's ``squad``.

    id, title, context, question, answers {text: [...], answer_start: [...]}

A CSV has its answers as JSON in a cell, or in the columns ``answer_text`` and ``answer_start``, where a question with
several answers takes several rows of one id. No answers at all means unlabelled; empty ones mean unanswerable.

Source: https://huggingface.co/datasets/rajpurkar/squad (data set card, "Data Fields").
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import Any

from quoth.data.mrqa import spread
from quoth.data.rows import Problems, Row, check_columns, merge_answers, shown
from quoth.data.texts import decode, decode_line, parse_json, why_not_json

_LONGEST_CELL = 2**31 - 1  # csv cuts off at 131,072 characters, less than some contexts have
_TRUTHS = {"true": True, "false": False, "1": True, "0": False, "": None}


def read_jsonl(data: bytes, problems: Problems) -> Iterator[Row]:
    """Yield a row for each line that holds an object, or for each question of MRQA's. Blank lines are passed over."""
    yield from merge_answers(spread(_json_lines(data, problems), problems), problems)


def _json_lines(data: bytes, problems: Problems) -> Iterator[Row]:
    # Split at line feeds only: text inside JSON may hold every other line end of Unicode.
    for number, line in enumerate(io.BytesIO(data), 1):
        line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        text = decode_line(line.rstrip(b"\r\n"), number, problems)
        if text is None or not text.strip(" \t\r"):
            continue
        try:
            row = parse_json(text)
        except ValueError as error:
            column = getattr(error, "colno", None)
            problems.add(f"line {number}" + (f", column {column}" if column else ""), why_not_json(error))
            continue
        if isinstance(row, dict):
            yield Row(f"line {number}", row)
        else:
            problems.add(f"line {number}", f"must hold an object, but holds {shown(row)}")


def read_csv(data: bytes, problems: Problems) -> Iterator[Row]:
    """Yield a row for each record of comma-separated values; a record's place is the line where it starts."""
    yield from merge_answers(_records(data, ",", problems), problems)


def read_tsv(data: bytes, problems: Problems) -> Iterator[Row]:
    """Yield a row for each record of tab-separated values, quoted as in CSV."""
    yield from merge_answers(_records(data, "\t", problems), problems)


def _records(data: bytes, delimiter: str, problems: Problems) -> Iterator[Row]:
    text = decode(data, problems)
    if text is None:
        return
    header: list[str] | None = None
    for number, cells in _lines_and_cells(text, delimiter, problems):
        if header is None:
            header = [cell.strip() for cell in cells]
            if not check_columns(header, problems, f"line {number}"):
                return
        elif len(cells) != len(header):
            message = f"must have {len(header)} cells, as the first line has, but has {len(cells)}"
            problems.add(f"line {number}", message)
        else:
            fields = _fields(dict(zip(header, cells, strict=True)), f"line {number}", problems)
            if fields is not None:
                yield Row(f"line {number}", fields)


def _lines_and_cells(text: str, delimiter: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line where it starts. Blank lines are passed over."""
    # newline="" keeps line ends inside cells as they are; strict finds quotes that are never closed.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    limit = csv.field_size_limit(_LONGEST_CELL)
    start = 1
    try:
        for cells in reader:
            if cells:
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        problems.add(f"line {start}", f"must be CSV, but: {error}")
    finally:
        csv.field_size_limit(limit)


def _fields(cells: dict[str, str], where: str, problems: Problems) -> dict[str, Any] | None:
    """Return the cells with their values in place of text, or ``None`` if the answers are not JSON, which is noted."""
    fields: dict[str, Any] = dict(cells)
    if "is_impossible" in cells:
        fields["is_impossible"] = _TRUTHS.get(cells["is_impossible"].strip().lower(), cells["is_impossible"])
    if "answers" in cells:
        try:
            fields["answers"] = parse_json(cells["answers"]) if cells["answers"].strip() else []
        except ValueError as error:
            place = f"{where}, id {cells['id']}"
            problems.add(place, f"answers {why_not_json(error)}; write the cell with json.dumps")
            return None
    return fields
