"""Records of an explanation: the windows, the logits of their tokens, and rejected candidates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from quoth.notebook import Drawn, draw
from quoth.records import NEVER, Answer, NullThreshold, Prediction, Span, finite

Part = Literal["special", "question", "context"]


class Rejection(StrEnum):
    """Why a candidate was rejected although its score is higher than the last answer's.

    ``str(reason)`` is its name in JSON; :attr:`sentence` explains it.
    """

    OUTSIDE = "outside"
    CROSSING = "crossing"
    TOO_LONG = "too_long"
    BLANK = "blank"
    OTHER_WINDOW = "other_window"
    SAME_PLACE = "same_place"
    OVERLAPS = "overlaps"
    SAME_TEXT = "same_text"

    @property
    def sentence(self) -> str:
        """The reason, as the end of a sentence."""
        return _SENTENCES[self]


_SENTENCES = {
    Rejection.OUTSIDE: "starts or ends outside the context: in the question, or at a special token",
    Rejection.CROSSING: "ends before it starts",
    Rejection.TOO_LONG: "has more tokens than an answer may have",
    Rejection.BLANK: "starts or ends with only white space",
    Rejection.OTHER_WINDOW: "has a higher score in another window",
    Rejection.SAME_PLACE: "cuts a word or a character; widened, it is an answer that already has a higher score",
    Rejection.OVERLAPS: "overlaps an answer that has a higher score",
    Rejection.SAME_TEXT: "has the same words as an answer with a higher score, ignoring case, punctuation and articles",
}


@dataclass(frozen=True, slots=True)
class ExplainedToken:
    """One token of a window with its logits.

    Attributes:
        piece: The token in the vocabulary, such as ``##ing`` or ``Ġthe``.
        text: Its text without white space; the piece for a special token.
        part: Whether it belongs to the question or the context, or is special.
        span: Its code points in the context; ``None`` for other tokens.
        start: Logit that an answer starts here.
        end: Logit that an answer ends here.
    """

    piece: str
    text: str
    part: Part
    span: Span | None
    start: float
    end: float

    def to_dict(self) -> dict[str, Any]:
        """Return its part of the ``--json`` output."""
        return {
            "piece": self.piece,
            "text": self.text,
            "part": self.part,
            **_place(self.span),
            "start_logit": finite(self.start),
            "end_logit": finite(self.end),
        }


@dataclass(frozen=True, slots=True)
class ExplainedWindow:
    """One window.

    Attributes:
        index: Its index among the windows of its context, from 0.
        context_index: Index of its context.
        span: Its part of the context, from its first to its last token.
        tokens: All its tokens, including question and special tokens.
        cls: Index of CLS, whose two logits add up to ``null_score``.
        null_score: This window's score of "no answer".
    """

    index: int
    context_index: int
    span: Span
    tokens: tuple[ExplainedToken, ...]
    cls: int
    null_score: float

    def to_dict(self) -> dict[str, Any]:
        """Return its part of the ``--json`` output."""
        return {
            "index": self.index,
            "context_index": self.context_index,
            **_place(self.span),
            "cls": self.cls,
            "null_score": finite(self.null_score),
            "tokens": [token.to_dict() for token in self.tokens],
        }


@dataclass(frozen=True, slots=True)
class ExplainedAnswer:
    """An answer, and the two tokens whose logits add up to its score.

    Attributes:
        answer: The answer, as :meth:`Reader.answer <quoth.Reader.answer>` returns it.
        start_token: Index of its first token in the window, whose start logit is part of the score.
        end_token: Index of its last token (inclusive), whose end logit is part of the score.
        exact: Code points of these tokens, before the answer was widened to whole words and characters.
    """

    answer: Answer
    start_token: int
    end_token: int
    exact: Span

    @property
    def widened(self) -> bool:
        """Whether the answer is longer than its tokens."""
        return self.exact != self.answer.span

    def to_dict(self, context: str) -> dict[str, Any]:
        """Return its part of the ``--json`` output: the answer's keys, and its tokens.

        Args:
            context: The context that it quotes.
        """
        return {
            **self.answer.to_dict(context),
            "start_token": self.start_token,
            "end_token": self.end_token,
            "exact_start": self.exact.start,
            "exact_end": self.exact.end,
        }


@dataclass(frozen=True, slots=True)
class RejectedCandidate:
    """A rejected candidate: a start and an end with a higher score than the last answer.

    Attributes:
        reason: Why it was rejected.
        score: Sum of its start token's start logit and its end token's end logit.
        window_index: Index of the window with this score.
        context_index: Index of the window's context.
        start_token: Index of its first token in the window.
        end_token: Index of its last token (inclusive); may be before ``start_token``.
        text: Its text; ``""`` if it is not a part of the context.
    """

    reason: Rejection
    score: float
    window_index: int
    context_index: int
    start_token: int
    end_token: int
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return its part of the ``--json`` output."""
        return {
            "reason": str(self.reason),
            "why": self.reason.sentence,
            "score": finite(self.score),
            "context_index": self.context_index,
            "window_index": self.window_index,
            "start_token": self.start_token,
            "end_token": self.end_token,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class Explanation(Drawn):
    """The explanation of the answers to one question.

    Attributes:
        windows: All windows of all contexts, in order.
        prediction: Exactly what :meth:`Reader.answer <quoth.Reader.answer>` returns for the same arguments.
        answers: Its answers, best first, each with the tokens that it comes from.
        null_probability: Probability of "no answer"; ``None`` if nothing was read.
        rejected: The rejected candidates with the highest scores, best first.
        rejected_counts: Number of rejected candidates for each reason, including those that are not in ``rejected``.
        temperature: Divides scores before the softmax.
        null_bias: Null odds at which "no answer" and the best answer are equally probable.
        null_temperature: Divides null odds above the null bias.
        odds_scale: Factor from the odds of an answer's share to its odds of being right.
        null_threshold: The reader abstains if the null odds exceed this; "never": it never abstains.
        max_answer_tokens: Maximum length of an answer, in tokens.
        whole_words: Whether an answer that starts or ends inside a word was widened.
    """

    windows: tuple[ExplainedWindow, ...]
    prediction: Prediction
    answers: tuple[ExplainedAnswer, ...]
    null_probability: float | None
    rejected: tuple[RejectedCandidate, ...]
    rejected_counts: dict[Rejection, int]
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

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON document as a dictionary; numbers that are not finite become ``None``.

        It has the keys of :meth:`Prediction.to_dict`, but ``windows`` is a list of all windows.
        """
        return {
            **self.prediction.to_dict(),
            "contexts": list(self.contexts),
            "answers": [each.to_dict(self.contexts[each.answer.context_index]) for each in self.answers],
            "rejected": [pair.to_dict() for pair in self.rejected],
            "rejected_counts": {str(reason): count for reason, count in self.rejected_counts.items()},
            "settings": {
                "temperature": self.temperature,
                "null_bias": self.null_bias,
                "null_temperature": self.null_temperature,
                "odds_scale": self.odds_scale,
                "null_threshold": NEVER if self.null_threshold == NEVER else finite(self.null_threshold),
                "max_answer_tokens": self.max_answer_tokens,
                "whole_words": self.whole_words,
            },
            "windows": [window.to_dict() for window in self.windows],
        }

    def __repr__(self) -> str:
        """Return a short description without the numbers."""
        return (
            f"Explanation(question={self.question!r}, answer={self.prediction.text!r}, windows={len(self.windows)}, "
            f"answers={len(self.answers)}, rejected={sum(self.rejected_counts.values())})"
        )

    def __str__(self) -> str:
        """Return the best answer, and why other candidates were rejected."""
        lines = [str(self.prediction)]
        lines += [f"rejected: {count} that {reason.sentence}" for reason, count in self.rejected_counts.items()]
        return "\n".join(lines)

    def to_html(self) -> str:
        """Return the explanation as one self-contained HTML page."""
        return draw(self, page=True)


def _place(span: Span | None) -> dict[str, int | None]:
    return {"start": span.start if span else None, "end": span.end if span else None}
