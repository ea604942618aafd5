"""Reads flat rows (one question each) from JSON lines, CSV and TSV, with the columns of the hub's ``squad``.

    id, title, context, question, answers {text: [...], answer_start: [...]}

A CSV file has the answers as JSON in one cell, or in the columns ``answer_text`` and ``answer_start``. In the second
case, a question with several answers has several rows with the same id. Without answers, a question is unlabelled; with
an empty list of answers, it is unanswerable.

Source: https://huggingface.co/datasets/rajpurkar/squad (data set card, "Data Fields").
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from quoth.data.formats import conversion_hint
from quoth.data.mrqa import split_questions
from quoth.data.rows import COLUMNS, Problems, Row, check_columns, merge_answer_rows, other_names, shown
from quoth.data.texts import decode, decode_line, json_problem, parse_cell, parse_json
from quoth.encodings import csv_delimiter, long_cells
from quoth.errors import ConfigError

TITLE_LINES = 6  # number of lines at the start among which the header is searched
# Truth values as text, as Python, pandas (0.0 and nan if a column has missing values), users and Excel (in the language
# of the user) write them.
TRUTHS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "1", "1.0", "yes", "y", "t", "wahr", "vrai", "vero", "verdadero", "verdadeiro"), True),
    **dict.fromkeys(("false", "0", "0.0", "no", "n", "f", "falsch", "faux", "falso"), False),
    **dict.fromkeys(("", "nan", "null", "none", "<na>"), None),
}


def read_jsonl(data: bytes, problems: Problems) -> Iterator[Row]:
    """Yield a row for each line with an object, or for each question of an MRQA line. Blank lines are skipped."""
    yield from merge_answer_rows(split_questions(_json_lines(data, problems), problems))


def _json_lines(data: bytes, problems: Problems) -> Iterator[Row]:
    # Split at line feeds only, because text in JSON may contain all other line ends of Unicode.
    for number, line in enumerate(io.BytesIO(data), 1):
        text = decode_line(line.rstrip(b"\r\n"), number, problems)
        if text is None or not text.strip(" \t\r"):
            continue
        try:
            row = parse_json(text)
        except ValueError as error:
            column = getattr(error, "colno", None)
            problems.add(f"line {number}" + (f", column {column}" if column else ""), json_problem(error))
            continue
        if isinstance(row, dict) and (hint := conversion_hint(row)):
            problems.add(f"line {number}", hint)
        elif isinstance(row, dict):
            yield Row(f"line {number}", row)
        else:
            problems.add(f"line {number}", f"must contain an object, but contains {shown(row)}")


def read_csv(data: bytes, problems: Problems, sep: str | None = None) -> Iterator[Row]:
    r"""Yield a row for each record of a CSV file. The place of a row is the first line of its record.

    Args:
        data: The file, in UTF-8.
        problems: Receives the problems.
        sep: The delimiter. If ``None``, it is inferred from the header.

    Raises:
        ConfigError: If the delimiter is not one character, ``tab`` or ``\t``.
    """
    if sep in ("tab", "\\t"):
        sep = "\t"
    if sep and (len(sep) > 1 or sep in '"\r\n'):
        raise ConfigError(f"sep must be one character, or tab, but is {sep}")
    yield from merge_answer_rows(_records(data, sep, problems))


def _records(data: bytes, delimiter: str | None, problems: Problems) -> Iterator[Row]:
    text = decode(data, problems)
    if text is None:
        return
    yield from table_rows(table_records(text, delimiter or csv_delimiter(text, _known), problems), problems)


def _known(cells: Sequence[str]) -> int:
    """Return the number of cells that are names of known columns."""
    names = _known_names([cell.strip() for cell in cells])
    return len({*names} & {*COLUMNS}) + len(other_names(names))


def table_rows(records: Iterable[tuple[int, Sequence[str]]], problems: Problems) -> Iterator[Row]:
    """Yield the rows of a table whose first record is the header.

    Args:
        records: The line and the cells of each record.
        problems: Receives the problems.
    """
    records = _from_header(iter(records), problems)
    number, cells = next(records, (1, None))
    if cells is None:
        return
    header = _known_names([cell.strip() for cell in cells])
    first = next(records, None)
    sample = dict(zip(header, first[1], strict=False)) if first else None
    if not check_columns(header, problems, f"line {number}", sample):
        return
    for number, cells in chain([first] if first else [], records):
        where = f"line {number}"
        if len(cells) != len(header):
            message = f"must have {len(header)} cells, as the first line has, but has {len(cells)}"
            problems.add(where, message, "number of cells")
        elif (fields := _fields(dict(zip(header, cells, strict=True)), where, problems)) is not None:
            yield Row(where, fields)


def _from_header(
    records: Iterator[tuple[int, Sequence[str]]], problems: Problems
) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the records from the header on: the first of a few records with question and context, else the first."""
    first = list(islice(records, TITLE_LINES))
    for place, (number, cells) in enumerate(first):
        names = _known_names([cell.strip() for cell in cells])
        if {"question", "context"} <= {*names, *other_names(names).values()}:
            if place:
                problems.warn("", f"the names of the columns are in line {number}; the lines before it are not read")
            return chain(first[place:], records)
    return chain(first, records)


def _known_names(names: Sequence[str]) -> list[str]:
    """Return the names of columns, with known ones corrected that differ in case, spaces or hyphens."""
    plain = [re.sub(r"[\s-]+", "_", name.lower()) for name in names]
    return [
        other if name not in COLUMNS and other in COLUMNS and other not in names and plain.count(other) == 1 else name
        for name, other in zip(names, plain, strict=True)
    ]


def table_records(text: str, delimiter: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with its first line. Blank lines, and records with blank cells only, are skipped."""
    # newline="" keeps line ends in cells unchanged; strict detects quotes that are never closed.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    with long_cells():
        try:
            for cells in reader:
                if any(map(str.strip, cells)):
                    yield start, cells
                start = reader.line_num + 1
        except csv.Error as error:
            problems.add(f"line {start}", f"must be CSV, but: {error}")


def _fields(cells: dict[str, str], where: str, problems: Problems) -> dict[str, Any] | None:
    """Convert the cells from text to values; ``None`` if the answers are not JSON, which is reported."""
    fields: dict[str, Any] = dict(cells)
    if "is_impossible" in cells:
        fields["is_impossible"] = TRUTHS.get(cells["is_impossible"].strip().lower(), cells["is_impossible"])
    if "answers" in cells:
        try:
            fields["answers"] = _answers(cells["answers"])
        except ValueError as error:
            place = f"{where}, id {cells['id']}" if cells.get("id") else where
            problems.add(
                place, f"answers {json_problem(error)}; write the cell with json.dumps", "answers are not JSON"
            )
            return None
    return fields


def _answers(cell: str) -> object:
    """Parse a cell with answers. Plain text is returned unchanged; the check reports it, and the repair converts it."""
    stripped = cell.strip()
    if not stripped:
        return []
    return parse_cell(cell) if stripped.startswith(("{", "[", "array(")) or stripped in ("null", "None") else cell
