"""Label Studio: tasks with annotations, in the JSON format of its export and import.

Source: labelstud.io, "Export annotations" and "Import data"; a labelling configuration with ``<Labels name="answer"
toName="text">``. An annotation without results means "no answer". Old versions count UTF-16 code units.
JSON-MIN, with a record for each annotation, is read as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from quoth.data.exchange.fields import identifier, listed_objects, object_or_empty, objects, texts
from quoth.data.exchange.tasks import MarkedSpan, RawTask
from quoth.data.rows import Problems
from quoth.records import Example


def read(records: Sequence[object], problems: Problems) -> Iterator[RawTask]:
    """Yield a task for each record. Cancelled annotations and predictions are ignored."""
    for where, task in _tasks(objects(records, problems)):
        data = task.get("data")
        if not isinstance(data, dict):
            problems.add(where, "must have data with a text and a question, but has none")
            continue
        found = texts(data, where, problems)
        if found is None:
            continue
        labels = []
        key = "annotations" if task.get("annotations") else "completions"
        for annotation in listed_objects(task, key, where, problems):
            if not annotation.get("was_cancelled"):
                labels.append((_annotator(annotation), list(_marks(annotation, where, problems))))
        number = identifier(data, task)
        yield RawTask(where, number, *found, labels)


def _tasks(records: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield tasks, with the records of JSON-MIN as such: their spans are columns, and each annotation has a record."""
    minimal: dict[str, dict[str, Any]] = {}
    for where, record in records:
        if "data" in record or "annotation_id" not in record:
            yield where, record
            continue
        columns = {name: value for name, value in record.items() if _has_spans(value)}
        result = [{"type": "labels", "value": span} for spans in columns.values() for span in spans]
        annotation = {"completed_by": record.get("annotator", ""), "result": result}
        data = {name: value for name, value in record.items() if name not in columns}
        key = str(record.get("id", where))
        if key in minimal:
            minimal[key]["annotations"].append(annotation)
        else:
            minimal[key] = {"where": where, "data": data, "annotations": [annotation]}
    for task in minimal.values():
        yield task["where"], task


def _has_spans(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and "start" in each for each in value)


def _annotator(annotation: Mapping[str, Any]) -> str:
    who = annotation.get("completed_by", "")
    return str(who.get("email", who.get("id", "")) if isinstance(who, dict) else who)


def _marks(annotation: Mapping[str, Any], where: str, problems: Problems) -> Iterator[MarkedSpan]:
    for result in listed_objects(annotation, "result", where, problems):
        value = object_or_empty(result.get("value"))
        place = object_or_empty(value.get("globalOffsets")) or value  # hypertext has paths as start and end
        kind = str(result.get("type"))
        if type(place.get("start")) is int and type(place.get("end")) is int:
            names = value.get(kind) or value.get("labels")
            label = str(names[0]) if isinstance(names, list) and len(names) == 1 else ""
            yield MarkedSpan(place["start"], place["end"], value.get("text"), label)
        elif kind.endswith("labels"):
            message = f"a {kind} result must have start and end in its value, but has not"
            problems.add(where, message, "no start and end")
        elif kind == "textarea":
            message = (
                "an answer must be marked in the text, but there is a textarea; mark it, or export without textareas"
            )
            problems.add(where, message, "a textarea")
        else:
            problems.warn(where, f"a result of type {kind} is ignored; only labels are read", "not labels")


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
