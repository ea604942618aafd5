"""Converts selected questions to tasks of a labelling tool, with a reader's answers as suggestions if it supports them.

doccano and Haystack's tool have no suggestions. A predicted answer would be an ordinary label there, even if no
annotator checked it, so their tasks have none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from quoth.data.exchange import argilla, doccano, label_studio, nested
from quoth.data.select import Selected
from quoth.errors import ConfigError
from quoth.names import did_you_mean


def tasks_of(selected: Sequence[Selected], reader: str, format_name: str) -> Any:
    """Return the tasks as a document for :func:`quoth.data.exchange.write_document`.

    If the tool stores metadata of tasks, each task has those of :func:`selection_fields`.

    Args:
        selected: The questions.
        reader: The name of the reader that made the suggestions.
        format_name: A key of ``TOOLS``.

    Raises:
        ConfigError: If there is no such format.
    """
    if format_name not in TOOLS:
        meant = did_you_mean(format_name, TOOLS)
        raise ConfigError(f"a tool must be one of {', '.join(TOOLS)}, but is {format_name!r}{meant}")
    return TOOLS[format_name](selected, reader)


def selection_fields(selected: Selected) -> dict[str, Any]:
    """Return the metadata of a selected question, see :class:`Selected`; ``selected`` is "random" or "uncertain"."""
    return {
        "selected": selected.why,
        "probability": selected.probability,
        "uncertainty": round(selected.uncertainty, 4),
    }


def _spans(selected: Selected) -> tuple[list[tuple[int, int, str]], float] | None:
    """Return the suggested spans (none for "no answer") and their probability; ``None`` if the suggestion is hidden."""
    if selected.suggestion is None:
        return None
    best = selected.suggestion.best
    if best is None:
        return [], selected.suggestion.null_probability or 0.0
    return [(best.span.start, best.span.end, best.text)], best.probability


def _label_studio(selected: Sequence[Selected], reader: str) -> list[dict[str, Any]]:
    """Source: labelstud.io, "Import pre-annotated data"; offsets are code points."""
    tasks = []
    for each in selected:
        [task] = label_studio.write([each.example])
        task["data"] |= selection_fields(each)
        if (found := _spans(each)) is not None:
            names = {"id": "suggested", "from_name": "answer", "to_name": "text", "type": "labels"}
            values = [{"start": start, "end": end, "text": text, "labels": ["Answer"]} for start, end, text in found[0]]
            result = [{**names, "value": value} for value in values]
            task["predictions"] = [{"model_version": reader, "score": found[1], "result": result}]
        tasks.append(task)
    return tasks


def _argilla(selected: Sequence[Selected], reader: str) -> list[dict[str, Any]]:
    """Source: docs.argilla.io, ``Suggestion`` and ``Record.to_dict``."""
    records = []
    for each in selected:
        [record] = argilla.write([each.example])
        record["metadata"] |= selection_fields(each)
        if (found := _spans(each)) is not None:
            value = [{"start": start, "end": end, "label": "answer"} for start, end, _ in found[0]]
            record["suggestions"] = {argilla.QUESTION: {"value": value, "score": found[1], "agent": reader}}
        records.append(record)
    return records


def _doccano(selected: Sequence[Selected], reader: str) -> list[dict[str, Any]]:
    return [{**record, **selection_fields(each)} for each in selected for record in doccano.write([each.example])]


def _haystack(selected: Sequence[Selected], reader: str) -> dict[str, Any]:
    return nested.write_haystack([each.example for each in selected])


TOOLS: dict[str, Callable[[Sequence[Selected], str], Any]] = {
    "label-studio": _label_studio,
    "argilla": _argilla,
    "doccano": _doccano,
    "haystack": _haystack,
}
