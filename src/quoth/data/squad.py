"""Nested SQuAD JSON, versions 1.1 and 2.0: articles of paragraphs of questions.

Source: the files ``train-v1.1.json`` and ``dev-v2.0.json`` of rajpurkar.github.io/SQuAD-explorer.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from quoth.data.flat import read_jsonl
from quoth.data.rows import Problems, Row, merge_answers, missing, shown
from quoth.data.texts import decode, parse_json, why_not_json
from quoth.files import whole_bytes
from quoth.records import Example

_ROW_KEYS = {"id", "question", "context"}
_NOT_SHARED = {"qas", "id", "question", "answers", "is_impossible"}


def read_json(data: bytes, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a JSON document: nested SQuAD, a list of flat rows, or ``{"data": [flat rows]}``.

    JSON lines in a file that is called ``.json`` are read as what they are.
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
            problems.add(f"line {error.lineno}, column {error.colno}", why_not_json(error))
    except ValueError as error:
        problems.add("", why_not_json(error))
    else:
        yield from merge_answers(_parts(document, problems), problems)


def _is_lines(text: str, error: json.JSONDecodeError) -> bool:
    """Tell whether a text that is not one JSON document is JSON lines: a flat row, then something on a new line."""
    if error.msg != "Extra data" or "\n" not in text[: error.pos]:
        return False
    first = parse_json(text[: error.pos])
    return isinstance(first, dict) and "data" not in first and "\n" not in text[: error.pos].strip()


def _parts(document: object, problems: Problems) -> Iterator[Row]:
    if isinstance(document, dict):
        if "data" in document:
            document = document["data"]
        elif "paragraphs" in document or "question" in document:
            document = [document]
        else:
            problems.add("", missing("key", "data", document))
            return
    if not isinstance(document, list):
        problems.add("", f"must hold a list of articles or of rows, but holds {shown(document)}")
        return
    for number, part in enumerate(document, 1):
        if not isinstance(part, dict):
            problems.add(f"row {number}", f"must be an object, but is {shown(part)}")
        elif "paragraphs" not in part and _ROW_KEYS & part.keys():
            yield Row(f"row {number}", part)
        else:
            yield from _article(part, f"article {number}", problems)


def _article(article: Mapping[str, Any], where: str, problems: Problems) -> Iterator[Row]:
    for number, paragraph in _objects(article, "paragraphs", where, problems):
        # The context goes with each question, and what else the paragraph has, so that a misspelt key is seen.
        shared = {key: value for key, value in paragraph.items() if key not in _NOT_SHARED}
        shared["title"] = article.get("title")
        place = f"{where}, paragraph {number}"
        for order, question in _objects(paragraph, "qas", place, problems):
            yield Row(f"{place}, question {order}", {**question, **shared})


def _objects(
    parent: Mapping[str, Any], key: str, where: str, problems: Problems
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects in a list of the parent, counted from 1; what is no list or no object is noted."""
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


def write_squad(examples: Sequence[Example], path: str | os.PathLike[str]) -> None:
    """Write examples as nested SQuAD JSON, in their order; gzipped if the name ends in ``.gz``.

    Neighbours of one title share an article, and neighbours of one context a paragraph. The file has the shape of
    SQuAD v2.0, with ``is_impossible``, if any example is unanswerable, else of v1.1. Unlabelled examples get no
    ``answers``. ``read_examples`` gives the same examples back. The file appears whole or not at all, where a link
    points to; a pipe or a device is written as it stands.
    """
    version_2 = any(example.golds == () for example in examples)
    articles = [
        {"title": title, "paragraphs": _paragraphs(list(group), version_2)}
        for title, group in groupby(examples, key=lambda example: example.title)
    ]
    # ASCII only: JSON escapes can hold lone surrogates, which UTF-8 cannot.
    text = json.dumps({"data": articles, "version": "v2.0" if version_2 else "1.1"})
    data = text.encode("ascii")
    path = Path(path)
    with whole_bytes(path) as file:
        file.write(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _paragraphs(examples: list[Example], version_2: bool) -> list[dict[str, Any]]:
    return [
        {"context": context, "qas": [_question(example, version_2) for example in group]}
        for context, group in groupby(examples, key=lambda example: example.context)
    ]


def _question(example: Example, version_2: bool) -> dict[str, Any]:
    question: dict[str, Any] = {"question": example.question, "id": example.id}
    if example.golds is not None:
        question["answers"] = [{"text": gold.text, "answer_start": gold.start} for gold in example.golds]
        if version_2:
            question["is_impossible"] = not example.golds
    return question
