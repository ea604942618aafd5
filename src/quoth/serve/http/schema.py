"""Request and response schemas of each endpoint.

    POST /v1/answer          AnswerRequest  -> AnswerResponse    one question about one or several texts
    POST /v1/answers         AnswersRequest -> AnswersResponse   many rows, or many questions about one text; in order
    POST /v1/texts           TextRequest or a file -> TextResponse   store a text, to use its handle in questions
    GET  /v1/texts/{handle}                 -> StoredText        a stored text; after a 404, send it again
    POST /v1/explain         ExplainRequest -> ExplainResponse   windows, tokens, offsets and logits of one question
    POST /v1/verify          VerifyRequest  -> VerifyResponse    are these quotes in the texts, word for word
    GET  /v1/reader                         -> ReaderResponse    the reader, its settings, and the limits of this server
    GET  /healthz, /readyz                  -> Health            liveness; readiness
    GET  /metrics                                                Prometheus
    POST /                   HostedRequest  -> HostedAnswer, or a list of them    Hugging Face's hosted task

Every error is an ErrorResponse. Offsets count code points, half-open, unless their name says UTF-16. A number that is
not finite is ``null``, because JSON cannot represent it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from quoth.serve.errors import Problem

QUESTION = "What flew into the glass?"
TEXT = "A gull 🐦 flew into the glass of the lighthouse on Tuesday."
HANDLE = "5f0e2c3a6f0f3b1d4f2f0a6bd3f6f8d7a1b2c3d4e5f60718293a4b5c6d7e8f90"

Question = Annotated[str, Field(description="The question.", examples=[QUESTION])]
Handle = Annotated[
    str,
    Field(pattern="^[0-9a-f]{64}$", description="The handle from /v1/texts: SHA-256 of the text.", examples=[HANDLE]),
]
TopK = Annotated[int, Field(ge=1, le=100, description="Maximum number of answers.")]
NullThreshold = Annotated[
    Annotated[float, Field(allow_inf_nan=False)] | Literal["never"] | None,
    Field(description='Abstain if the null odds exceed this value; "never": never abstain; null: as stored.'),
]
MaxAnswerTokens = Annotated[
    int | None, Field(ge=1, le=512, description="Maximum length of an answer, in tokens; null: as stored.")
]


class Strict(BaseModel):
    """A request; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Choice(Strict):
    """Decoding settings."""

    top_k: TopK = 1
    null_threshold: NullThreshold = None
    max_answer_tokens: MaxAnswerTokens = None
    min_probability: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Answer only where the probability of the best answer is at least this; instead of null_threshold.",
    )
    overlapping: bool = Field(default=False, description="Also return spellings of one answer as answers.")


class Source(Strict):
    """The text to quote from: exactly one of the three fields."""

    context: str | None = Field(default=None, description="The text.", examples=[TEXT])
    contexts: list[str] | None = Field(
        default=None, min_length=1, description="Several texts: the best answers from all of them."
    )
    text: Handle | None = Field(default=None, description="The handle of a stored text.")

    @model_validator(mode="after")
    def _one_source(self) -> Source:
        given = [name for name in ("context", "contexts", "text") if getattr(self, name) is not None]
        if len(given) > 1 or (not given and self._needs_source):
            raise ValueError(
                f"exactly one of context, contexts and text must be given, but {' and '.join(given) or 'none'} is given"
            )
        return self

    @property
    def _needs_source(self) -> bool:
        return True


class AnswerRequest(Choice, Source):
    """One question."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": QUESTION, "context": TEXT, "top_k": 3}]})

    question: Question


class OneQuestion(Strict):
    """One of many questions about one source."""

    question: Question


class Row(Source):
    """One of many rows."""

    id: str | None = Field(default=None, max_length=200, description="Returned with the result of the row.")
    question: Question


class AnswersRequest(Choice, Source):
    """Many rows, each with its own source; or many questions about one source."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"questions": [QUESTION, "On which day?"], "context": TEXT},
                {"rows": [{"id": "a", "question": QUESTION, "context": TEXT}], "top_k": 2},
            ]
        }
    )

    # Validated one by one, so that an invalid row does not affect the others.
    rows: list[Any] | None = Field(
        default=None, min_length=1, description="Objects like Row: a question, its source, an id."
    )
    questions: list[Any] | None = Field(default=None, min_length=1, description="Questions about the one source.")

    @model_validator(mode="after")
    def _rows_or_questions(self) -> AnswersRequest:
        if (self.rows is None) == (self.questions is None):
            raise ValueError("exactly one of rows and questions must be given")
        sourced = any(value is not None for value in (self.context, self.contexts, self.text))
        if self.rows is not None and sourced:
            raise ValueError("with rows, context, contexts and text must be given in each row only")
        return self

    @property
    def _needs_source(self) -> bool:
        return self.rows is None


class TextRequest(Strict):
    """A text to store temporarily."""

    text: str = Field(description="The text.", examples=[TEXT])


class ExplainRequest(Choice):
    """A question whose answer is to be explained."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": QUESTION, "context": TEXT}]})

    question: Question
    context: str | None = Field(default=None, description="The text.", examples=[TEXT])
    text: Handle | None = Field(default=None, description="The handle of a stored text.")

    @model_validator(mode="after")
    def _one_source(self) -> ExplainRequest:
        if (self.context is None) == (self.text is None):
            raise ValueError("exactly one of context and text must be given")
        return self


class Place(BaseModel):
    """A half-open range of offsets."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Spelling(BaseModel):
    """A span that may be quoted, with the keys that `quoth ask --json` and the MLflow model use."""

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

    variants: list[Spelling] = Field(description="Other spellings of it: spans that overlap it, best first.")
    places: list[Spelling] = Field(description="Where else the same words stand, best first.")
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
    null_probability: float | None = Field(description="Probability that the text does not answer; 0 to 1.")
    windows: int = Field(description="Number of windows that were read.")
    skipped: int = Field(description="Number of windows that were not read.")
    warning: str | None = Field(
        None,
        description="Why the answer should not be trusted: the text seems to be in a language unknown to the reader.",
    )


_EXAMPLE: JsonDict = {
    "text": "A gull",
    "start": 0,
    "end": 6,
    "start_utf16": 0,
    "end_utf16": 6,
    "score": 9.41,
    "probability": 0.83,
    "context_index": 0,
    "window_index": 0,
    "variants": [],
    "places": [],
    "span": {"start": 0, "end": 6},
    "utf16": {"start": 0, "end": 6},
    "window": 0,
    "context": 0,
    "page": None,
}


class AnswerResponse(Result):
    """The answers to one question."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "question": QUESTION,
                    "answers": [_EXAMPLE],
                    "best": _EXAMPLE,
                    "no_answer": False,
                    "reason": None,
                    "null_score": -3.2,
                    "null_probability": 0.04,
                    "windows": 1,
                    "skipped": 0,
                    "warning": None,
                    "timing": {"queue_ms": 0.2, "compute_ms": 9.1, "total_ms": 10.4},
                    "reader": {"name": "shipped", "hash": "3f9a1c22b07d"},
                }
            ]
        }
    )

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
        description="Removed after this many seconds without a question, or earlier if memory is full."
    )


class TextResponse(TextFacts):
    """A text that was stored."""

    text: str | None = Field(default=None, description="The text of the file; null if the text was sent as JSON.")


class StoredText(TextFacts):
    """A stored text."""

    text: str


class ExplainedQuote(Quote):
    """An answer, and its tokens in its window."""

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
    null_probability: float | None = Field(description="Probability that the text does not answer.")
    rejected: list[RejectedQuote] = Field(description="The rejected candidates with the highest scores, best first.")
    windows: list[ExplainedWindow]
    timing: Timing
    reader: ReaderName


class VerifyRequest(Source):
    """Claimed quotes, and the texts to look in."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"quotes": ["a gull flew"], "context": TEXT}]})

    quotes: str | list[Any] = Field(
        description="A text, of which everything in quotation marks is checked (all of it without any); or a list of "
        'texts, of {"quote", "source"}, or of citation objects of hosted models.',
        examples=[f'It says "{TEXT[:6]} flew".'],
    )
    names: list[str] | None = Field(
        default=None, description="What each of contexts is called, so that quotes may name their source."
    )

    @model_validator(mode="after")
    def _one_name_each(self) -> VerifyRequest:
        if self.names is not None and len(self.names) != len(self.contexts or []):
            raise ValueError("names must have one name for each of contexts")
        return self


class PageBox(BaseModel):
    """A rectangle on a page, in points from the upper left corner."""

    page: int
    left: float
    top: float
    right: float
    bottom: float


class QuotePlace(BaseModel):
    """The place of a quote in a source."""

    source: str
    source_index: int
    start: int = Field(description="In code points of the source.")
    end: int
    start_utf16: int
    end_utf16: int
    line: int = Field(description="From 1.")
    page: int | None
    boxes: list[PageBox]
    text: str = Field(description="Exactly the text at the place.")
    whole_words: bool = Field(description="Whether it splits no word and no number.")


class ClosestPlace(QuotePlace):
    """The most similar passage to an absent quote."""

    similarity: float


class Step(BaseModel):
    """One step of a difference, in the order of the text."""

    kind: Literal["same", "form", "changed", "added", "missing"]
    quote: str
    text: str


class Difference(BaseModel):
    """The difference between a near quote and the text."""

    words_changed: bool
    forms: list[str]
    steps: list[Step]


class QuoteVerdict(BaseModel):
    """The result for one quote."""

    quote: str
    status: Literal["exact", "near", "absent"]
    places: list[QuotePlace]
    place_count: int
    difference: Difference | None
    closest: ClosestPlace | None
    offsets: Literal["right", "repaired", "wrong"] | None = Field(description="The check of claimed offsets.")
    note: str | None


class VerifyResponse(BaseModel):
    """The verdicts, in the order of the quotes."""

    quotes: list[QuoteVerdict]


class LimitsResponse(BaseModel):
    """The limits of the server."""

    body_bytes: int
    context_characters: int
    question_characters: int
    explain_characters: int
    file_bytes: int
    contexts: int
    rows: int
    deadline_s: float


class ReaderResponse(ReaderName):
    """The reader and its settings."""

    version: str = Field(description="Of Quoth.")
    engine: str
    precision: str
    max_tokens: int = Field(description="Maximum length of a window, in tokens.")
    overlap: int = Field(description="Tokens of the context that neighbouring windows share.")
    max_answer_tokens: int
    null_threshold: float | Literal["never"] = Field(description='Stored threshold, or "never": it never abstains.')
    null_bias: float = Field(description="Null odds at which no answer and the best answer are equally probable.")
    temperature: float
    null_temperature: float = Field(description="Divides null odds above the null bias.")
    odds_scale: float = Field(description="Factor from the odds of an answer's share to its odds of being right.")
    scores: dict[str, Any] = Field(description="The scores in its quoth.json.")
    limits: LimitsResponse


class Health(BaseModel):
    """Liveness or readiness."""

    status: Literal["ok", "starting", "stopping"]


class HostedInputs(BaseModel):
    """A question and its context, with the names of Hugging Face's task."""

    model_config = ConfigDict(strict=True)

    question: str
    context: str


class HostedParameters(BaseModel):
    """The parameters of the task, with its defaults if they are null or omitted; lengths in tokens."""

    model_config = ConfigDict(strict=True)

    top_k: int | None = Field(default=None, ge=1, le=100, description="Maximum number of answers; default 1.")
    doc_stride: int | None = Field(default=None, ge=0, description="Overlap of neighbouring windows; default 128.")
    max_answer_len: int | None = Field(
        default=None, ge=1, le=512, description="Maximum length of an answer; default 15."
    )
    max_seq_len: int | None = Field(
        default=None, ge=1, description="Maximum length of a window; default 384, or the reader's maximum if lower."
    )
    max_question_len: int | None = Field(default=None, ge=1, description="Longer questions are truncated; default 64.")
    handle_impossible_answer: bool | None = Field(
        default=None, description="Whether an answer may be empty; default false."
    )
    align_to_words: bool | None = Field(
        default=None, description="Whether answers are widened to whole words; default true."
    )


class HostedRequest(BaseModel):
    """A request of Hugging Face's hosted question answering."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [{"inputs": {"question": QUESTION, "context": TEXT}, "parameters": {"top_k": 2}}]
        },
    )

    inputs: HostedInputs
    parameters: HostedParameters | None = None


class HostedAnswer(BaseModel):
    """One answer of the task."""

    answer: str
    score: float
    start: int
    end: int
