"""Answers, stored texts and explanations."""

from __future__ import annotations

import json
from importlib.resources import files

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from quoth.serve.errors import Problem
from quoth.serve.http.schema.common import HANDLE


class Place(BaseModel):
    """A half-open range of offsets."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Spelling(BaseModel):
    """A predicted span, with the keys that `quoth ask --json` and the MLflow model use."""

    text: str = Field(description="Exactly the characters of the context from start to end.")
    start: int = Field(description="Its start in code points, as in Python.")
    end: int = Field(description="Its end in code points, not included.")
    start_utf16: int = Field(description="Its start in UTF-16 code units, as in JavaScript, Java and C#.")
    end_utf16: int = Field(description="Its end in UTF-16 code units, not included.")
    score: float | None = Field(description="Sum of its start and end logit.")
    probability: float | None = Field(description="Probability that this answer is right; 0 to 1.")
    context_index: int = Field(description="Index of the quoted context, from 0.")
    window_index: int = Field(description="Index of the window with this score.")


class Quote(Spelling):
    """One answer."""

    variants: list[Spelling] = Field(description="Other forms of the answer: spans that overlap it, best first.")
    places: list[Spelling] = Field(description="Other places with the same words, best first.")
    span: Place = Field(description="start and end.")
    utf16: Place = Field(description="start_utf16 and end_utf16.")
    window: int = Field(description="Same as window_index.")
    context: int = Field(description="Same as context_index.")
    page: int | None = Field(None, description="The page on which it starts, from 1, if the text has pages.")


class Timing(BaseModel):
    """Timing, in milliseconds."""

    queue_ms: float = Field(description="Time in the queue.")
    compute_ms: float = Field(description="Time in the engine, from the first window to the last.")
    total_ms: float = Field(description="Total time, from the complete body to the answer.")


class ReaderName(BaseModel):
    """The identity of the reader."""

    name: str
    hash: str = Field(description="Shortened SHA-256 of its files; changes whenever answers may change.")


class Result(BaseModel):
    """The result for one question, with the keys that `quoth ask --json` and the MLflow model use."""

    question: str
    answers: list[Quote] = Field(description="Best first; also the candidates if the reader abstains.")
    best: Quote | None = Field(description="The first answer; null if the reader abstains.")
    no_answer: bool = Field(description="Whether the reader abstains.")
    reason: str | None = Field(description="The reason for no answer, as a sentence.")
    null_score: float | None = Field(description='Score of "no answer"; null if there was no text to read.')
    null_probability: float | None = Field(
        description="Probability that the text does not answer the question; 0 to 1."
    )
    windows: int = Field(description="Number of windows that were read.")
    skipped: int = Field(description="Number of windows that were not read.")
    warning: str | None = Field(
        None,
        description="Why the answer should not be trusted: the text seems to be in a language unknown to the reader.",
    )


def answer_example() -> JsonDict:
    """Return the example of an answer: the response of the shipped reader to the example of AnswerRequest."""
    found: JsonDict = json.loads(files(__package__).joinpath("answer.json").read_text(encoding="utf-8"))
    return found


class AnswerResponse(Result):
    """The answers to one question."""

    timing: Timing
    reader: ReaderName


class RowResult(BaseModel):
    """The answers of one row, or its error."""

    index: int
    id: str | None = None
    result: Result | None = None
    error: Problem | None = None


class AnswersResponse(BaseModel):
    """The results of the rows, in order."""

    results: list[RowResult]
    timing: Timing
    reader: ReaderName


class TextFacts(BaseModel):
    """Facts about a stored text."""

    handle: str = Field(description="SHA-256 of the text; use it as `text` in /v1/answer.", examples=[HANDLE])
    characters: int = Field(description="Its length in code points.")
    pages: list[Place] | None = Field(default=None, description="Span of each page in code points; null without pages.")
    expires_in_s: float = Field(
        description="Removed after this many seconds without a question, or earlier if the space for texts is full."
    )


class TextResponse(TextFacts):
    """A text that was stored."""

    text: str | None = Field(default=None, description="The text of the file; null if the text was sent as JSON.")


class StoredText(TextFacts):
    """A stored text."""

    text: str


class ExplainedQuote(Quote):
    """An answer, with its first and last token."""

    first_token: int = Field(
        description="Index of its first token in its window, whose start logit is part of the score."
    )
    last_token: int = Field(description="Index of its last token (inclusive), whose end logit is part of the score.")


class RejectedQuote(BaseModel):
    """A rejected candidate: a start and end with a higher score than the last answer."""

    text: str
    why: str = Field(description="Why it was rejected, as a sentence.")
    score: float | None
    window: int
    first_token: int
    last_token: int


class ExplainedWindow(BaseModel):
    """One window, with its tokens in lists of equal length."""

    index: int
    span: Place = Field(description="Its part of the context, in code points.")
    tokens: list[str] = Field(description="Tokens as in the vocabulary.")
    offsets: list[tuple[int, int]] = Field(description="Code points of each token in the context; 0, 0 outside it.")
    in_context: list[bool] = Field(description="Whether the token belongs to the context.")
    start_logits: list[float | None]
    end_logits: list[float | None]
    cls: int = Field(description="Index of CLS, whose two logits add up to the null score.")
    null_score: float | None = Field(description='Score of "no answer" in this window.')


class ExplainResponse(BaseModel):
    """The explanation of an answer."""

    answers: list[ExplainedQuote] = Field(description="Best first.")
    no_answer: bool
    reason: str | None
    null_score: float | None
    null_probability: float | None = Field(description="Probability that the text does not answer the question.")
    rejected: list[RejectedQuote] = Field(description="The rejected candidates with the highest scores, best first.")
    windows: list[ExplainedWindow]
    timing: Timing
    reader: ReaderName
