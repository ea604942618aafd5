"""Label Studio: tasks with annotations, in the JSON format of its export and import.

Source: labelstud.io, "Export annotations" and "Import data"; a labelling configuration with ``<Labels name="answer"
toName="text">``. An annotation without results means "no answer". Old versions count UTF-16 code units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quoth.data.exchange.fields import identifier, objects, texts
from quoth.data.exchange.tasks import Marked, Raw
from quoth.data.rows import Problems
from quoth.records import Example


def read(records: Sequence[object], problems: Problems) -> Iterator[Raw]:
    """Yield a task for each record. Cancelled annotations and predictions are ignored."""
    for where, task in objects(records, problems):
        data = task.get("data")
        if not isinstance(data, dict):
            problems.add(where, "must have data with a text and a question, but has none")
            continue
        found = texts(data, where, problems)
        if found is None:
            continue
        labels = []
        for annotation in task.get("annotations") or task.get("completions") or []:
            if not annotation.get("was_cancelled"):
                labels.append((_annotator(annotation), list(_marks(annotation, where, problems))))
        number = identifier(data, task)
        yield Raw(where, number, *found, labels)


def _annotator(annotation: Mapping[str, Any]) -> str:
    who = annotation.get("completed_by", "")
    return str(who.get("email", who.get("id", "")) if isinstance(who, dict) else who)


def _marks(annotation: Mapping[str, Any], where: str, problems: Problems) -> Iterator[Marked]:
    for result in annotation.get("result") or []:
        value = result.get("value") or {}
        if type(value.get("start")) is int and type(value.get("end")) is int:
            yield Marked(value["start"], value["end"], value.get("text"))
        elif result.get("type") == "labels":
            problems.add(where, "a labels result must have start and end in its value, but has not", "no start and end")
        else:
            kind = result.get("type")
            problems.warn(where, f"a result of the type {kind} is not read: only labels on the text are", "not labels")


def write(examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Return tasks, with golds as annotations (offsets in code points); unlabelled examples have no annotation."""
    return [_task(example) for example in examples]


def _task(example: Example) -> dict[str, Any]:
    data = {"id": example.id, "text": example.context, "question": example.question, "title": example.title}
    if example.golds is None:
        return {"data": data, "annotations": []}
    result = [
        {
            "id": f"answer{number}",
            "from_name": "answer",
            "to_name": "text",
            "type": "labels",
            "value": {"start": gold.start, "end": gold.span.end, "text": gold.text, "labels": ["Answer"]},
        }
        for number, gold in enumerate(example.golds, 1)
    ]
    return {"data": data, "annotations": [{"was_cancelled": False, "result": result}]}
