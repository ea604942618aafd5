"""Converts rows of any format to examples, and reports all problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, TypeAlias

from quoth.data.lookalikes import alike_at, difference_message
from quoth.data.rows import ACCEPTED, Problems, Row, looks_like_answer, missing, shown, similar_name, unread_message
from quoth.inputs import EMPTY_QUESTION
from quoth.records import Example, Gold
from quoth.text import find_all, is_blank

Golds: TypeAlias = tuple[Gold, ...] | None

# QuAC (Choi et al. 2018, section 2) ends each context with this word, and quotes it where there is no answer.
CANNOT_ANSWER = "CANNOTANSWER"

_MAX_PLACES = 3  # maximum number of places of an answer that a message lists


def check(rows: Iterable[Row], problems: Problems, *, places: bool = True) -> list[Example]:
    """Return the examples of the valid rows, in order, and report the problems of the others.

    Args:
        rows: The rows.
        problems: Receives the problems.
        places: Whether to check the positions of golds. If ``False``, only their texts are checked, as in the official
            scorers.
    """
    golds_of = _golds if places else _gold_texts
    examples: list[Example] = []
    seen: dict[str, str] = {}
    contexts: dict[str, str] = {}  # flat files repeat a context for each question; it is stored once
    for row in rows:
        wrong = RowProblems()
        example = _example(row.fields, contexts, wrong, golds_of)
        where = row.where
        if example.id:
            first = seen.setdefault(example.id, where)
            if first != where:
                wrong.add(f"id must be unique, but {first} has it too", "repeated id")
        if not wrong:
            examples.append(example)
            continue
        if example.id:
            where += f", id {example.id if example.id.isprintable() else shown(example.id)}"
        for message, cause in wrong:
            problems.add(where, message, cause)
    return examples


class RowProblems(list[tuple[str, str]]):
    """The problems of one row: a sentence for each, and its cause."""

    def add(self, message: str, cause: str = "") -> None:
        """Report a problem; without a cause, the message is the cause."""
        self.append((message, cause or message))


def _example(
    fields: Mapping[str, Any], contexts: dict[str, str], wrong: RowProblems, golds_of: Callable[..., Golds]
) -> Example:
    identifier = _identifier(fields, wrong)
    question = _text(fields, "question", wrong)
    if question is not None and is_blank(question):
        wrong.add(f"question {EMPTY_QUESTION}" + (f", but is only {_kind_of_blank(question)}" if question else ""))
    context = _text(fields, "context", wrong)
    if context is not None:
        context = contexts.setdefault(context, context)
    title = "" if fields.get("title") is None else _text(fields, "title", wrong)
    golds = golds_of(fields, context, wrong)
    if not golds:
        _no_unread_answers(fields, golds, wrong)
    return Example(identifier, question or "", context or "", golds, title or "")


def _no_unread_answers(fields: Mapping[str, Any], golds: Golds, wrong: RowProblems) -> None:
    """Report keys that look like answers if no answers were read, because the question would seem to have none."""
    for name, value in fields.items():
        if looks_like_answer(name) and (golds is None or value not in (None, "", [], {}, False)):
            wrong.add(unread_message("key", name, value))


def _kind_of_blank(text: str) -> str:
    return "white space" if text.isspace() else "invisible characters"


def _identifier(fields: Mapping[str, Any], wrong: RowProblems) -> str:
    value = fields.get("id")
    if type(value) is int:
        return str(value)
    if value is None:
        hint = "; quoth data repair creates one for each question" if similar_name("id", fields) is None else ""
        wrong.add((f"id must be text, but is {shown(None)}" if "id" in fields else missing("key", "id", fields)) + hint)
        return ""
    text = _text(fields, "id", wrong)
    if text == "":
        wrong.add("id must not be empty")
    return text or ""


def _text(fields: Mapping[str, Any], key: str, wrong: RowProblems) -> str | None:
    value = fields.get(key)
    if isinstance(value, str):
        return value
    wrong.add(f"{key} must be text, but is {shown(value)}" if key in fields else missing("key", key, fields))
    return None


def _gold_texts(fields: Mapping[str, Any], context: str | None, wrong: RowProblems) -> Golds:
    """Return the golds without checking their positions; without a list of ``answers``, like ``_golds``."""
    answers = fields.get(ACCEPTED, fields.get("answers"))
    texts = answers.get("text") if isinstance(answers, dict) else answers
    if not isinstance(texts, list):
        return _golds(fields, context, wrong)
    if not isinstance(answers, dict):
        texts = [answer.get("text") if isinstance(answer, dict) else answer for answer in texts]
    for text in texts:
        if not isinstance(text, str):
            wrong.add(f"an answer's text must be text, but is {shown(text)}", "an answer's text")
    return tuple(Gold(text, 0) for text in texts if isinstance(text, str))


def _golds(fields: Mapping[str, Any], context: str | None, wrong: RowProblems) -> Golds:
    """Return the golds: ``None`` without ``answers``, ``()`` if they are empty or the question is impossible."""
    impossible = fields.get("is_impossible")
    if impossible is not None and not isinstance(impossible, bool):
        wrong.add(f"is_impossible must be true or false, but is {shown(impossible)}", "is_impossible")
    answers = fields.get("answers")
    if answers is None:
        return () if impossible is True else None
    listed = _as_list(answers, wrong)
    if listed is None:
        return None
    if impossible is True and listed:
        wrong.add(f"answers must be empty where is_impossible is true, but there are {len(listed)}", "contradiction")
    if impossible is False and not listed:
        wrong.add("is_impossible must be true where answers are empty, but is false")
    golds = []
    for number, answer in enumerate(listed, 1):
        found = RowProblems()
        gold = _gold(answer, context, found)
        for message, cause in found:
            wrong.add(f"answer {number}: {message}" if len(listed) > 1 else message, cause)
        if gold is not None:
            golds.append(gold)
    return tuple(golds)


def _as_list(answers: object, wrong: RowProblems) -> list[object] | None:
    """Return the answers as a list of objects, as in SQuAD; data sets of the hub have an object of lists."""
    if isinstance(answers, list):
        return answers
    if not isinstance(answers, dict):
        hint = "; a plain text belongs in answer_text" if isinstance(answers, str) else ""
        wrong.add(f"answers must be a list or an object of lists, but is {shown(answers)}{hint}", "answers are no list")
        return None
    lists = []
    for key in ("text", "answer_start"):
        value = answers.get(key)
        if isinstance(value, list):
            lists.append(value)
        elif key in answers:
            wrong.add(f"answers: {key} must be a list, but is {shown(value)}", f"answers: {key} is no list")
        else:
            wrong.add(f"answers: {missing('key', key, answers)}")
    if len(lists) < 2:
        return None
    texts, starts = lists
    if len(texts) != len(starts):
        message = f"answers must have as many answer_start as text ({len(texts)}), but have {len(starts)}"
        wrong.add(message, "number of answer_start")
        return None
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]


def _gold(answer: object, context: str | None, wrong: RowProblems) -> Gold | None:
    if not isinstance(answer, dict):
        message = f"an answer must be an object with text and answer_start, but is {shown(answer)}"
        wrong.add(message, "an answer is no object")
        return None
    text, start = answer.get("text"), answer.get("answer_start")
    if isinstance(text, str) and type(start) is int:
        gold = Gold(text, start)
        if text.strip() == CANNOT_ANSWER:
            wrong.add(
                f"answers must be empty if there is no answer, but have {text}, as QuAC marks this", "marker of QuAC"
            )
            return None
        if text and not text.isspace() and start >= 0 and (context is None or context.startswith(text, start)):
            return gold
        wrong.add(*_misplaced_message(gold, context))
        return None
    for key in ("text", "answer_start"):
        if key not in answer:
            wrong.add(f"answers: {missing('key', key, answer)}")
    if "text" in answer and not isinstance(text, str):
        wrong.add(f"the answer's text must be text, but is {shown(text)}", "the answer's text is no text")
    if "answer_start" in answer and type(start) is not int:
        wrong.add(f"answer_start must be a whole number, but is {shown(start)}", "answer_start is no whole number")
    return None


def _misplaced_message(gold: Gold, context: str | None) -> tuple[str, str]:
    """Return the problem of a gold's text or position, with the correct positions of the text, and the cause."""
    text, start = gold.text, gold.start
    if not text or text.isspace():
        return "the answer's text must not be empty" + (", but is only white space" if text else ""), "empty answer"
    if start < 0:
        message, cause = f"answer_start must be at least 0, but is {shown(start)}", "negative answer_start"
    elif context is not None and start >= len(context):
        message = f"answer_start must be below the context's length ({len(context)}), but is {shown(start)}"
        cause = "answer_start beyond the context"
    else:
        there = alike_at(context or "", start, text) or (context or "")[start : start + len(text)]
        message, cause = f"the text at answer_start {start} {difference_message(text, there)}", "misplaced answer"
    return (message if context is None else f"{message}; {_places(text, context)}"), cause


def _places(text: str, context: str) -> str:
    places = list(map(str, islice(find_all(context, text), _MAX_PLACES + 1)))
    if not places:
        return "the context does not contain the text"
    more = " and more" if len(places) > _MAX_PLACES else ""
    return f"the text is at {', '.join(places[:_MAX_PLACES])}{more}"
