"""The main records: Span, Gold, Example, Answer, Prediction.

All are frozen. Spans are code points of one context, half-open like Python slices.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from quoth.display import percent
from quoth.notebook import Drawn

NEVER: Final = "never"
# Abstain if the null odds exceed this number; "never": never abstain.
NullThreshold: TypeAlias = float | Literal["never"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of code points of one context.

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

    def utf8(self, context: str) -> tuple[int, int]:
        """Return start and end in UTF-8 bytes, as in Rust, Go and files."""
        start = _utf8_length(context[: self.start])
        return start, start + _utf8_length(self.of(context))

    def utf16(self, context: str) -> tuple[int, int]:
        """Return start and end in UTF-16 code units, as in JavaScript, Java and .NET."""
        start = _utf16_length(context[: self.start])
        return start, start + _utf16_length(self.of(context))


def page_at(pages: Sequence[Span], position: int) -> int | None:
    """Return the page of a code point, from 1; ``None`` without pages.

    Args:
        pages: The span of each page in the text, in order.
        position: The code point. Between two pages, it belongs to the first of them.
    """
    return max(1, bisect_right(pages, position, key=lambda page: page.start)) if pages else None


@dataclass(frozen=True, slots=True)
class Gold:
    """One annotated answer.

    Attributes:
        text: Its text.
        start: Its start in its context, in code points.
        context_index: Index of its context in the example.
    """

    text: str
    start: int
    context_index: int = 0

    @property
    def span(self) -> Span:
        """Its span in its context."""
        return Span(self.start, self.start + len(self.text))


@dataclass(frozen=True, slots=True, init=False)
class Example:
    """One question with its contexts: one record from the entry point to the answer.

    Attributes:
        id: Unique within a data set; ``""`` if it has none.
        question: As written in the data, outer white space included.
        contexts: The texts that may answer it.
        golds: ``None`` if unlabelled, ``()`` if no context answers the question, else its annotated answers.
        title: The article that the contexts come from, or ``""``.
    """

    id: str
    question: str
    contexts: tuple[str, ...]
    golds: tuple[Gold, ...] | None
    title: str

    def __init__(
        self,
        id: str,
        question: str,
        contexts: str | Iterable[str] | None = None,
        golds: Iterable[Gold] | None = None,
        title: str = "",
        *,
        context: str | None = None,
    ) -> None:
        """Create an example.

        Args:
            id: See the attributes above, as for all arguments.
            question: The question.
            contexts: One context, or several.
            golds: The annotated answers; ``None`` if unlabelled.
            title: The article.
            context: One context, instead of ``contexts``.

        Raises:
            TypeError: If neither ``contexts`` nor ``context`` is given.
        """
        texts = contexts if context is None else context
        if texts is None:
            raise TypeError("an Example must have contexts (a text or several), but has none")
        # The class is frozen; this is how dataclasses themselves set the attributes of such a class.
        put = object.__setattr__
        put(self, "id", id)
        put(self, "question", question)
        put(self, "contexts", (texts,) if isinstance(texts, str) else tuple(texts))
        put(self, "golds", golds if golds is None else tuple(golds))
        put(self, "title", title)

    @property
    def context(self) -> str:
        """The context, or the first of several; ``""`` if there is none."""
        return self.contexts[0] if self.contexts else ""

    @property
    def name(self) -> str:
        """Its name in messages: ``question 56be``, or ``the question`` if it has no id."""
        return f"question {self.id}" if self.id else "the question"


@dataclass(frozen=True, slots=True)
class Answer:
    """One quoted answer.

    Attributes:
        text: Exactly ``context[span.start:span.end]``.
        span: Its span in its context, in code points.
        score: Sum of its start and end logits. Comparable between windows of one example, not between readers.
        probability: Probability that it is right, in [0, 1]. With ``null_threshold`` "never", it is conditional on the
            context answering the question. See :mod:`quoth.reading.probability`.
        window_index: Index of the window with this score.
        context_index: Index of the quoted context.
        variants: Other spans that overlap it and have a higher score than the last answer, best first.
        places: Spans elsewhere with the same text after SQuAD's normalization (case, punctuation and articles ignored)
            and a higher score than the last answer, best first.
    """

    text: str
    span: Span
    score: float
    probability: float
    window_index: int = 0
    context_index: int = 0
    variants: tuple[Answer, ...] = ()
    places: tuple[Answer, ...] = ()

    def to_citation(self, context: str, title: str | None = None) -> dict[str, Any]:
        """Return it as a citation object: see :func:`citation`.

        Args:
            context: The context that it quotes.
            title: The title of the context, if it has one.
        """
        return citation(context, self.span, self.context_index, title)

    def to_dict(self, context: str) -> dict[str, Any]:
        """Return it as plain values for JSON; a number that is not finite becomes ``None``.

        Args:
            context: The context that it quotes, to convert its span to UTF-16 code units.
        """
        folded = {"variants": self.variants, "places": self.places}
        return self._alone(context) | {name: [each._alone(context) for each in some] for name, some in folded.items()}

    def _alone(self, context: str) -> dict[str, Any]:
        start_utf16, end_utf16 = self.span.utf16(context)
        return {
            "text": self.text,
            "start": self.span.start,
            "end": self.span.end,
            "start_utf16": start_utf16,
            "end_utf16": end_utf16,
            "score": finite(self.score),
            "probability": finite(self.probability),
            "context_index": self.context_index,
            "window_index": self.window_index,
        }


@dataclass(frozen=True, slots=True)
class Prediction(Drawn):
    """A reader's prediction for one example.

    Attributes:
        example: The question and its contexts.
        answers: Best first, with distinct spans; also the candidates if the reader abstains.
        null_score: Score of "no answer": the minimum over all windows of the sum of the CLS token's two logits.
            ``None`` if nothing was read (an empty context).
        no_answer: Whether the reader abstains.
        reason: Why there is no answer, as a sentence; ``None`` if there is one.
        windows: Number of windows that were read.
        null_probability: Probability that the context does not answer the question, in [0, 1]; ``None`` if nothing was
            read.
        skipped: Number of windows that were not read because of the argument ``passages``.
        warning: Why the prediction is unreliable, as a sentence: the reader's vocabulary covers little of the text,
            which may be in another script. ``None`` if there is no such reason.
    """

    example: Example
    answers: tuple[Answer, ...]
    null_score: float | None
    no_answer: bool
    reason: str | None = None
    windows: int = 0
    null_probability: float | None = None
    skipped: int = 0
    warning: str | None = None

    @property
    def id(self) -> str:
        """The example's id."""
        return self.example.id

    @property
    def question(self) -> str:
        """The question."""
        return self.example.question

    @property
    def contexts(self) -> tuple[str, ...]:
        """The contexts of the question; an answer's ``context_index`` is the index of the quoted one."""
        return self.example.contexts

    @property
    def null_odds(self) -> float | None:
        """Null score minus the best answer's score, compared with the null threshold; ``None`` without answers."""
        return None if self.null_score is None or not self.answers else self.null_score - self.answers[0].score

    @property
    def best(self) -> Answer | None:
        """The best answer, or ``None`` if the reader abstains."""
        return None if self.no_answer or not self.answers else self.answers[0]

    @property
    def text(self) -> str:
        """Text of the best answer, or ``""`` for no answer, as in SQuAD's prediction files."""
        return self.best.text if self.best else ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON.

        The command line, the MLflow model and the HTTP server return these keys, and further ones.
        """
        answers = [answer.to_dict(self.contexts[answer.context_index]) for answer in self.answers]
        return {
            "question": self.question,
            "answers": answers,
            "best": answers[0] if self.best else None,
            "no_answer": self.no_answer,
            "reason": self.reason,
            "null_score": finite(self.null_score),
            "null_probability": finite(self.null_probability),
            "windows": self.windows,
            "skipped": self.skipped,
            "warning": self.warning,
        }

    def __repr__(self) -> str:
        """Return all fields; of the example only its id and question, because contexts may be long."""
        named = f"id={self.id!r}, " if self.id else ""
        warned = f", warning={self.warning!r}" if self.warning else ""
        return (
            f"Prediction({named}question={self.question!r}, answers={self.answers!r}, null_score={self.null_score!r}, "
            f"no_answer={self.no_answer!r}, reason={self.reason!r}, windows={self.windows!r}, "
            f"null_probability={self.null_probability!r}, skipped={self.skipped!r}{warned})"
        )

    def __str__(self) -> str:
        """Return the best answer with its probability and span, or the reason why there is none."""
        if best := self.best:
            return f"{best.text} ({percent(best.probability)}, code points {best.span.start} to {best.span.end})"
        return f"no answer: {self.reason}"


def finite(number: float | None) -> float | None:
    """Return a number, or ``None`` if it is not finite: JSON has no NaN and no infinity."""
    return float(number) if number is not None and math.isfinite(number) else None


def _utf8_length(text: str) -> int:
    """Count bytes of UTF-8; a lone surrogate takes three, as if it could be encoded."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def citation(context: str, span: Span, index: int = 0, title: str | None = None) -> dict[str, Any]:
    """Return a quoted span as a citation object with the keys that hosted models use, and offsets in other units.

    ``quoth verify`` reads it. ``start_char_index`` and ``end_char_index`` count code points, half-open.

    Args:
        context: The document's whole text.
        span: The quoted span.
        index: The index of the document.
        title: The title of the document, if it has one.
    """
    start_utf16, end_utf16 = span.utf16(context)
    start_byte, end_byte = span.utf8(context)
    return {
        "type": "char_location",
        "cited_text": span.of(context),
        "document_index": index,
        "document_title": title,
        "start_char_index": span.start,
        "end_char_index": span.end,
        "start_utf16_index": start_utf16,
        "end_utf16_index": end_utf16,
        "start_byte_index": start_byte,
        "end_byte_index": end_byte,
    }


def _utf16_length(text: str) -> int:
    """Count UTF-16 code units; a code point above U+FFFF takes two."""
    # A loop over the characters would be fifty times slower.
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
