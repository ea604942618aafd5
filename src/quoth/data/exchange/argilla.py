"""Argilla 2: records with a span question ``answer`` on the field ``context``. Offsets are code points.

Source: docs.argilla.io, ``Record.to_dict`` and ``SpanQuestion``. Records of ``to_datasets`` have flat columns
(``answer.responses``, ``answer.responses.users``), and are read as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quoth.data.exchange.fields import identifier, listed, listed_objects, object_or_empty, objects, texts
from quoth.data.exchange.tasks import MarkedSpan, RawTask
from quoth.data.rows import Problems, shown
from quoth.records import Example

QUESTION = "answer"
_NOBODY = "00000000-0000-0000-0000-000000000000"


def read(records: Sequence[object], problems: Problems) -> Iterator[RawTask]:
    """Yield a task for each record. Suggestions, drafts and discarded responses are ignored."""
    for where, record in objects(records, problems):
        inner = record.get("fields")
        fields = {**object_or_empty(record.get("metadata")), **(inner if isinstance(inner, dict) else record)}
        found = texts(fields, where, problems)
        if found is None:
            continue
        labels = [(who, list(_marks(value, where, problems))) for who, value in _responses(record, where, problems)]
        yield RawTask(where, identifier(fields, record), *found, labels)


def _responses(record: Mapping[str, Any], where: str, problems: Problems) -> Iterator[tuple[str, object]]:
    """Yield user and spans of each response to the span question: ``answer``, else the only one with lists."""
    responses = record.get("responses")
    if isinstance(responses, dict):
        asked = {
            name: [
                (str(each.get("user_id", "")), each.get("value"))
                for each in listed_objects(responses, name, where, problems)
                if each.get("status", "submitted") == "submitted"
            ]
            for name in responses
        }
    else:
        if responses is not None:
            problems.add(where, f"responses must be an object, but is {shown(responses)}", "responses are no object")
        asked = {}
        for column in record:
            if (name := str(column).removesuffix(".responses")) != column:
                values = listed(record, column, where, problems)
                users = listed(record, f"{column}.users", where, problems) or [""] * len(values)
                asked[name] = list(zip(map(str, users), values, strict=False))
    if QUESTION in asked:
        yield from asked[QUESTION]
        return
    spans = [name for name, given in asked.items() if given and all(isinstance(value, list) for _, value in given)]
    if len(spans) == 1:
        yield from asked[spans[0]]
    elif any(asked.values()):
        names = ", ".join(map(shown, asked))
        message = f"must have responses to a span question {shown(QUESTION)}, but has those to {names}"
        problems.add(where, message, "no span question")


def _marks(value: object, where: str, problems: Problems) -> Iterator[MarkedSpan]:
    if value is not None and not isinstance(value, list):
        problems.add(where, f"a response must be a list of spans, but is {shown(value)}", "no list of spans")
    for span in value if isinstance(value, list) else []:
        if isinstance(span, dict) and type(span.get("start")) is int and type(span.get("end")) is int:
            yield MarkedSpan(span["start"], span["end"], span.get("text"), str(span.get("label") or ""))
        else:
            problems.add(where, f"a span must have start and end, but is {shown(span)}", "no span")


def write(examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Return records, with the golds as a response."""
    records = []
    for example in examples:
        spans = [{"start": gold.start, "end": gold.span.end, "label": "answer"} for gold in example.golds or ()]
        responses = {} if example.golds is None else {QUESTION: [{"value": spans, "user_id": _NOBODY}]}
        records.append(
            {
                "id": example.id,
                "fields": {"context": example.context, "question": example.question},
                "metadata": {"title": example.title},
                "suggestions": {},
                "responses": responses,
            }
        )
    return records
