"""Applies the rules to rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quoth.data.check import CANNOT_ANSWER, check
from quoth.data.flat import TRUTHS
from quoth.data.repair.places import places_of, whole_words
from quoth.data.repair.rules import RULES, Change
from quoth.data.rows import Problems, Row, numbered_answers, other_names, similar_name, to_integer
from quoth.files import hash_of_text

# Texts that people write if there is no answer.
_NO_ANSWER = frozenset(
    (
        *("", "n/a", "na", "none", "null", "nil", "nan", "no answer", "no_answer", "noanswer", "not answerable"),
        "unanswerable",
    )
)
_ID_NAMES = ("question_id", "qid", "questionId", "query_id")


@dataclass(frozen=True, slots=True)
class Repaired:
    """Result of a repair.

    Attributes:
        rows: The rows, in order, without the removed ones.
        changes: The changes, in the order of the rows; changes of whole rows and ids come last.
    """

    rows: list[Row]
    changes: list[Change]


def repair(rows: Iterable[Row], rules: Collection[str] = RULES.keys()) -> Repaired:
    """Repair unambiguous problems, and leave everything else unchanged.

    Args:
        rows: The rows.
        rules: The rules to apply, from ``RULES``.

    Returns:
        The rows and all changes. The result is deterministic, and repairing it again changes nothing.
    """
    changes: list[Change] = []
    repaired = [_RowRepair(row, rules, changes).run() for row in rows]
    if "rows" in rules:
        repaired = list(_without_duplicates(repaired, changes))
    if "ids" in rules:
        repaired = list(_with_ids(repaired, changes))
    return Repaired(repaired, changes)


def drop_unrepaired(repaired: Repaired, problems: Problems) -> Repaired:
    """Remove the rows with errors, and log them as changes of the rule ``drop``."""
    wrong = Problems(problems.source)
    check(repaired.rows, wrong)
    why: dict[str, list[str]] = {}
    for problem in wrong.entries:
        why.setdefault(problem.where.partition(", id ")[0], []).append(problem.message)
    drops = [
        Change(row.where, _id(row.fields), "drop", "row", "; ".join(why[row.where]), None)
        for row in repaired.rows
        if row.where in why
    ]
    kept = [row for row in repaired.rows if row.where not in why]
    return Repaired(kept, [*repaired.changes, *drops])


def _id(fields: Mapping[str, Any]) -> str:
    value = fields.get("id")
    return str(value) if isinstance(value, str | int) else ""


class _RowRepair:
    """The repair of one row, on a copy of its fields."""

    def __init__(self, row: Row, rules: Collection[str], changes: list[Change]) -> None:
        self._row, self._rules, self._changes = row, rules, changes
        self._fields = dict(row.fields)

    def run(self) -> Row:
        before = len(self._changes)
        self._rename_keys()
        self._rename_id()
        self._set_values()
        if isinstance(self._fields.get("context"), str):
            self._repair_golds()
        return Row(self._row.where, self._fields) if len(self._changes) > before else self._row

    def _note(self, rule: str, field: str, before: object, after: object) -> None:
        self._changes.append(Change(self._row.where, _id(self._row.fields), rule, field, before, after))

    def _rename_keys(self) -> None:
        numbered = numbered_answers(self._fields) if "names" in self._rules else []
        if numbered:
            texts = [self._fields.pop(name) for name in numbered]
            self._fields["answers"] = [text for text in texts if text not in (None, "")]
            self._note("names", "answers", numbered, self._fields["answers"])
        names = other_names(self._fields) if "names" in self._rules else {}
        if not names:
            return
        for other, name in names.items():
            self._note("names", name, other, name)
        self._fields = {names.get(key, key): value for key, value in self._fields.items()}
        if "answers" in names.values():
            answers, start = self._fields.get("answers"), self._fields.pop("answer_start", None)
            if answers is None or answers == "":
                self._fields["answers"] = []
            elif isinstance(answers, str) and start not in (None, ""):
                self._fields["answers"] = [{"text": answers, "answer_start": to_integer(start)}]

    def _rename_id(self) -> None:
        if "question-id" not in self._rules or self._fields.get("id") not in (None, ""):
            return
        for name in _ID_NAMES:
            if isinstance(value := self._fields.get(name), str | int) and value != "":
                self._note("question-id", "id", None, value)
                self._fields = {
                    "id" if key == name else key: value for key, value in self._fields.items() if key != "id"
                }
                return

    def _set_values(self) -> None:
        if "values" not in self._rules:
            return
        impossible = self._fields.get("is_impossible")
        if isinstance(impossible, str) or (type(impossible) in (int, float) and impossible in (0, 1)):
            truth = TRUTHS.get(str(impossible).strip().lower(), impossible)
            if truth is not impossible:
                self._note("values", "is_impossible", impossible, truth)
                self._fields["is_impossible"] = truth
        title = self._fields.get("title")
        if type(title) is int:
            self._note("values", "title", title, str(title))
            self._fields["title"] = str(title)

    def _repair_golds(self) -> None:
        before = len(self._changes)
        given = self._named_parts(self._fields.get("answers"))
        golds = _as_list(given)
        if golds is None or (_is_scalar(given) and "scalars" not in self._rules):
            self._fields |= {"answers": given} if len(self._changes) > before else {}
            return
        if _is_scalar(given):
            self._note("scalars", "answers", given, golds)
        repaired: list[dict[str, Any]] = []
        for number, each in enumerate(golds, 1):
            field = f"answer {number}" if len(golds) > 1 else "answer"
            gold = self._gold(dict(each), field)
            if gold is None:
                continue
            if "golds" in self._rules and gold in repaired:
                self._note("golds", field, gold, None)
                continue
            repaired.append(gold)
        if len(self._changes) > before:
            self._fields["answers"] = _shaped_as(given, repaired)

    def _gold(self, gold: dict[str, Any], field: str) -> dict[str, Any] | None:
        """Return a gold with repaired values, text and place; ``None`` if it means that there is no answer."""
        context: str = self._fields["context"]
        if "values" in self._rules:
            self._gold_values(gold, field, context)
        text, start = gold.get("text"), gold.get("answer_start")
        if (text is None and "text" in gold) or (isinstance(text, str) and _means_no_answer(text, start, context)):
            if "empty" in self._rules and self._fields.get("is_impossible") is not False:
                self._note("empty", field, gold, None)
                return None
            return gold
        if not isinstance(text, str) or not (start is None or type(start) is int):
            return gold
        if "edges" in self._rules and text != text.strip():
            lead = len(text) - len(text.lstrip())
            fits = start is not None and start >= 0 and context.startswith(text, start)
            start = start + lead if fits and start is not None else start
            gold = self._placed(gold, field, "edges", text.strip(), start)
            text = gold["text"]
        if start is None or start < 0 or not context.startswith(text, start):
            place = next((each for each in places_of(context, text, start) if each.rule in self._rules), None)
            if place is None:
                return gold
            gold = self._placed(gold, field, place.rule, place.text, place.start)
            text, start = place.text, place.start
        if "words" in self._rules:
            first, last = whole_words(context, start, start + len(text))
            if (first, last) != (start, start + len(text)):
                gold = self._placed(gold, field, "words", context[first:last], first)
        return gold

    def _named_parts(self, answers: Any) -> Any:
        """Return answers with the keys ``text`` and ``answer_start`` instead of similar ones such as ``start``."""
        if "names" not in self._rules or not isinstance(answers, dict | list):
            return answers
        if isinstance(answers, list):
            return [self._named_parts(each) if isinstance(each, dict) else each for each in answers]
        names = {
            near: name
            for name in ("text", "answer_start")
            if name not in answers and (near := similar_name(name, answers))
        }
        for other, name in names.items():
            self._note("names", f"answers: {name}", other, name)
        return {names.get(key, key): value for key, value in answers.items()}

    def _gold_values(self, gold: dict[str, Any], field: str, context: str) -> None:
        text, start = gold.get("text"), gold.get("answer_start")
        if type(text) in (int, float) and str(text) in context:
            self._note("values", f"{field}: text", text, str(text))
            gold["text"] = str(text)
        number = to_integer(start)
        if type(start) is not int and type(number) is int:
            self._note("values", f"{field}: answer_start", start, number)
            gold["answer_start"] = number

    def _placed(self, gold: dict[str, Any], field: str, rule: str, text: str, start: int | None) -> dict[str, Any]:
        after = {**gold, "text": text, "answer_start": start}
        self._note(rule, field, gold, after)
        return after


def _means_no_answer(text: str, start: object, context: str) -> bool:
    """Return True for an empty answer, QuAC's marker, and "N/A" and the like without a place and not in the context."""
    if not text.strip() or text.strip() == CANNOT_ANSWER:
        return True
    placeless = start in (None, "", -1, "-1") and text not in context
    return placeless and text.strip(" .()[]<>-").casefold() in _NO_ANSWER


def _is_scalar(answers: object) -> bool:
    """Return True for a value that should be in a list."""
    if isinstance(answers, dict):
        lists = [isinstance(answers.get(key), list) for key in ("text", "answer_start")]
        return not all(lists)
    return isinstance(answers, str) or (isinstance(answers, list) and any(isinstance(each, str) for each in answers))


def _as_list(answers: object) -> list[dict[str, Any]] | None:
    """Return answers of any shape as a list of objects; ``None`` if this is impossible, or there are none."""
    if isinstance(answers, str):
        return [{"text": answers, "answer_start": None}] if answers.strip() else None
    if isinstance(answers, list):
        listed = [{"text": each, "answer_start": None} if isinstance(each, str) else each for each in answers]
        return listed if all(isinstance(each, dict) for each in listed) else None
    if not isinstance(answers, dict) or "text" not in answers:
        return None
    texts, starts = answers["text"], answers.get("answer_start")
    texts = texts if isinstance(texts, list) else [texts]
    starts = starts if isinstance(starts, list) else [starts] * (len(texts) if starts is None else 1)
    if len(texts) != len(starts):
        return None
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]


def _shaped_as(given: object, golds: list[dict[str, Any]]) -> object:
    if isinstance(given, dict):
        return {**given, **{key: [gold.get(key) for gold in golds] for key in ("text", "answer_start")}}
    return golds


def _without_duplicates(rows: Iterable[Row], changes: list[Change]) -> Iterator[Row]:
    """Yield each distinct row once."""
    seen: dict[str, str] = {}
    for row in rows:
        first = seen.setdefault(_fingerprint(row.fields), row.where)
        if first == row.where:
            yield row
        else:
            changes.append(Change(row.where, _id(row.fields), "rows", "row", f"the same as {first}", None))


def _fingerprint(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, default=repr)


def _with_ids(rows: list[Row], changes: list[Change]) -> Iterator[Row]:
    """Yield the rows with unique ids; a missing id is computed from question and context."""
    taken = {_id(row.fields) for row in rows} - {""}
    given: set[str] = set()

    def free(identifier: str) -> str:
        number = 2
        while f"{identifier}-{number}" in taken:
            number += 1
        return f"{identifier}-{number}"

    for row in rows:
        before = row.fields.get("id")
        if before not in (None, "") and not _id(row.fields):
            yield row  # of another type: the check reports it
            continue
        after = _id(row.fields)
        if not after:
            texts = json.dumps([row.fields.get("question"), row.fields.get("context")], default=repr)
            after = "q" + hash_of_text(texts)[:12]
            after = free(after) if after in taken else after
        elif after in given:
            after = free(after)
        given.add(after)
        taken.add(after)
        if after == _id(row.fields):
            yield row
            continue
        changes.append(Change(row.where, _id(row.fields), "ids", "id", before, after))
        yield Row(row.where, {"id": after, **{key: value for key, value in row.fields.items() if key != "id"}})
