"""Reads nested SQuAD JSON, versions 1.1 and 2.0: articles with paragraphs with questions.

Source: the files ``train-v1.1.json`` and ``dev-v2.0.json`` of rajpurkar.github.io/SQuAD-explorer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from quoth.data.flat import read_jsonl
from quoth.data.formats import conversion_hint
from quoth.data.mrqa import split_questions, with_shared_fields
from quoth.data.rows import Problems, Row, merge_answer_rows, missing, shown, similar_name
from quoth.data.texts import decode, json_problem, parse_json

_ROW_KEYS = {"id", "question", "context"}


def read_json(data: bytes, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a JSON document: nested SQuAD, a list of flat rows or of contexts, or columns.

    JSON lines in a file named ``.json`` are recognised.
    """
    text = decode(data, problems)
    if text is None:
        return
    try:
        document = parse_json(text)
    except json.JSONDecodeError as error:
        if _is_lines(text, error):
            yield from read_jsonl(data, problems)
        else:
            problems.add(f"line {error.lineno}, column {error.colno}", json_problem(error))
    except ValueError as error:
        problems.add("", json_problem(error))
    else:
        yield from merge_answer_rows(_parts(document, problems))


def _is_lines(text: str, error: json.JSONDecodeError) -> bool:
    """Return True if a text that is not a JSON document is JSON lines: an object, and then more lines."""
    if error.msg != "Extra data" or "\n" not in text[: error.pos]:
        return False
    first = parse_json(text[: error.pos])
    return isinstance(first, dict) and "data" not in first and "\n" not in text[: error.pos].strip()


def _parts(document: object, problems: Problems) -> Iterator[Row]:
    if isinstance(document, dict):
        if (rows := _columns(document) or _pandas_rows(document)) is not None:
            document = rows
        elif "data" in document and "annotations" not in document:
            document = document["data"]
        elif "paragraphs" in document or "question" in document or "qas" in document:
            document = [document]
        else:
            problems.add("", conversion_hint(document) or _no_data(document))
            return
    if isinstance(document, dict):
        document = _columns(document) or document
    if not isinstance(document, list):
        problems.add("", f"must contain a list of articles or of rows, but contains {shown(document)}")
        return
    for number, part in enumerate(document, 1):
        if not isinstance(part, dict):
            problems.add(f"row {number}", f"must be an object, but is {shown(part)}", "no object")
        elif hint := conversion_hint(part):
            problems.add(f"row {number}", hint)
        elif "qas" in part and "paragraphs" not in part:
            yield from split_questions([Row(f"row {number}", part)], problems)
        elif "question" not in part and isinstance(part.get("questions"), list):
            problems.add(f"row {number}", missing("key", "qas", part), "questions, not qas")
        elif "paragraphs" not in part and (_ROW_KEYS & part.keys() or similar_name("question", part)):
            yield Row(f"row {number}", part)
        else:
            yield from _article(part, f"article {number}", problems)


def _no_data(document: Mapping[str, Any]) -> str:
    parts = [name for name, part in document.items() if isinstance(part, list | dict)]
    if parts and {*parts} <= {"train", "validation", "dev", "test", "valid", "eval"}:
        return f"must contain one data set, but contains the parts {', '.join(parts)}; write each to a separate file"
    return missing("key", "data", document)


def _columns(document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of JSON with a list for each column, or with objects by row number, as written by pandas."""
    if not {"question", "context"} <= document.keys():
        return None
    columns = list(document.values())
    if all(isinstance(column, dict) for column in columns) and len({tuple(column) for column in columns}) == 1:
        columns = [list(column.values()) for column in columns]
    if not all(isinstance(column, list) for column in columns) or len({*map(len, columns)}) != 1:
        return None
    return [dict(zip(document, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _pandas_rows(document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of JSON that pandas wrote with ``orient="split"`` or ``"index"``; else ``None``.

    With ``"index"``, there is an object for each id. This id is that of the row, unless the row has an ``id``.
    """
    columns, listed = document.get("columns"), document.get("data")
    if isinstance(columns, list) and isinstance(listed, list) and all(isinstance(cells, list) for cells in listed):
        return [dict(zip(map(str, columns), cells, strict=False)) for cells in listed]
    rows = list(document.values())
    if rows and all(isinstance(row, dict) and {"question", "context"} <= row.keys() for row in rows):
        return [{"id": name, **row} for name, row in document.items()]
    return None


def _article(article: Mapping[str, Any], where: str, problems: Problems) -> Iterator[Row]:
    other_fields = {key: value for key, value in article.items() if key not in ("paragraphs", "title", "id")}
    for number, paragraph in _objects(article, "paragraphs", where, problems):
        place = f"{where}, paragraph {number}"
        # Each question gets all fields of its paragraph, so that misspelt keys are reported.
        shared = {**other_fields, **paragraph}
        for order, question in _objects(paragraph, "qas", place, problems):
            titles = [part.get("title") for part in (article, paragraph, question)]
            given = [title for title in titles if title not in (None, "")]
            at = f"{place}, question {order}"
            if any(title != given[0] for title in given):
                message = f"has the titles {' and '.join(map(shown, given))}; the first one is used"
                problems.warn(at, message, "several titles")
            yield Row(at, {**with_shared_fields(question, shared), "title": given[0] if given else None})


def _objects(
    parent: Mapping[str, Any], key: str, where: str, problems: Problems
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a list in the parent, counted from 1; other types are reported."""
    listed = parent.get(key)
    if key not in parent:
        problems.add(where, missing("key", key, parent))
    elif not isinstance(listed, list):
        problems.add(where, f"{key} must be a list, but is {shown(listed)}")
    else:
        for number, part in enumerate(listed, 1):
            if isinstance(part, dict):
                yield number, part
            else:
                problems.add(where, f"number {number} of {key} must be an object, but is {shown(part)}")
