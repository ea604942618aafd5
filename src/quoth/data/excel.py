"""Reads the first sheet of an Excel file as a table."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, time
from itertools import chain, islice
from typing import Any

from quoth.data.flat import TITLE_LINES, table_rows
from quoth.data.rows import COLUMNS, Problems, Row, merge_answer_rows, numbered_answers, other_names
from quoth.errors import MissingExtraError


def read_xlsx(data: bytes, problems: Problems) -> Iterator[Row]:
    """Yield a row for each non-empty row of the first non-empty sheet. Numbers are read as their displayed text.

    Raises:
        MissingExtraError: Without openpyxl.
    """
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError:
        raise MissingExtraError("reading .xlsx", "xlsx") from None
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        problems.add("", f"must be an Excel file (.xlsx), but cannot be read: {' '.join(str(error).split())}")
        return
    filled = [(sheet.title, records) for sheet in book.worksheets if (records := _records(sheet))]
    if len(filled) > 1:
        others = ", ".join(title for title, _ in filled[1:])
        problems.warn("", f"only the sheet {filled[0][0]} is read, not {others}; save each sheet as a separate file")
    if filled:
        yield from merge_answer_rows(_without_dates(table_rows(iter(filled[0][1]), problems), problems))


class _Date(str):
    """The text of a cell that is a date, whose displayed text the file does not have."""


def _without_dates(rows: Iterable[Row], problems: Problems) -> Iterator[Row]:
    """Yield the rows; dates in columns that are read are reported."""
    for row in rows:
        dates = [name for name, cell in row.fields.items() if isinstance(cell, _Date)]
        known = {*COLUMNS, *other_names(row.fields), *numbered_answers(row.fields)} if dates else ()
        for name in dates:
            if name in known:
                message = f"a cell must be text, but is a date ({row.fields[name]}); format the column as text in Excel"
                problems.add(row.where, message, "a date")
        yield row


def _records(sheet: Any) -> list[tuple[int, list[str]]]:
    records: list[tuple[int, list[str]]] = []
    rows = iter(sheet.iter_rows(values_only=True))
    first = list(islice(rows, TITLE_LINES))  # the header is one of these; ignore columns that are empty in all of them
    width = max((place for values in first for place, value in enumerate(values, 1) if value is not None), default=0)
    for number, values in enumerate(chain(first, rows), 1):
        cells = [_text(value) for value in values[:width]]
        if any(cells):
            records.append((number, cells + [""] * (width - len(cells))))
    return records


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date | time):
        return _Date(value.isoformat())
    return str(value)
