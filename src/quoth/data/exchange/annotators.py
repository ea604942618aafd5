"""Merges the labels of several annotators, and measures their agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

from quoth.data.exchange.tasks import Labels, Task
from quoth.data.rows import Problems
from quoth.records import Example, Gold

How = Literal["golds", "conflict"]
# Compares a text with golds; returns whether it matches exactly, and its F1 in [0, 1].
Score = Callable[[str, Sequence[str]], tuple[bool, float]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of annotators, over all pairs of labels of the same question.

    Attributes:
        questions: Number of questions with at least two labels.
        exact: Exact match of one annotator's answers with the other's, 0 to 100, if both found an answer; ``None`` if
            there are no such pairs.
        f1: The same for F1.
        answerability: Percentage of pairs in which both found an answer or both found none, 0 to 100.
    """

    questions: int
    exact: float | None
    f1: float | None
    answerability: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A question to which annotators gave different answers.

    Attributes:
        task: The question.
        kind: Whether they disagree on the answer, or on whether there is one.
        is_left_out: Whether it is excluded, so that a person can decide.
    """

    task: Task
    kind: Literal["answer", "answerability"]
    is_left_out: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        task = self.task
        labels = [
            {"annotator": name, "answers": [{"text": gold.text, "answer_start": gold.start} for gold in golds]}
            for name, golds in task.labels
        ]
        head = {"where": task.where, "id": task.id, "kind": self.kind, "left_out": self.is_left_out}
        return {**head, "question": task.question, "context": task.context, "labels": labels}


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged examples.

    Attributes:
        examples: The examples, without the excluded ones.
        agreement: The agreement of the annotators.
        disagreements: The disagreements, in the order of the tasks.
    """

    examples: list[Example]
    agreement: Agreement
    disagreements: list[Disagreement]


def join_files(files: Sequence[Sequence[Task]], names: Sequence[str], problems: Problems) -> list[Task]:
    """Join the files of several annotators by question id; each file has the labels of one annotator.

    Tools give ids of their own: a question with another id is the one with the same text and context, if there is one.

    Args:
        files: The tasks of each file.
        names: The names of the annotators, one for each file.
        problems: Receives the problems: tasks with the same id but another question or context.
    """
    if len(files) == 1:
        return list(files[0])
    joined: dict[str, Task] = {}
    for name, tasks in zip(names, files, strict=True):
        of_texts = {(task.question, task.context): key for key, task in joined.items()}
        for task in tasks:
            labels = tuple((f"{name}: {who}" if who else name, golds) for who, golds in task.labels)
            texts = (task.question, task.context)
            first = joined.get(task.id)
            if first is None or (first.question, first.context) != texts:
                same = joined.get(of_texts.get(texts, ""))
                if first and not same:
                    message = f"must have the same question and context as {first.where}, but has others"
                    problems.add(f"{name}: {task.where}, id {task.id}", message, "another question with the same id")
                    continue
                first = same
            if first:
                joined[first.id] = replace(first, labels=first.labels + labels)
            else:
                joined[task.id] = replace(task, labels=labels)
    return list(joined.values())


def merge(tasks: Iterable[Task], score: Score, how: How = "golds") -> Merged:
    """Create one example from each task.

    Args:
        tasks: The tasks, with the labels of their annotators.
        score: Compares the texts of two annotators.
        how: ``golds`` keeps different answers as several golds; if annotators disagree on whether there is an answer,
            the majority decides, and ties are excluded for a person to decide. ``conflict`` excludes every question on
            which two annotators disagree.
    """
    examples: list[Example] = []
    disagreements: list[Disagreement] = []
    pairs: list[tuple[bool, float]] = []
    same_kind: list[bool] = []
    questions = 0
    for task in tasks:
        questions += len(task.labels) > 1
        for (_, first), (_, second) in combinations(task.labels, 2):
            same_kind.append(bool(first) == bool(second))
            if first and second:
                pairs.append(_agreement(first, second, score))
        kind = _kind(task.labels, score)
        golds = _golds(task.labels)
        left_out = kind is not None and (how == "conflict" or (kind == "answerability" and golds is None))
        if kind:
            disagreements.append(Disagreement(task, kind, left_out))
        if not left_out:
            examples.append(Example(task.id, task.question, task.context, golds, task.title))
    agreement = Agreement(
        questions,
        _percent([exact for exact, _ in pairs]),
        _percent([f1 for _, f1 in pairs]),
        _percent(same_kind),
    )
    return Merged(examples, agreement, disagreements)


def _percent(values: Sequence[float]) -> float | None:
    return 100 * sum(values) / len(values) if values else None


def _agreement(first: Sequence[Gold], second: Sequence[Gold], score: Score) -> tuple[bool, float]:
    """Return exact match and F1 of the golds of two annotators, each of the best pair."""
    texts = [gold.text for gold in second]
    scores = [score(gold.text, texts) for gold in first]
    return any(exact for exact, _ in scores), max(f1 for _, f1 in scores)


def _kind(labels: Sequence[Labels], score: Score) -> Literal["answer", "answerability"] | None:
    pairs = list(combinations((golds for _, golds in labels), 2))
    if any(bool(first) != bool(second) for first, second in pairs):
        return "answerability"
    if any(first and second and not _agreement(first, second, score)[0] for first, second in pairs):
        return "answer"
    return None


def _golds(labels: Sequence[Labels]) -> tuple[Gold, ...] | None:
    """Return all distinct golds; ``()`` if the majority found no answer; ``None`` without labels, or for a tie."""
    votes = Counter(bool(golds) for _, golds in labels)
    if votes[True] == votes[False]:
        return None
    if votes[False] > votes[True]:
        return ()
    return tuple(dict.fromkeys(gold for _, golds in labels for gold in golds))
