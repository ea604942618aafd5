"""Describes a data set: counts, lengths, positions of answers, and one complete example."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from quoth.deprecated import NamedToJson
from quoth.records import Example
from quoth.text import count_words, replace_surrogates

BINS = 10


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths of texts: minimum, mean, four percentiles and maximum. All are 0 if there are no texts."""

    least: int
    mean: float
    p50: int
    p90: int
    p95: int
    p99: int
    most: int

    @classmethod
    def of(cls, lengths: Sequence[int]) -> Lengths:
        """Compute the statistics of some lengths."""
        if not lengths:
            return cls(0, 0.0, 0, 0, 0, 0, 0)
        p50, p90, p95, p99 = (int(value) for value in np.percentile(lengths, [50, 90, 95, 99], method="nearest"))
        return cls(min(lengths), float(np.mean(lengths)), p50, p90, p95, p99, max(lengths))


@dataclass(frozen=True, slots=True)
class Description(NamedToJson):
    """Statistics of a data set. In scripts without spaces, each character counts as a word.

    Attributes:
        articles: Number of distinct titles, without ``""``.
        contexts: Number of distinct contexts.
        questions: Number of examples.
        unanswerable: Number of examples whose golds are ``()``.
        unlabelled: Number of examples whose golds are ``None``.
        outer_white_space: Number of questions with leading or trailing white space.
        golds_per_question: Number of golds -> number of labelled questions with this many golds, in ascending order.
        context_characters: Lengths of the distinct contexts, in code points.
        context_words: Lengths of the distinct contexts, in words.
        question_words: Lengths of the questions, in words.
        answer_words: Lengths of all golds, in words.
        answer_position: Number of golds that start in each tenth of their context, ten counts.
        example: The first example.
    """

    articles: int
    contexts: int
    questions: int
    unanswerable: int
    unlabelled: int
    outer_white_space: int
    golds_per_question: dict[int, int]
    context_characters: Lengths
    context_words: Lengths
    question_words: Lengths
    answer_words: Lengths
    answer_position: tuple[int, ...]
    example: Example | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; lone surrogates, which cannot be encoded, become U+FFFD."""
        document = asdict(self)
        if self.example:
            document["example"] = _shown(self.example)
        found: dict[str, Any] = json.loads(replace_surrogates(json.dumps(document, ensure_ascii=False)))
        return found


def describe(examples: Iterable[Example]) -> Description:
    """Compute statistics of a data set.

    Example:
        >>> facts = describe([Example("1", "Who?", "Ana.", ()), Example("2", "Where?", "In Natal.")])
        >>> facts.questions, facts.unanswerable, facts.unlabelled
        (2, 1, 1)
    """
    examples = list(examples)
    contexts = {context for example in examples for context in example.contexts}
    golds = [gold for example in examples for gold in example.golds or ()]
    per_question = Counter(len(example.golds) for example in examples if example.golds is not None)
    return Description(
        articles=len({example.title for example in examples} - {""}),
        contexts=len(contexts),
        questions=len(examples),
        unanswerable=sum(example.golds == () for example in examples),
        unlabelled=sum(example.golds is None for example in examples),
        outer_white_space=sum(example.question != example.question.strip() for example in examples),
        golds_per_question=dict(sorted(per_question.items())),
        context_characters=Lengths.of([len(context) for context in contexts]),
        context_words=_words(contexts),
        question_words=_words(example.question for example in examples),
        answer_words=_words(gold.text for gold in golds),
        answer_position=_positions(examples),
        example=examples[0] if examples else None,
    )


def _shown(example: Example) -> dict[str, Any]:
    """Return an example with one context for JSON."""
    golds = example.golds and [{"text": gold.text, "start": gold.start} for gold in example.golds]
    return {
        "id": example.id,
        "question": example.question,
        "context": example.context,
        "golds": golds,
        "title": example.title,
    }


def _words(texts: Iterable[str]) -> Lengths:
    return Lengths.of(list(map(count_words, texts)))


def _positions(examples: Iterable[Example]) -> tuple[int, ...]:
    bins = Counter(
        BINS * gold.start // max(1, len(example.contexts[gold.context_index]))
        for example in examples
        for gold in example.golds or ()
    )
    return tuple(bins[number] for number in range(BINS))
