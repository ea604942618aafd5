"""doccano: JSON lines of sequence labelling, with the question as metadata or as the label. Offsets are code points.

Source: doccano's documentation, "Export dataset": ``{"text", "label": [[start, end, name]]}``, or with relations
``{"text", "entities": [{"start_offset", "end_offset", "label"}]}``. Old versions call
``entities`` ``annotations``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quoth.data.exchange.fields import identifier, object_or_empty, objects, texts
from quoth.data.exchange.tasks import MarkedSpan, RawTask
from quoth.data.rows import Problems, shown
from quoth.records import Example


def read(records: Sequence[object], problems: Problems) -> Iterator[RawTask]:
    """Yield a task for each record, or for each label of a record that has no question.

    A record without ``label`` and ``entities`` is unlabelled; one with an empty list has no answer.
    """
    for where, record in objects(records, problems):
        fields = {**object_or_empty(record.get("meta")), **object_or_empty(record.get("metadata")), **record}
        marks = _marks(record, where, problems)
        if "question" in fields:
            if (found := texts(fields, where, problems)) is not None:
                spans = None if marks is None else [mark._replace(label=label) for mark, label in marks]
                yield RawTask(where, identifier(fields), *found, [] if spans is None else [(_annotator(fields), spans)])
            continue
        asked: dict[str, list[MarkedSpan]] = {}
        for mark, label in marks or []:
            asked.setdefault(label, []).append(mark)
        if not asked:
            problems.add(where, "must have a question, or questions as labels, but has neither", "no question")
        for number, (question, spans) in enumerate(asked.items(), 1):
            if (found := texts({**fields, "question": question}, where, problems)) is not None:
                yield RawTask(where, f"{identifier(fields) or where}-{number}", *found, [(_annotator(fields), spans)])


def _annotator(fields: Mapping[str, Any]) -> str:
    return str(fields.get("annotator") or fields.get("username") or "")


def _marks(record: Mapping[str, Any], where: str, problems: Problems) -> list[tuple[MarkedSpan, str]] | None:
    listed = next(
        (record[name] for name in ("label", "labels", "entities", "annotations") if record.get(name) is not None), None
    )
    if listed is None:
        return None
    marks: list[tuple[MarkedSpan, str]] = []
    for each in listed if isinstance(listed, list) else [listed]:
        if isinstance(each, dict):
            start, end, label = (each.get(name) for name in ("start_offset", "end_offset", "label"))
        elif isinstance(each, list) and len(each) == 3:
            start, end, label = each
        else:
            start = end = label = None
        if type(start) is int and type(end) is int:
            marks.append((MarkedSpan(start, end, None), str(label)))
        else:
            problems.add(where, f"a label must be [start, end, name], but is {shown(each)}", "no label")
    return marks


def write(examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Return records. doccano assigns its own ids, so the example's id is also stored as ``question_id``."""
    records = []
    for example in examples:
        record: dict[str, Any] = {"text": example.context, "question_id": example.id, "question": example.question}
        record["title"] = example.title
        if example.golds is not None:
            record["label"] = [[gold.start, gold.span.end, "ANSWER"] for gold in example.golds]
        records.append(record)
    return records
