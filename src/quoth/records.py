"""The records that travel from a data file to a report: Span, Gold, Example, Answer, Prediction.

All are frozen. Positions are code points of one context, half-open, as Python slices are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from quoth.notebook import Drawn

NEVER: Final = "never"
# Abstain where the null odds exceed it, or never.
NullThreshold: TypeAlias = float | Literal["never"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A piece of one context, in code points, half-open.

    Raises:
        ValueError: If not ``0 <= start <= end``.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"a span must have 0 <= start <= end, but is {self.start} to {self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    def of(self, context: str) -> str:
        """Return the text of the span."""
        return context[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Gold:
    """One annotated answer: its text, and the code point of the context where it starts."""

    text: str
    start: int

    @property
    def span(self) -> Span:
        """Where the gold stands in its context."""
        return Span(self.start, self.start + len(self.text))


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its context.

    Attributes:
        id: Unique within a data set.
        question: As written in the data, outer white space included.
        context: The text that is to answer it.
        golds: ``None`` if unlabelled, ``()`` if the context does not answer the question, else its annotated answers.
        title: The article that the context comes from, or ``""``.
    """

    id: str
    question: str
    context: str
    golds: tuple[Gold, ...] | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One quoted answer.

    Attributes:
        text: Exactly ``context[span.start:span.end]``.
        span: Its place, in code points of its context.
        score: Sum of its start and end logits. Comparable between windows of one example, not between readers.
        probability: That it is right, in [0, 1], with "no answer" as one outcome; where the caller said that the text
            answers, given that it does. See :mod:`quoth.reading.probability`.
        window_index: Which window of the example gave the score.
        context_index: Which of the contexts it quotes, where several were given.
    """

    text: str
    span: Span
    score: float
    probability: float
    window_index: int = 0
    context_index: int = 0


@dataclass(frozen=True, slots=True)
class Prediction(Drawn):
    """All that a reader says about one example.

    Attributes:
        id: The example's id.
        answers: Best first, each span at most once. What they would be even where the reader abstains.
        null_score: Score of "no answer": the least over all windows of the sum of the two logits of the CLS token.
            ``None`` if nothing was read (an empty context).
        no_answer: Whether the reader abstains.
        reason: Why there is no answer, in a sentence; ``None`` if there is one.
        windows: How many windows were read.
        null_probability: That the text does not answer, in [0, 1]; ``None`` if nothing was read.
    """

    id: str
    answers: tuple[Answer, ...]
    null_score: float | None
    no_answer: bool
    reason: str | None = None
    windows: int = 0
    null_probability: float | None = None

    @property
    def null_odds(self) -> float | None:
        """Null score minus the best answer's score, what a null threshold is compared with; ``None`` of no answers."""
        return None if self.null_score is None or not self.answers else self.null_score - self.answers[0].score

    @property
    def best(self) -> Answer | None:
        """The best answer, or ``None`` if the reader abstains."""
        return None if self.no_answer or not self.answers else self.answers[0]

    @property
    def text(self) -> str:
        """Text of the best answer, or ``""`` for no answer, as SQuAD's prediction files have it."""
        return self.best.text if self.best else ""

    def __str__(self) -> str:
        """Say the best answer with its probability and place, or why there is none."""
        if best := self.best:
            return f"{best.text} ({best.probability:.1%}, code points {best.span.start} to {best.span.end})"
        return f"no answer: {self.reason}"
