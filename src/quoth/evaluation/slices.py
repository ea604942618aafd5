"""Traits of a question and its context, by which a report is divided into slices."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from quoth.evaluation.bootstrap import cluster
from quoth.records import Example
from quoth.text import count_words

NO_ANSWER = "no answer"

_QUESTION_WORD = re.compile(r"\b(who|whom|whose|what|which|when|where|why|how (?:many|much)|how)\b")
_KINDS = {"whom": "who", "whose": "who", "how much": "how many"}
_QUESTION_WORDS = ("who", "what", "which", "when", "where", "why", "how many", "how", "other")


@dataclass(frozen=True, slots=True)
class Traits:
    """Traits of one example.

    Attributes:
        title: Its article, or ``""``.
        question_word: The first of who, what, which, when, where, why, how many, how; or "other". Whom and whose count
            as who, how much as how many.
        answer_words: Words of its shortest gold, at least 1; ``None`` if it is unanswerable.
        position: Where its first gold starts, as a share of its context, in [0, 1); ``None`` if it is unanswerable.
        context_words: Words of its contexts.
        windows: Number of windows; ``None`` if no reader was used.
        cluster: Key of its cluster of dependent questions, from :func:`quoth.evaluation.bootstrap.cluster`; ``""`` if
            it is its own cluster.
    """

    title: str = ""
    question_word: str = "other"
    answer_words: int | None = None
    position: float | None = None
    context_words: int = 0
    windows: int | None = None
    cluster: str | bytes = ""

    @classmethod
    def of(cls, example: Example, windows: int | None = None) -> Traits:
        """Compute the traits of an example; words are between spaces, or characters in scripts without spaces."""
        golds = example.golds or ()
        return cls(
            title=example.title,
            question_word=question_word(example.question),
            answer_words=min((max(1, count_words(gold.text)) for gold in golds), default=None),
            position=golds[0].start / max(1, len(example.contexts[golds[0].context_index])) if golds else None,
            context_words=sum(map(count_words, example.contexts)),
            windows=windows,
            cluster=cluster(example),
        )


def question_word(question: str) -> str:
    """Return the first question word of a question, or "other"."""
    found = _QUESTION_WORD.search(" ".join(question.casefold().split()))
    return _KINDS.get(found[1], found[1]) if found else "other"


def _steps(*lows: int) -> tuple[str, ...]:
    """Return the names of the ranges that start at some integers: ``1``, ``2–3``, ``4 or more``."""
    highs = [low - 1 for low in lows[1:]]
    names = [f"{low}" if low == high else f"{low}–{high}" for low, high in zip(lows, highs, strict=False)]
    return (*names, f"{lows[-1]} or more")


def _step(value: int | None, lows: tuple[int, ...]) -> str | None:
    """Return the name of the range with a value; ``None`` if the value is below the first one, or ``None``."""
    below = sum(low <= value for low in lows) if value is not None else 0
    return _steps(*lows)[below - 1] if below else None


_ANSWER = (1, 2, 3, 4, 6, 11)
_CONTEXT = (0, 80, 120, 160, 240)
_WINDOWS = (1, 2, 3)
_FIFTHS = tuple(f"{20 * fifth}–{20 * fifth + 20}%" for fifth in range(5))


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension by which reports are sliced.

    Attributes:
        labels: Names of the slices, in order.
        label: Returns the name of an example's slice; ``None`` if it is in no slice.
    """

    labels: tuple[str, ...]
    label: Callable[[Traits], str | None]


DIMENSIONS = {
    "question word": Dimension(_QUESTION_WORDS, lambda traits: traits.question_word),
    "answer length, words": Dimension(
        (*_steps(*_ANSWER), NO_ANSWER), lambda traits: _step(traits.answer_words, _ANSWER) or NO_ANSWER
    ),
    "context length, words": Dimension(_steps(*_CONTEXT), lambda traits: _step(traits.context_words, _CONTEXT)),
    "windows": Dimension(_steps(*_WINDOWS), lambda traits: _step(traits.windows, _WINDOWS)),
    "answer position": Dimension(
        (*_FIFTHS, NO_ANSWER),
        lambda traits: NO_ANSWER if traits.position is None else _FIFTHS[min(4, int(5 * traits.position))],
    ),
}
