"""Writes rows with all their keys, or examples, as nested SQuAD JSON, JSON lines, CSV or TSV."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from quoth import display
from quoth.data.mrqa import NOT_SHARED
from quoth.data.rows import ACCEPTED, Row
from quoth.errors import ConfigError, DataError
from quoth.files import format_suffix, packed_bytes
from quoth.records import Example

SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv")


def row_of(example: Example, where: str = "") -> Row:
    """Return an example as a row with the columns of the hub's ``squad``.

    Raises:
        ConfigError: If it does not have exactly one context.
    """
    if len(example.contexts) != 1:
        raise ConfigError(f"{example.name}: must have one context to be a row, but has {len(example.contexts)}")
    fields: dict[str, Any] = {"id": example.id, "title": example.title, "context": example.context}
    fields["question"] = example.question
    if example.golds is not None:
        fields["answers"] = [{"text": gold.text, "answer_start": gold.start} for gold in example.golds]
    return Row(where, fields)


def suffix_of(path: Path) -> str:
    """Return the format of a file's name, such as ``.jsonl`` for ``a.jsonl.gz``.

    Raises:
        ConfigError: If the format cannot be written.
    """
    suffix = format_suffix(path)
    if suffix not in SUFFIXES:
        names = ", ".join(SUFFIXES)
        raise ConfigError(f"{path}: the name must end in one of {names}, each also with .gz, but ends in {suffix!r}")
    return suffix


def write_rows(rows: Sequence[Row], path: Path, *, excel_safe: bool = False) -> None:
    """Write rows in the format of the file's name; gzipped if it ends in ``.gz``.

    JSON is nested as in SQuAD: consecutive rows with the same title are in one article, and consecutive rows with the
    same context in one paragraph. JSON lines have one row per question. CSV and TSV have one row per answer; if some
    rows are unlabelled, they have one row per question, with the answers as JSON in a cell. ``read_examples`` returns
    the same examples.

    Args:
        rows: Rows with ``id``, ``question`` and ``context``. Other keys are written unchanged.
        path: The file, written atomically.
        excel_safe: Put an apostrophe before cells of CSV and TSV files that spreadsheets would treat as formulas.
            ``read_examples`` does not remove it.

    Raises:
        ConfigError: If the format cannot be written, or cannot represent a text.
    """
    suffix = suffix_of(path)
    if suffix == ".json":
        text = _nested(rows)
    elif suffix in (".jsonl", ".ndjson"):
        text = "".join(json.dumps(_flat(row.fields)) + "\n" for row in rows)
    else:
        text = _table(rows, "\t" if suffix == ".tsv" else ",", excel_safe)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{path}: CSV and TSV cannot represent a lone surrogate; write JSON lines (.jsonl)") from None
    with packed_bytes(path) as file:
        file.write(data)


def write_squad(examples: Sequence[Example], path: str | os.PathLike[str]) -> None:
    """Write examples as nested SQuAD JSON, in order; gzipped if the name ends in ``.gz``.

    Consecutive examples with the same title are in one article, and consecutive examples with the same context in one
    paragraph. The format is SQuAD v2.0, with ``is_impossible``, if any example is unanswerable, else v1.1. Unlabelled
    examples have no ``answers``. ``read_examples`` returns the same examples. The file is written atomically; if it is
    a link, its target is replaced. Pipes and devices are written directly.

    Raises:
        DataError: If an example does not have exactly one context, like a SQuAD paragraph.

    Example:
        >>> write_squad([Example("1", "Who?", "Ana kept it.")], "questions.json")  # doctest: +SKIP
    """
    problems = [
        f"{example.name}: must have one context to be written as SQuAD JSON, but has {len(example.contexts)}"
        for example in examples
        if len(example.contexts) != 1
    ]
    if problems:
        raise DataError(os.fspath(path), problems)
    with packed_bytes(Path(path)) as file:
        file.write(_nested([row_of(example) for example in examples]).encode("ascii"))


def _visible(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != ACCEPTED}


def _flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    fields = _visible(fields)
    answers = fields.get("answers")
    if isinstance(answers, list) and all(isinstance(each, dict) and {*each} == _ANSWER for each in answers):
        fields["answers"] = {key: [each[key] for each in answers] for key in ("text", "answer_start")}
    return fields


_ANSWER = {"text", "answer_start"}


def _nested(rows: Sequence[Row]) -> str:
    is_second = any(row.fields.get("is_impossible") or _golds(row.fields) == [] for row in rows)
    # ASCII only: JSON escapes can represent lone surrogates, which UTF-8 cannot.
    articles = [
        {"title": title or "", "paragraphs": _paragraphs(list(group), is_second)}
        for title, group in groupby(rows, key=lambda row: row.fields.get("title"))
    ]
    return json.dumps({"data": articles, "version": "v2.0" if is_second else "1.1"})


def _paragraphs(rows: list[Row], is_second: bool) -> list[dict[str, Any]]:
    return [
        {"context": context, "qas": [_question(row.fields, is_second) for row in group]}
        for context, group in groupby(rows, key=lambda row: row.fields.get("context"))
    ]


def _question(fields: Mapping[str, Any], is_second: bool) -> dict[str, Any]:
    """Return a question; in version 2.0 always with ``is_impossible``, which other programs rely on."""
    question = {
        key: value for key, value in _visible(fields).items() if key not in ("context", "title", *_EXTRA_FIELDS)
    }
    if (golds := _golds(fields)) is not None:
        question["answers"] = golds
        if is_second and question.get("is_impossible") is None and isinstance(golds, list):
            question["is_impossible"] = not golds
    return question


_EXTRA_FIELDS = NOT_SHARED - {"id", "question", "answers", "is_impossible"}


def _golds(fields: Mapping[str, Any]) -> Any:
    """Return the answers as a list of objects if possible; ``None`` if there are none."""
    answers = fields.get("answers")
    if isinstance(answers, dict) and all(isinstance(answers.get(key), list) for key in _ANSWER):
        pairs = zip(answers["text"], answers["answer_start"], strict=False)
        return [{"text": text, "answer_start": start} for text, start in pairs]
    return answers


def _table(rows: Sequence[Row], delimiter: str, excel_safe: bool) -> str:
    golds = [_golds(row.fields) for row in rows]
    simple = all(
        isinstance(each, list) and all(isinstance(gold, dict) and {*gold} == _ANSWER for gold in each) for each in golds
    )
    unlabelled = all(each is None for each in golds)
    first = ["id", "title", "context", "question"]
    last = [] if unlabelled else ["answer_text", "answer_start"] if simple else ["answers"]
    others = dict.fromkeys(key for row in rows for key in _visible(row.fields) if key not in (*first, "answers"))
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    safe = display.excel_safe if excel_safe else str
    writer.writerow([safe(name) for name in (*first, *last, *others)])
    for row, each in zip(rows, golds, strict=True):
        start, end = [[_cell(row.fields.get(key)) for key in keys] for keys in (first, others)]
        if last == ["answers"]:
            middles = [[json.dumps(each)]]
        elif last:
            middles = [[gold["text"], gold["answer_start"]] for gold in each] or [["", ""]]
        else:
            middles = [[]]
        writer.writerows([safe(cell) for cell in (*start, *middle, *end)] for middle in middles)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value)
