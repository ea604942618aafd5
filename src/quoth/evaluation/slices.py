"""What a question and its context are like, in a few numbers, so that a report can be cut into slices by it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from quoth.evaluation.bootstrap import cluster
from quoth.records import Example

NO_ANSWER = "no answer"

_QUESTION_WORD = re.compile(r"\b(who|whom|whose|what|which|when|where|why|how (?:many|much)|how)\b")
_KINDS = {"whom": "who", "whose": "who", "how much": "how many"}
_QUESTION_WORDS = ("who", "what", "which", "when", "where", "why", "how many", "how", "other")


@dataclass(frozen=True, slots=True)
class Traits:
    """What one example is like.

    Attributes:
        title: Its article, or ``""``.
        question_word: The first of who, what, which, when, where, why, how many, how; or "other". Whom and whose count
            as who, how much as how many.
        answer_words: Words of its shortest gold, at least 1; ``None`` if it is unanswerable.
        position: Where its first gold starts, as a share of its context, in [0, 1); ``None`` if it is unanswerable.
        context_words: Words of its contexts.
        windows: How many windows it was read in; ``None`` where no reader read it.
        cluster: What it shares with the questions that it stands and falls with, as
            :func:`quoth.evaluation.bootstrap.cluster` gives it; ``""`` if it stands alone.
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
        """Take the traits of an example; words are what white space parts."""
        golds = example.golds or ()
        return cls(
            title=example.title,
            question_word=question_word(example.question),
            answer_words=min((max(1, len(gold.text.split())) for gold in golds), default=None),
            position=golds[0].start / max(1, len(example.contexts[golds[0].context_index])) if golds else None,
            context_words=sum(len(context.split()) for context in example.contexts),
            windows=windows,
            cluster=cluster(example),
        )


def question_word(question: str) -> str:
    """Return the first question word of a question, or "other"."""
    found = _QUESTION_WORD.search(" ".join(question.casefold().split()))
    return _KINDS.get(found[1], found[1]) if found else "other"


def _steps(*lows: int) -> tuple[str, ...]:
    """Name the steps between some whole numbers: ``1``, ``2–3``, ``4 or more``."""
    highs = [low - 1 for low in lows[1:]]
    names = [f"{low}" if low == high else f"{low}–{high}" for low, high in zip(lows, highs, strict=False)]
    return (*names, f"{lows[-1]} or more")


def _step(value: int | None, lows: tuple[int, ...]) -> str | None:
    """Name the step that holds a value; ``None`` if it is below the first, or ``None`` itself."""
    below = sum(low <= value for low in lows) if value is not None else 0
    return _steps(*lows)[below - 1] if below else None


_ANSWER = (1, 2, 3, 4, 6, 11)
_CONTEXT = (0, 80, 120, 160, 240)
_WINDOWS = (1, 2, 3)
_FIFTHS = tuple(f"{20 * fifth}–{20 * fifth + 20} %" for fifth in range(5))


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way of slicing.

    Attributes:
        labels: Names of the slices, in their order.
        label: Names the slice that an example is in; ``None`` if it is in none.
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
