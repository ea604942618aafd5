"""Rows of a file before the check, and the list of their problems."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from quoth.names import nearest
from quoth.text import replace_surrogates

# Known fields of a row; all others are ignored.
COLUMNS = ("id", "title", "context", "question", "answers", "is_impossible", "answer_text", "answer_start")
# Field with the texts that count as correct, if they differ from the answers in the context.
ACCEPTED = "accepted answers"

# Other names of a key or column, letters only, which error messages suggest.
_SYNONYMS = {
    "id": ("questionid", "qid", "queryid", "uid", "uuid", "guid", "exampleid"),
    "question": ("query", "querytext", "questiontext", "q"),
    "context": (
        *("passage", "paragraph", "text", "document", "article", "contexttext", "content", "body", "story"),
        "storytext",
    ),
    "answers": ("answer",),
    "data": ("examples", "rows", "questions", "items", "records"),
    "answer_start": ("start", "answerstarts", "offset", "begin", "startchar", "charstart"),
    "text": ("answer", "answertext", "span"),
    "qas": ("questions", "qa"),
}
_ANSWER_NAMES = frozenset(
    (
        *("gold", "golds", "goldtext", "label", "labels", "target", "targets", "output", "outputs", "response"),
        *("responses", "solution", "groundtruth", "reference", "references", "span", "spans", "impossible", "noanswer"),
    )
)
# Words in the names of fields about answers, which are not answers themselves.
_NOT_ANSWERS = frozenset(
    (
        *("id", "ids", "type", "types", "category", "count", "length", "len", "number", "num", "token", "tokens"),
        *("plausible", "confidence", "score", "worker", "annotator", "time", "url", "lang", "language", "end"),
    )
)

# Parts of the names of fields that state whether there is an answer.
_ANSWERABILITY = re.compile("answerable|impossible|noanswer|hasanswer|hasans$|absent")
_INTEGER = re.compile(r"-?[0-9]{1,18}(\.0+)?")  # pandas writes integers as 12.0 if a column has missing values
_SHOWN = 60
_MAX_LINES = 3  # up to this many problems with the same cause have a line each


class Row(NamedTuple):
    """One question of a file, before the check.

    Attributes:
        where: Its place in the file, counted from 1, such as ``line 3``.
        fields: Its keys and values, or columns and cells.
    """

    where: str
    fields: Mapping[str, Any]


Level = Literal["error", "warning"]


class Problem(NamedTuple):
    """One problem.

    Attributes:
        level: ``error``: the data set cannot be used; or ``warning``.
        where: The place in the file; ``""`` for the whole file.
        message: What is expected, and what was found.
        cause: Problems with the same cause are summarized in one line.
    """

    level: Level
    where: str
    message: str
    cause: str


class Problems:
    """The problems of one data set.

    Attributes:
        source: The file or hub name, as given by the user.
        entries: Errors and warnings, in the order of discovery.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.entries: list[Problem] = []
        self._errors = 0

    def add(self, where: str, message: str, cause: str = "") -> None:
        """Add an error at a place; ``""`` for the whole file."""
        self._errors += 1
        self.entries.append(Problem("error", where, message, cause or message))

    def warn(self, where: str, message: str, cause: str = "") -> None:
        """Add a warning."""
        self.entries.append(Problem("warning", where, message, cause or message))

    @property
    def errors(self) -> int:
        """Number of errors."""
        return self._errors

    def sentences(self, level: Level = "error") -> list[str]:
        """Return a sentence for each problem of a level."""
        return [self._sentence(problem) for problem in self.entries if problem.level == level]

    def lines(self, level: Level = "error") -> list[str]:
        """Return a sentence for each problem, or for all problems of the same cause if there are more than three."""
        causes: dict[str, list[Problem]] = {}
        for problem in self.entries:
            if problem.level == level:
                causes.setdefault(problem.cause, []).append(problem)
        lines: list[str] = []
        for problems in causes.values():
            if len(problems) <= _MAX_LINES:
                lines.extend(map(self._sentence, problems))
            else:
                others = ", ".join(problem.where.partition(",")[0] for problem in problems[1 : _MAX_LINES + 1])
                more = f" (and {len(problems) - 1:,} more of this kind: {others}, ...)"
                lines.append(self._sentence(problems[0]) + replace_surrogates(more))
        return lines

    def _sentence(self, problem: Problem) -> str:
        place = f"{self.source}: {problem.where}" if problem.where else self.source
        return replace_surrogates(f"{place}: {problem.message}")


def merge_answer_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Merge rows with one answer each (``answer_text`` and ``answer_start``) to one row per question.

    The merged row has the position of the first one. Rows with the same id are one question if question, context, title
    and ``is_impossible`` are equal and all have an answer; otherwise they are not merged, and the check reports the
    repeated id. Rows with ``answers`` are unchanged.
    """
    merged: dict[object, Row] = {}
    for row in rows:
        identifier = row.fields.get("id")
        if "answers" in row.fields or not {"answer_text", "answer_start"} & row.fields.keys():
            if merged:  # keep the order: earlier rows are not complete yet
                merged[Row, row.where] = row
            else:
                yield row
            continue
        cells = {name: value for name, value in row.fields.items() if name not in ("answer_text", "answer_start")}
        row = Row(row.where, {**cells, "answers": _single_answer(row.fields)})
        named = isinstance(identifier, str | int) and identifier != ""
        shared = tuple(repr(row.fields.get(name)) for name in ("id", "question", "context", "title", "is_impossible"))
        key = (shared, bool(row.fields["answers"])) if named else (Row, row.where)
        first = merged.setdefault(key, row)
        if first is not row:
            first.fields["answers"].extend(row.fields["answers"])
    yield from merged.values()


def _single_answer(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    cells = {"text": "answer_text", "answer_start": "answer_start"}
    answer = {key: fields[cell] for key, cell in cells.items() if cell in fields}
    if all(value is None or value == "" or value != value for value in answer.values()):
        return []
    start = to_integer(answer.get("answer_start"))
    if str(start).lower() in ("nan", "<na>"):
        start = None
    # An empty cell is no offset, like a missing column.
    return [{**answer, "answer_start": start} if start not in (None, "") else {"text": answer.get("text")}]


def to_integer(value: object) -> object:
    """Convert a text or float such as "12.0" to an integer; return other values unchanged."""
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value.strip().split(".")[0])
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value


def check_columns(
    names: Collection[str], problems: Problems, where: str = "", first: Mapping[str, Any] | None = None
) -> bool:
    """Report missing and repeated columns of a table. Return True if its rows can be read.

    Args:
        names: The names of the columns.
        problems: Receives the problems.
        where: The place of the header.
        first: The first row, from whose values the meaning of unknown columns is inferred.
    """
    before = problems.errors
    # The check of the rows reports these, and they can be repaired.
    known = {**other_names(names), **dict.fromkeys(numbered_answers(names), "answers")}
    for name in ("question", "context"):
        if name not in names and name not in known.values():
            problems.add(where, missing("column", name, names))
    if not {"answers", "answer_text", "answer_start"} & set(names):
        for unread in (name for name in names if looks_like_answer(name) and name not in known):
            problems.add(where, unread_message("column", unread, (first or {}).get(unread)))
    counted = list(names)
    for name in COLUMNS:
        if counted.count(name) > 1:
            problems.add(where, f"must have the column {name} once, but has it {counted.count(name)} times")
    return problems.errors == before


def missing(kind: str, name: str, names: Collection[str]) -> str:
    """Return a message that a key or column is missing, with a suggestion or a list of the existing ones."""
    near = similar_name(name, names)
    if near is not None:
        return f"must have the {kind} {name}, but has {shown(near)}; rename it"
    there = ", ".join(str(other) for other in list(names)[:12]) or "none"
    # The header of a table whose delimiter is unknown is one name.
    sep = (
        "; if another character separates the columns, name it with --sep" if len(names) == 1 and name in there else ""
    )
    return f"must have the {kind} {name}, but has only {there}{sep}"


def similar_name(name: str, names: Collection[str]) -> str | None:
    """Return the key that is most similar to a missing one, by spelling or meaning; ``None`` if there is none."""
    others = {str(other).strip().lower(): str(other) for other in names if other not in COLUMNS}
    plain = {re.sub(r"[^a-z]", "", other): given for other, given in others.items()}
    for meaning in (name.replace("_", ""), *_SYNONYMS.get(name, ())):
        if meaning in plain:
            return plain[meaning]
    if name != "id":  # context_id is not a context
        others = {other: given for other, given in others.items() if not other.endswith("id")}
    near = nearest(name, others, alike=0.8)
    return None if near is None else others[near]


def other_names(names: Iterable[object]) -> dict[str, str]:
    """Return the keys or columns that unambiguously are a known field under another name: other name -> name.

    This is the case if the field is missing and exactly one key means it, such as ``query`` or ``Question``. The answer
    is renamed to ``answers``, in any form, and its offset to ``answer_start``.
    """
    given = [str(name) for name in names]
    plain = {name: re.sub(r"[^a-z]", "", name.lower()) for name in given if name not in COLUMNS}
    found: dict[str, str] = {}
    for name in ("question", "context"):
        meant = [other for other, letters in plain.items() if letters in (name, *_SYNONYMS[name])]
        if name not in given and len(meant) == 1:
            found[meant[0]] = name
    if {"answers", "answer_text", "answer_start"} & set(given):
        return found
    starts = [other for other, letters in plain.items() if letters in ("answerstart", *_SYNONYMS["answer_start"])]
    words = {other for other, letters in plain.items() if _ANSWERABILITY.search(letters)}
    answers = [name for name in plain if looks_like_answer(name) and name not in words and name not in starts]
    if len(answers) == 1 and len(starts) <= 1 and not words:
        found |= {answers[0]: "answers", **dict.fromkeys(starts, "answer_start")}
    return found


def numbered_answers(names: Iterable[object]) -> list[str]:
    """Return the keys or columns with the texts of several answers, such as ``answer 1`` and ``answer 2``, in order.

    The list is empty if there are fewer than two, or if the answers have one of the known names.
    """
    given = [str(name) for name in names]
    if {"answers", "answer_text", "answer_start"} & set(given):
        return []
    found = [name for name in given if re.fullmatch(r"answer[ _-]?(text)?[ _-]?[0-9]{1,2}", name.strip().lower())]
    return found if len(found) > 1 else []


def looks_like_answer(name: object) -> bool:
    """Return True if the name of an unknown key or column, such as ``gold_answers`` or ``label``, suggests answers."""
    if name in COLUMNS or name in (ACCEPTED, "plausible_answers", "detected_answers"):
        return False
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name)).lower())
    if _NOT_ANSWERS & set(words):
        return False
    return (
        bool({"answer", "answers", "ans", "unanswerable", "answerable"} & set(words)) or "".join(words) in _ANSWER_NAMES
    )


def unread_message(kind: str, name: str, value: object) -> str:
    """Return a message that a key or column that looks like an answer is not read, and the name to use instead."""
    words = re.sub(r"[^a-z]", "", str(name).lower())
    if isinstance(value, bool) or _ANSWERABILITY.search(words):
        meant = "is_impossible (true where the context does not answer)"
    elif isinstance(value, list | dict) or (isinstance(value, str) and value.lstrip()[:1] in ("{", "[")):
        meant = "answers"
    elif "start" in words:
        meant = "answer_start"
    elif isinstance(value, str):
        meant = "answer_text (plain text, with its position in answer_start)"
    else:
        meant = "answers, or answer_text if it is plain text,"
    return f"{kind} {shown(str(name))} looks like an answer, but is not read; rename it to {meant} or remove it"


def shown(value: object) -> str:
    """Return a value for a message: text in quotes and truncated, JSON scalars as JSON, else the type."""
    if isinstance(value, str):
        return json.dumps(value if len(value) <= _SHOWN else value[:_SHOWN] + "…", ensure_ascii=False)
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a huge number"
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    kinds: dict[type, str] = {list: "a list", dict: "an object"}
    return kinds.get(type(value), f"a {type(value).__name__}")
