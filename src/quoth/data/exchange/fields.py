"""Reads the fields that the tools' records have in common: ids, texts, and lists of objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from quoth.data.rows import Problems, other_names, shown

_CONTEXTS = ("text", "context", "passage", "document")


def objects(records: Iterable[object], problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each record with its place, counted from 1; items that are not objects are reported."""
    for number, record in enumerate(records, 1):
        if isinstance(record, dict):
            yield f"record {number}", record
        else:
            problems.add(f"record {number}", f"must be an object, but is {shown(record)}")


def listed(parent: Mapping[str, Any], key: str, where: str, problems: Problems) -> list[Any]:
    """Return the list with a key in the parent, empty if there is none; other types are reported."""
    value = parent.get(key)
    if value is None or isinstance(value, list):
        return value or []
    problems.add(where, f"{key} must be a list, but is {shown(value)}", f"{key} is no list")
    return []


def listed_objects(parent: Mapping[str, Any], key: str, where: str, problems: Problems) -> Iterator[dict[str, Any]]:
    """Yield the objects of the list with a key in the parent; other types are reported."""
    for number, part in enumerate(listed(parent, key, where, problems), 1):
        if isinstance(part, dict):
            yield part
        else:
            message = f"number {number} of {key} must be an object, but is {shown(part)}"
            problems.add(where, message, f"no object in {key}")


def object_or_empty(value: object) -> Mapping[str, Any]:
    """Return an object unchanged, and an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def texts(fields: Mapping[str, Any], where: str, problems: Problems) -> tuple[str, str, str] | None:
    """Return question, context and title; ``None`` if question or context is missing, which is reported."""
    known = other_names(fields)
    question = fields.get("question", next((fields[name] for name in known if known[name] == "question"), None))
    contexts = (*_CONTEXTS, *(name for name in known if known[name] == "context"))
    context = next((fields[name] for name in contexts if isinstance(fields.get(name), str)), None)
    title = fields.get("title")
    if isinstance(question, str) and context is not None:
        return question, context, title if isinstance(title, str) else ""
    what = "question" if context is not None else f"text ({' or '.join(_CONTEXTS)})"
    there = ", ".join(map(str, fields)) or "nothing"
    problems.add(where, f"must have a {what}, but has only {there}", f"no {what}")
    return None


def identifier(*fields: Mapping[str, Any]) -> str:
    """Return the id of the question, or else of the record."""
    for name in ("question_id", "id"):
        for each in fields:
            if isinstance(value := each.get(name), str | int) and value != "":
                return str(value)
    return ""
