"""Reads the first sheet of an Excel file as a table."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import date, time
from itertools import chain, islice
from typing import Any

from quoth.data.flat import TITLE_LINES, table_rows
from quoth.data.rows import Problems, Row, merge_answer_rows
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
    filled = [(sheet.title, records) for sheet in book.worksheets if (records := _records(sheet, problems))]
    if len(filled) > 1:
        others = ", ".join(title for title, _ in filled[1:])
        problems.warn("", f"only the sheet {filled[0][0]} is read, not {others}; save each sheet as a separate file")
    if filled:
        yield from merge_answer_rows(table_rows(iter(filled[0][1]), problems))


def _records(sheet: Any, problems: Problems) -> list[tuple[int, list[str]]]:
    records: list[tuple[int, list[str]]] = []
    rows = iter(sheet.iter_rows(values_only=True))
    first = list(islice(rows, TITLE_LINES))  # the header is one of these; ignore columns that are empty in all of them
    width = max((place for values in first for place, value in enumerate(values, 1) if value is not None), default=0)
    for number, values in enumerate(chain(first, rows), 1):
        cells = [_text(value, f"line {number}", problems) for value in values[:width]]
        if any(cells):
            records.append((number, cells + [""] * (width - len(cells))))
    return records


def _text(value: object, where: str, problems: Problems) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date | time):
        message = f"a cell must be text, but is a date ({value.isoformat()}); format the column as text in Excel"
        problems.add(where, message, "a date")
    return str(value)
