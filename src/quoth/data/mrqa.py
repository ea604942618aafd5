"""The JSON lines of MRQA: a header, then one context a line, with its questions.

    {"header": {"dataset": "NewsQA", "split": "dev"}}
    {"context": "...", "qas": [{"qid": "...", "question": "...", "answers": ["..."],
                                "detected_answers": [{"text": "...", "char_spans": [[start, last]]}]}]}

``answers`` are the texts that count as right, ``detected_answers`` those that stand in the context, ``last`` being
their last code point.

Source: Fisch et al. 2019, "MRQA 2019 Shared Task", section 3; github.com/mrqa/MRQA-Shared-Task-2019, "Data Format".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from quoth.data.rows import ACCEPTED, Problems, Row, shown


def spread(rows: Iterable[Row], problems: Problems) -> Iterator[Row]:
    """Yield a row for each question of MRQA's contexts, and other rows as they are."""
    for number, row in enumerate(rows):
        if number == 0 and row.fields.keys() == {"header"}:
            continue
        if "paragraphs" in row.fields:
            message = (
                'must hold a question, but holds an article of SQuAD; put all of them into one JSON {"data": [...]}'
            )
            problems.add(row.where, message)
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
        fields = {name: row.fields[name] for name in ("context", "title") if name in row.fields}
        fields |= {name: asked[name] for name in ("id", "question") if name in asked}
        if "qid" in asked:
            fields["id"] = asked["qid"]
        if "detected_answers" in asked:
            fields["answers"] = _places(asked["detected_answers"], row.fields)
        elif "answers" in asked:
            fields["answers"] = asked["answers"]
        if "answers" in asked:
            fields[ACCEPTED] = asked["answers"]
        yield Row(where, fields)


def _places(detected: object, fields: Mapping[str, Any]) -> object:
    """Return the answers as SQuAD has them; as they are what is not of this format, for the check to name."""
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
            # Some of the sets have their answers in lower case.
            there = context[start : start + len(text)]
            text = there if there.lower() == text.lower() else text
        yield {"text": text, "answer_start": start}
