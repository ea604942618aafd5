"""SQuAD prediction files: read from any system, and written as a stream, atomically."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from quoth.errors import PredictionsError
from quoth.evaluation.answer_files import answer_file, json_object, text_file
from quoth.evaluation.report import NOTHING_READ, some
from quoth.records import Prediction

_TEXTS = ("prediction_text", "prediction", "text", "answer", "answer_text")


def read_predictions(path: str | Path, *, note: Callable[[str], None] | None = None) -> dict[str, str]:
    """Read predictions: ``{id: text}``, or rows with an ``id`` and a ``prediction_text`` (or ``text``, ``answer``).

    The file is UTF-8 and may be gzipped: JSON (an object, or the hub metric's list of rows), JSON lines, CSV or TSV.
    ``null`` counts as no answer, and so does an empty cell.

    Args:
        path: The file.
        note: Called with a warning about repeated ids.

    Returns:
        Texts by id, ``""`` for no answer, in the order of the file. The last text of a repeated id counts, as in the
        official scorers.

    Raises:
        PredictionsError: If the format is invalid; the message names the entries.
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
    entries = collect(_hub_entries(path, document)) if isinstance(document, list) else document
    if not isinstance(entries, dict):
        raise PredictionsError(f"{path}: predictions must be a JSON object of texts by id, but are {_kind(document)}")
    wrong = [f"{key} ({_kind(value)})" for key, value in entries.items() if not isinstance(value, str | None)]
    if wrong:
        raise PredictionsError(f"{path}: each prediction must be a text or null, but is not for {some(wrong)}")
    if repeated and note:
        note(f"{path}: repeated ids, of which the last text counts: {some([*repeated])}")
    return {key: value or "" for key, value in entries.items()}


@contextmanager
def prediction_files(
    predictions: Path | None, nbest: Path | None = None, null_odds: Path | None = None, *, excel_safe: bool = False
) -> Iterator[Callable[[Prediction], None]]:
    """Open SQuAD prediction files, and yield a function that adds a prediction to each of them.

    Nothing is kept in memory. The files are written atomically: they are unchanged if the block raises.

        with prediction_files(Path("predictions.json")) as write:
            for prediction in reader.answer_all(examples):
                write(prediction)

    Args:
        predictions: Gets the answers, in the format that its name tells: JSON (``{id: text}``, ``""`` for no answer),
            JSON lines, CSV, TSV or Parquet; ``None`` if they go elsewhere.
        nbest: Gets ``{id: [answer]}``, all answers, best first, also where the reader abstains; an answer has the keys
            of :meth:`Answer.to_dict <quoth.Answer.to_dict>`, but for ``variants`` and ``places``.
        null_odds: Gets ``{id: null score - best score}``, higher where no answer is likelier; for the official v2.0
            scorer's ``--na-prob-file``.
        excel_safe: In a table, put an apostrophe before cells that a spreadsheet would take for formulas.

    Raises:
        ConfigError: If the name of the predictions tells a format that is not written.
        MissingExtraError: If it is Parquet, without pyarrow.
    """
    with ExitStack() as stack:
        texts = stack.enter_context(answer_file(predictions, excel_safe=excel_safe)) if predictions else None
        lists, odds = (stack.enter_context(_json_file(path)) if path else None for path in (nbest, null_odds))

        def write(prediction: Prediction) -> None:
            if texts:
                texts(prediction)
            if lists:
                lists(prediction.id, _nbest(prediction))
            if odds:
                odds(prediction.id, _null_odds(prediction))

        yield write


def _is_rows(path: str | Path) -> bool:
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:] if suffix.lower() != ".gz"]
    return bool(suffixes) and suffixes[-1] in (".jsonl", ".ndjson", ".csv", ".tsv")


def _rows(path: str | Path) -> list[Any]:
    """Return the rows of JSON lines or of a table."""
    text = _text(path)
    if Path(path).name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        rows = []
        for number, line in enumerate(text.split("\n"), 1):
            try:
                rows += [json.loads(line)] if line.strip() else []
            except (ValueError, RecursionError) as error:
                raise PredictionsError(f"{path}: line {number} must be JSON, but is not ({error})") from error
        return rows
    header = text.split("\n", 1)[0]
    delimiter = max((",", ";", "\t", "|"), key=header.count)
    try:
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise PredictionsError(f"{path}: must be a table of ids and texts, but: {error}") from error


def _text(path: str | Path) -> str:
    try:
        content = Path(path).read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise PredictionsError(f"{path}: must be a complete gzip file, but is damaged ({error})") from error
    except UnicodeDecodeError as error:
        raise PredictionsError(f"{path}: must be UTF-8, but byte {error.start} is not") from error


def _parse(path: str | Path, collect: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> object:
    text = _text(path)
    try:
        return json.loads(text, object_pairs_hook=collect)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise PredictionsError(f"{path}: must be JSON, but is not at {where} ({error.msg})") from error
    except (ValueError, RecursionError) as error:
        raise PredictionsError(f"{path}: must be a JSON object of texts by id, but {error}") from error


def _hub_entries(path: str | Path, entries: list[Any]) -> list[tuple[str, Any]]:
    wrong = [
        f"entry {number}"
        for number, entry in enumerate(entries, start=1)
        if not (isinstance(entry, dict) and type(entry.get("id")) in (str, int) and _said(entry))
    ]
    if wrong:
        raise PredictionsError(
            f"{path}: each entry must have an id and a prediction_text, but these do not: {some(wrong)}"
        )
    return [(str(entry["id"]), entry[_said(entry) or ""]) for entry in entries]


def _said(entry: dict[str, Any]) -> str | None:
    """Return the key of an entry that holds the text."""
    return next((name for name in _TEXTS if name in entry), None)


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _nbest(prediction: Prediction) -> list[dict[str, Any]]:
    # All answers overlap here, so that none has variants or places.
    return [
        {name: value for name, value in answer.items() if name not in ("variants", "places")}
        for answer in prediction.to_dict()["answers"]
    ]


def _null_odds(prediction: Prediction) -> float:
    return NOTHING_READ if prediction.null_odds is None else float(prediction.null_odds)


@contextmanager
def _json_file(path: Path) -> Iterator[Callable[[str, object], None]]:
    with text_file(path) as file, json_object(file) as add:
        yield add
