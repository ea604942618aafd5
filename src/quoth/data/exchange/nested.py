"""Nested JSON of other tools: Haystack's annotation tool and simpletransformers. Both are read like SQuAD.

Source: Haystack 1.x, "Annotation tool", its SQuAD export; simpletransformers.ai, "Question answering data formats".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from quoth.records import Example


def write_simpletransformers(examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Return a list of contexts with their questions. Titles are kept; simpletransformers ignores them."""
    contexts = []
    for (context, title), group in groupby(examples, key=lambda example: (example.context, example.title)):
        shared = {"context": context, **({"title": title} if title else {})}
        contexts.append({**shared, "qas": [_question(example) for example in group]})
    return contexts


def _question(example: Example) -> dict[str, Any]:
    question: dict[str, Any] = {"id": example.id, "question": example.question}
    if example.golds is not None:
        question["is_impossible"] = not example.golds
        question["answers"] = [{"text": gold.text, "answer_start": gold.start} for gold in example.golds]
    return question


def write_haystack(examples: Sequence[Example]) -> dict[str, Any]:
    """Return SQuAD JSON with the ids of Haystack's annotation tool."""
    articles = []
    document = 0
    for title, article in groupby(examples, key=lambda example: example.title):
        paragraphs = []
        for context, group in groupby(article, key=lambda example: example.context):
            document += 1
            asked = [_asked(each, document) for each in group]
            paragraphs.append({"context": context, "document_id": document, "qas": asked})
        articles.append({**({"title": title} if title else {}), "paragraphs": paragraphs})
    return {"data": articles}


def _asked(example: Example, document: int) -> dict[str, Any]:
    question = _question(example)
    ids = {"document_id": document, "question_id": example.id, "answer_category": None}
    for number, answer in enumerate(question.get("answers", []), 1):
        answer.update({"answer_id": f"{example.id}-{number}", **ids})
    return question
