"""Reads JSON lines with a context and its questions in each line: MRQA (after a header) and simpletransformers.

    {"header": {"dataset": "NewsQA", "split": "dev"}}
    {"context": "...", "qas": [{"qid": "...", "question": "...", "answers": ["..."],
                                "detected_answers": [{"text": "...", "char_spans": [[start, last]]}]}]}

In MRQA, ``answers`` are the texts that count as correct, and ``detected_answers`` their places in the context; ``last``
is the last code point, inclusive. simpletransformers has questions as in SQuAD.

Source: Fisch et al. 2019, "MRQA 2019 Shared Task", section 3; github.com/mrqa/MRQA-Shared-Task-2019, "Data Format".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from quoth.data.rows import ACCEPTED, Problems, Row, shown

NOT_SHARED = frozenset(("qas", "id", "question", "answers", "is_impossible", "context_tokens"))


def split_questions(rows: Iterable[Row], problems: Problems) -> Iterator[Row]:
    """Yield a row for each question of an MRQA line, and other rows unchanged."""
    for number, row in enumerate(rows):
        if number == 0 and row.fields.keys() == {"header"}:
            continue
        if "paragraphs" in row.fields:
            message = "must contain a question, but contains an article of SQuAD"
            problems.add(row.where, f'{message}; put all of them into one JSON {{"data": [...]}}')
            return
        if "qas" not in row.fields:
            yield row
        elif isinstance(row.fields["qas"], list):
            yield from _questions(row, row.fields["qas"], problems)
        else:
            problems.add(row.where, f"qas must be a list, but is {shown(row.fields['qas'])}")


def _questions(row: Row, questions: list[object], problems: Problems) -> Iterator[Row]:
    for number, asked in enumerate(questions, 1):
        where = f"{row.where}, question {number}"
        if not isinstance(asked, dict):
            problems.add(where, f"must be an object, but is {shown(asked)}")
            continue
        fields = with_shared_fields(asked, row.fields)
        if "qid" in asked and "id" not in asked:
            fields["id"] = fields.pop("qid")
        if "detected_answers" in asked:
            fields["answers"] = _places(fields.pop("detected_answers"), row.fields)
            if "answers" in asked:
                fields[ACCEPTED] = asked["answers"]
        yield Row(where, fields)


def with_shared_fields(asked: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a question, with the common fields of its context."""
    kept = {name: value for name, value in shared.items() if name not in NOT_SHARED}
    context = {"context": shared["context"]} if "context" in shared else {}
    return {**kept, **asked, **context}


def _places(detected: object, fields: Mapping[str, Any]) -> object:
    """Convert the answers to the format of SQuAD; invalid values are unchanged, so that the check reports them."""
    if not isinstance(detected, list):
        return detected
    return [answer for each in detected for answer in _of_one(each, fields.get("context"))]


def _of_one(detected: object, context: object) -> Iterator[object]:
    spans = detected.get("char_spans") if isinstance(detected, dict) else None
    if not isinstance(detected, dict) or not isinstance(spans, list):
        yield detected
        return
    for span in spans:
        text, start = detected.get("text"), span[0] if isinstance(span, list) and span else span
        if isinstance(text, str) and isinstance(context, str) and type(start) is int and start >= 0:
            # In some of the sets, answers are in lower case.
            there = context[start : start + len(text)]
            text = there if there.lower() == text.lower() else text
        yield {"text": text, "answer_start": start}
