"""Rows on their way from a file to the check, and the list of what is wrong with them."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from quoth.text import replace_surrogates

# What a row may hold; anything else in it is left alone.
COLUMNS = ("id", "title", "context", "question", "answers", "is_impossible", "answer_text", "answer_start")
REQUIRED = ("id", "question", "context")
# Where a row holds the texts that count as right apart from the answers that stand in its context.
ACCEPTED = "accepted answers"

_WHOLE = re.compile(r"-?[0-9]{1,18}(\.0+)?")  # pandas writes whole numbers as 12.0 where a column has gaps
_SHOWN = 60


class Row(NamedTuple):
    """One question as a file gives it, before anything is known about it.

    Attributes:
        where: Its place in the file, counted from 1, such as ``line 3``.
        fields: Its keys and values, or its columns and cells.
    """

    where: str
    fields: Mapping[str, Any]


class Problems:
    """What is wrong with one data set.

    Attributes:
        source: The file or hub name, as the user gave it.
        found: One sentence a problem, in the order of the file.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.found: list[str] = []

    def add(self, where: str, message: str) -> None:
        """Note a problem at a place, or of the whole file if the place is ``""``."""
        place = f"{self.source}: {where}" if where else self.source
        self.found.append(replace_surrogates(f"{place}: {message}"))


def merge_answers(rows: Iterable[Row], problems: Problems) -> Iterator[Row]:
    """Join rows with one answer each, in ``answer_text`` and ``answer_start``, to one row a question.

    It stands where its first one stood. They must agree in question, context and title. Rows with ``answers`` stay as
    they are.
    """
    merged: dict[tuple[type, Any], Row] = {}
    for row in rows:
        identifier = row.fields.get("id")
        if "answers" in row.fields or not {"answer_text", "answer_start"} & row.fields.keys():
            if merged:  # it waits for those before it
                merged[Row, row.where] = row
            else:
                yield row
            continue
        row = Row(row.where, {**row.fields, "answers": _single_answer(row.fields)})
        key = (type(identifier), identifier if isinstance(identifier, str | int) else row.where)
        first = merged.setdefault(key, row)
        if first is row:
            continue
        differing = _differing(first, row)
        if differing:
            problems.add(f"{row.where}, id {identifier}", f"must agree with {first.where}, but has {differing}")
        else:
            first.fields["answers"].extend(row.fields["answers"])
    yield from merged.values()


def _differing(first: Row, row: Row) -> str | None:
    for name in ("question", "context", "title"):
        if first.fields.get(name) != row.fields.get(name):
            return f"another {name}"
    return None if first.fields["answers"] and row.fields["answers"] else "the same id, and one of them has no answer"


def _single_answer(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    cells = {"text": "answer_text", "answer_start": "answer_start"}
    answer = {key: fields[cell] for key, cell in cells.items() if cell in fields}
    if all(value is None or value == "" or value != value for value in answer.values()):
        return []
    if "answer_start" in answer:
        answer["answer_start"] = _whole(answer["answer_start"])
    return [answer]


def _whole(value: object) -> object:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value.strip().split(".")[0])
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value


def check_columns(names: Collection[str], problems: Problems, where: str = "") -> bool:
    """Note each missing or repeated column of a table, and tell whether its rows can be read."""
    before = len(problems.found)
    for name in REQUIRED:
        if name not in names:
            problems.add(where, missing("column", name, names))
    if "answers" not in names and not {"answer_text", "answer_start"} & set(names) and near_miss("answers", names):
        problems.add(where, missing("column", "answers", names))
    counted = list(names)
    for name in COLUMNS:
        if counted.count(name) > 1:
            problems.add(where, f"must have the column {name} once, but has it {counted.count(name)} times")
    return len(problems.found) == before


def missing(kind: str, name: str, names: Collection[str]) -> str:
    """Say that a key or column is missing, and which one may be meant, or which there are."""
    near = near_miss(name, names)
    if near is not None:
        return f"must have the {kind} {name}, but has {shown(near)}; rename it"
    there = ", ".join(str(other) for other in list(names)[:12]) or "none"
    return f"must have the {kind} {name}, but has only {there}"


def near_miss(name: str, names: Collection[str]) -> str | None:
    """Return the key that is most like a missing one, or ``None``."""
    others = {str(other).strip().lower(): str(other) for other in names if other not in COLUMNS}
    close = difflib.get_close_matches(name, others, n=1, cutoff=0.8)
    return others[close[0]] if close else None


def shown(value: object) -> str:
    """Return a value as a sentence shows it: text in quotes and cut, JSON scalars as JSON, else its kind."""
    if isinstance(value, str):
        return json.dumps(value if len(value) <= _SHOWN else value[:_SHOWN] + "…", ensure_ascii=False)
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a huge number"
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    kinds: dict[type, str] = {list: "a list", dict: "an object"}
    return kinds.get(type(value), f"a {type(value).__name__}")
