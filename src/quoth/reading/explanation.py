"""How an answer came about, as records: what each window held, what the network said, and why other spans lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from quoth.notebook import Drawn, draw
from quoth.records import NEVER, Answer, NullThreshold, Prediction, Span

Part = Literal["special", "question", "context"]


class Loss(StrEnum):
    """Why a pair of a start and an end is not an answer, though its score is better than the last answer's.

    ``str(loss)`` is the word that JSON has; :attr:`sentence` explains it.
    """

    OUTSIDE = "outside"
    CROSSING = "crossing"
    TOO_LONG = "too_long"
    BLANK = "blank"
    OTHER_WINDOW = "other_window"
    SAME_PLACE = "same_place"

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        return _SENTENCES[self]


_SENTENCES = {
    Loss.OUTSIDE: "starts or ends outside the context: in the question, or at a special token",
    Loss.CROSSING: "ends before it starts",
    Loss.TOO_LONG: "has more tokens than an answer may have",
    Loss.BLANK: "starts or ends with white space alone",
    Loss.OTHER_WINDOW: "is scored better by another window that holds it too",
    Loss.SAME_PLACE: "cuts a word or a character; made whole, it is an answer that has a better score already",
}


@dataclass(frozen=True, slots=True)
class ExplainedToken:
    """One token of a window, as the network saw it and what it said of it.

    Attributes:
        piece: As the vocabulary writes it, ``##ing`` or ``Ġthe``.
        text: What it stands for in its text, white space left out; the piece itself for a special token.
        part: Whether it is of the question, of the context, or special.
        span: Its code points in the context; ``None`` outside of the context.
        start: Logit that an answer starts here.
        end: Logit that an answer ends here.
    """

    piece: str
    text: str
    part: Part
    span: Span | None
    start: float
    end: float

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it."""
        return {
            "piece": self.piece,
            "text": self.text,
            "part": self.part,
            **_place(self.span),
            "start_logit": _finite(self.start),
            "end_logit": _finite(self.end),
        }


@dataclass(frozen=True, slots=True)
class ExplainedWindow:
    """One window.

    Attributes:
        index: Which of its context's windows, from 0.
        context_index: Which of the contexts it is of.
        span: The part of the context that it holds, from its first to its last token.
        tokens: All its tokens, special ones and the question's too.
        cls: Which token is CLS, whose two logits add up to ``null_score``.
        null_score: This window's score of "no answer".
    """

    index: int
    context_index: int
    span: Span
    tokens: tuple[ExplainedToken, ...]
    cls: int
    null_score: float

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it."""
        return {
            "index": self.index,
            "context_index": self.context_index,
            **_place(self.span),
            "cls": self.cls,
            "null_score": _finite(self.null_score),
            "tokens": [token.to_json() for token in self.tokens],
        }


@dataclass(frozen=True, slots=True)
class ExplainedAnswer:
    """An answer, and the two tokens whose logits add up to its score.

    Attributes:
        answer: The answer, as :meth:`Reader.answer <quoth.Reader.answer>` returns it.
        start_token: Which token of its window starts it; its start logit is one half of the score.
        end_token: Which token ends it, itself included; its end logit is the other half.
        exact: Code points of these tokens, before the answer was widened to whole words and characters.
    """

    answer: Answer
    start_token: int
    end_token: int
    exact: Span

    @property
    def widened(self) -> bool:
        """Whether the answer says more than its tokens do."""
        return self.exact != self.answer.span

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it."""
        return {
            "text": self.answer.text,
            **_place(self.answer.span),
            "score": _finite(self.answer.score),
            "probability": self.answer.probability,
            "context_index": self.answer.context_index,
            "window_index": self.answer.window_index,
            "start_token": self.start_token,
            "end_token": self.end_token,
            "exact_start": self.exact.start,
            "exact_end": self.exact.end,
        }


@dataclass(frozen=True, slots=True)
class LostPair:
    """A start and an end with a better score than the last answer, which is no answer all the same.

    Attributes:
        loss: Why it lost.
        score: Sum of its start token's start logit and its end token's end logit.
        window_index: The window that gives the score.
        context_index: The context that the window is of.
        start_token: Which token of the window starts it.
        end_token: Which token ends it, itself included; may stand before ``start_token``.
        text: What it would quote; ``""`` where it is no piece of the context.
    """

    loss: Loss
    score: float
    window_index: int
    context_index: int
    start_token: int
    end_token: int
    text: str

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it."""
        return {
            "loss": str(self.loss),
            "why": self.loss.sentence,
            "score": _finite(self.score),
            "context_index": self.context_index,
            "window_index": self.window_index,
            "start_token": self.start_token,
            "end_token": self.end_token,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class Explanation(Drawn):
    """How the answers to one question came about.

    Attributes:
        windows: All windows of all contexts, in their order.
        prediction: Exactly what :meth:`Reader.answer <quoth.Reader.answer>` returns for the same arguments.
        answers: Its answers, best first, each with the tokens that it comes from.
        null_probability: Probability of "no answer"; ``None`` if nothing was read.
        lost: The best pairs that lost, best first.
        lost_counts: How many lost for each reason, those too that ``lost`` has no room for.
        temperature: What scores were divided by before the softmax.
        null_bias: Null odds at which "no answer" and the best answer are equally probable.
        null_temperature: Divides null odds above the null bias.
        odds_scale: Factor from the odds of an answer's share to its odds of being right.
        null_threshold: The reader abstains where the null score exceeds the best answer's by more, or "never" abstains.
        max_answer_tokens: The longest answer, in tokens.
        whole_words: Whether an answer that starts or ends inside a word was widened.
    """

    windows: tuple[ExplainedWindow, ...]
    prediction: Prediction
    answers: tuple[ExplainedAnswer, ...]
    null_probability: float | None
    lost: tuple[LostPair, ...]
    lost_counts: dict[Loss, int]
    temperature: float
    null_bias: float
    null_temperature: float
    odds_scale: float
    null_threshold: NullThreshold
    max_answer_tokens: int
    whole_words: bool

    @property
    def question(self) -> str:
        """The question."""
        return self.prediction.question

    @property
    def contexts(self) -> tuple[str, ...]:
        """The contexts."""
        return self.prediction.contexts

    def to_json(self) -> dict[str, Any]:
        """Return all of it as what a JSON document can hold; a number that is not finite becomes ``None``."""
        prediction = self.prediction
        return {
            "question": self.question,
            "contexts": list(self.contexts),
            "answers": [answer.to_json() for answer in self.answers],
            "no_answer": prediction.no_answer,
            "reason": prediction.reason,
            "null_score": _finite(prediction.null_score),
            "null_probability": self.null_probability,
            "lost": [pair.to_json() for pair in self.lost],
            "lost_counts": {str(loss): count for loss, count in self.lost_counts.items()},
            "settings": {
                "temperature": self.temperature,
                "null_bias": self.null_bias,
                "null_temperature": self.null_temperature,
                "odds_scale": self.odds_scale,
                "null_threshold": NEVER if self.null_threshold == NEVER else _finite(self.null_threshold),
                "max_answer_tokens": self.max_answer_tokens,
                "whole_words": self.whole_words,
            },
            "windows": [window.to_json() for window in self.windows],
        }

    def __repr__(self) -> str:
        """Say what it explains; its numbers are many."""
        return (
            f"Explanation(question={self.question!r}, answer={self.prediction.text!r}, windows={len(self.windows)}, "
            f"answers={len(self.answers)}, lost={sum(self.lost_counts.values())})"
        )

    def __str__(self) -> str:
        """Say the best answer, and why others lost."""
        lines = [str(self.prediction)]
        lines += [f"lost: {count} that {loss.sentence}" for loss, count in self.lost_counts.items()]
        return "\n".join(lines)

    def to_html(self) -> str:
        """Return it as one HTML file that needs nothing else: a lesson on how the answer came about."""
        return draw(self, page=True)


def _place(span: Span | None) -> dict[str, int | None]:
    return {"start": span.start if span else None, "end": span.end if span else None}


def _finite(number: float | None) -> float | None:
    """JSON has no NaN and no infinity."""
    return number if number is not None and math.isfinite(number) else None
