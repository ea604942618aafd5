"""Reads prediction files of any system: texts, and optionally probabilities and null odds."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from quoth.encodings import csv_delimiter, long_cells
from quoth.errors import MissingExtraError, PredictionsError
from quoth.files import format_suffix, unpacked
from quoth.names import listed

_TEXTS = ("prediction_text", "prediction", "text", "answer", "answer_text")
_NUMBERS = ("probability", "null_probability", "null_odds")


class Predicted(NamedTuple):
    """A prediction that was read from a file.

    Attributes:
        text: The predicted text, ``""`` for no answer.
        probability: Probability of the best answer, in [0, 1], even if the text is ``""``; ``None`` if unknown.
        null_probability: Probability that the text does not answer the question, in [0, 1]; ``None`` if unknown.
        null_odds: The higher, the less likely there is an answer; in any unit. ``None`` if unknown.
    """

    text: str
    probability: float | None = None
    null_probability: float | None = None
    null_odds: float | None = None


def read_predictions(path: str | Path, *, note: Callable[[str], None] | None = None) -> dict[str, str]:
    """Read the texts of :func:`read_predicted`: texts by id, ``""`` for no answer."""
    return {key: each.text for key, each in read_predicted(path, note=note).items()}


def read_predicted(
    path: str | Path, null_odds: str | Path | None = None, *, note: Callable[[str], None] | None = None
) -> dict[str, Predicted]:
    """Read predictions: ``{id: text}``, or rows with an ``id`` and a ``prediction_text`` (or ``text``, ``answer``).

    The file is JSON (an object, or the hub metric's list of rows), JSON lines, CSV or TSV, in UTF-8, or any of these
    gzipped; or Parquet. ``null`` counts as no answer, and so does an empty cell. Rows may have a ``probability``, a
    ``null_probability`` and ``null_odds``, as ``quoth predict`` writes them.

    Args:
        path: The file.
        null_odds: A JSON file ``{id: number}``, as for ``--na-prob-file`` of the official scorer.
        note: Called with a warning about repeated ids.

    Returns:
        Predictions by id, in the order of the file. The last one of a repeated id counts, as in the official scorers.

    Raises:
        PredictionsError: If the format is invalid; the message names the entries.
        MissingExtraError: If it is Parquet, without pyarrow.
        OSError: If it cannot be opened.
    """
    repeated: dict[str, None] = {}

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for key, value in pairs:
            if key in entries:
                repeated[key] = None
            entries[key] = value
        return entries

    document = _rows(path) if _is_rows(path) else _parse(path, collect)
    entries = collect(_entries(path, document)) if isinstance(document, list) else document
    if not isinstance(entries, dict):
        raise PredictionsError(f"{path}: predictions must be a JSON object of texts by id, but are {_kind(document)}")
    allowed = (str, Predicted, type(None))
    wrong = [f"{key} ({_kind(value)})" for key, value in entries.items() if not isinstance(value, allowed)]
    if wrong:
        raise PredictionsError(f"{path}: each prediction must be a text or null, but is not for {listed(wrong)}")
    if repeated and note:
        note(f"{path}: repeated ids, of which the last text counts: {listed([*repeated])}")
    found = {key: value if isinstance(value, Predicted) else Predicted(value or "") for key, value in entries.items()}
    if null_odds is None:
        return found
    odds = _odds(null_odds)
    return {key: each._replace(null_odds=odds.get(key, each.null_odds)) for key, each in found.items()}


def _odds(path: str | Path) -> dict[str, float]:
    document = _parse(path, dict)
    if not isinstance(document, dict):
        raise PredictionsError(f"{path}: null odds must be a JSON object of numbers by id, but are {_kind(document)}")
    wrong = [
        f"{key} ({_kind(value)})"
        for key, value in document.items()
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max
    ]
    if wrong:
        raise PredictionsError(f"{path}: null odds must be finite numbers, but are not for {listed(wrong)}")
    return document


def _is_rows(path: str | Path) -> bool:
    return format_suffix(Path(path)) in (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")


def _rows(path: str | Path) -> list[Any]:
    """Return the rows of JSON lines or of a table."""
    suffix = format_suffix(Path(path))
    if suffix == ".parquet":
        return _parquet(path)
    text = _text(path)
    if suffix in (".jsonl", ".ndjson"):
        rows = []
        for number, line in enumerate(text.split("\n"), 1):
            try:
                rows += [json.loads(line)] if line.strip() else []
            except (ValueError, RecursionError) as error:
                raise PredictionsError(f"{path}: line {number} must be JSON, but is not ({error})") from error
        return rows
    try:
        with long_cells():
            return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=csv_delimiter(text), strict=True))
    except csv.Error as error:
        raise PredictionsError(f"{path}: must be a table of ids and texts, but: {error}") from error


def _parquet(path: str | Path) -> list[Any]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError:
        raise MissingExtraError("reading Parquet", "tables") from None
    try:
        return list(parquet.read_table(path).to_pylist())
    except ArrowInvalid as error:
        raise PredictionsError(f"{path}: must be Parquet, but cannot be read: {error}") from error


def _text(path: str | Path) -> str:
    try:
        return unpacked(Path(path).read_bytes()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PredictionsError(f"{path}: must be UTF-8, but byte {error.start} is not") from error
    except ValueError as error:
        raise PredictionsError(f"{path}: must be a complete gzip file, but is damaged ({error})") from error


def _parse(path: str | Path, collect: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> object:
    text = _text(path)
    try:
        return json.loads(text, object_pairs_hook=collect)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise PredictionsError(f"{path}: must be JSON, but is not at {where} ({error.msg})") from error
    except (ValueError, RecursionError) as error:
        raise PredictionsError(f"{path}: must be a JSON object of texts by id, but {error}") from error


def _entries(path: str | Path, rows: list[Any]) -> list[tuple[str, Any]]:
    """Return the id and the prediction of each row; a text of a wrong type is returned unchanged."""
    wrong = [
        f"entry {number}"
        for number, row in enumerate(rows, start=1)
        if not (isinstance(row, dict) and type(row.get("id")) in (str, int) and _text_key(row))
    ]
    if wrong:
        raise PredictionsError(
            f"{path}: each entry must have an id and a prediction_text, but these do not: {listed(wrong)}"
        )
    if any(_text_key(row) == "answer_text" and "answer_start" in row and "context" in row for row in rows):
        raise PredictionsError(
            f"{path}: must be predictions, but is labelled data: it has context, answer_text and answer_start"
        )
    return [(str(row["id"]), _of_row(path, row)) for row in rows]


def _of_row(path: str | Path, row: dict[str, Any]) -> object:
    """Return the prediction of a row; if its text has a wrong type, return that unchanged."""
    text = row[_text_key(row) or ""]
    if not isinstance(text, str | None):
        return text
    numbers = {name: _number(row.get(name)) for name in _NUMBERS}
    for name, value in numbers.items():
        if must := _must(name, value):
            raise PredictionsError(f"{path}: {name} of {row['id']} must be {must}, but is {repr(row[name])[:80]}")
    return Predicted(text or "", **numbers)


def _must(name: str, value: float | None) -> str | None:
    """Return what a number of a prediction must be; ``None`` if it is valid."""
    if value is None or (math.isfinite(value) and (name == "null_odds" or 0 <= value <= 1)):
        return None
    return "a number" if name == "null_odds" else "a number from 0 to 1"


def check_predicted(id: str, predicted: object) -> None:
    """Check a prediction that was not read from a file: a text, ``None``, or a text with numbers.

    Raises:
        PredictionsError: If its type is another, or a number is out of its range.
    """
    text = predicted.text if isinstance(predicted, Predicted) else predicted
    if not isinstance(text, str | None):
        raise PredictionsError(f"prediction of {id} must be a text or None, but is {repr(text)[:80]}")
    for name in _NUMBERS if isinstance(predicted, Predicted) else ():
        value = getattr(predicted, name)
        if must := _must(name, math.nan if isinstance(value, str) else _number(value)):
            raise PredictionsError(f"{name} of {id} must be {must}, but is {repr(value)[:80]}")


def _number(value: object) -> float | None:
    """Convert a value or a cell to a number; ``None`` if it is empty, NaN if it is not a number."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):  # OverflowError: an integer that is larger than every float
        return math.nan


def _text_key(entry: dict[str, Any]) -> str | None:
    """Return the key of an entry's text."""
    return next((name for name in _TEXTS if name in entry), None)


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
