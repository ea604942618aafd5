"""What goes over the wire, endpoint by endpoint.

    POST /v1/answer          AnswerRequest  -> AnswerResponse    one question on one text, or on several
    POST /v1/answers         AnswersRequest -> AnswersResponse   many rows, or many questions on one text; in order
    POST /v1/texts           TextRequest or a file -> TextResponse   send a text once, ask many times by its handle
    GET  /v1/texts/{handle}                 -> StoredText        the text again; after a 404, send it again
    POST /v1/explain         ExplainRequest -> ExplainResponse   windows, tokens, offsets and logits of one question
    GET  /v1/reader                         -> ReaderResponse    which reader answers, its settings and the limits here
    GET  /healthz, /readyz                  -> Health            alive; loaded and warm
    GET  /metrics                                                Prometheus
    POST /                   HostedRequest  -> HostedAnswer, or a list of them    Hugging Face's hosted task

Every error is an ErrorResponse. Positions count code points, half-open, unless their name says UTF-16. A number that is
not finite is ``null``: JSON has no other word for it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quoth.serve.errors import Problem

QUESTION = "What flew into the glass?"
TEXT = "A gull 🐦 flew into the glass of the lighthouse on Tuesday."
HANDLE = "5f0e2c3a6f0f3b1d4f2f0a6bd3f6f8d7a1b2c3d4e5f60718293a4b5c6d7e8f90"

Question = Annotated[str, Field(description="The question.", examples=[QUESTION])]
Handle = Annotated[
    str,
    Field(
        pattern="^[0-9a-f]{64}$", description="The handle that /v1/texts gave: SHA-256 of the text.", examples=[HANDLE]
    ),
]
TopK = Annotated[int, Field(ge=1, le=100, description="How many answers to return at most.")]
NullThreshold = Annotated[
    Annotated[float, Field(allow_inf_nan=False)] | Literal["never"] | None,
    Field(description='Abstain where the null score is above the best by more. "never" abstain; null: as stored.'),
]
MaxAnswerTokens = Annotated[
    int | None, Field(ge=1, le=512, description="The longest answer, in tokens; null: as the reader has it.")
]


class Strict(BaseModel):
    """A request: an unknown field is a misspelt one, and is named."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Choice(Strict):
    """How answers are chosen."""

    top_k: TopK = 1
    null_threshold: NullThreshold = None
    max_answer_tokens: MaxAnswerTokens = None


class Source(Strict):
    """What to quote from: exactly one of the three."""

    context: str | None = Field(default=None, description="The text.", examples=[TEXT])
    contexts: list[str] | None = Field(
        default=None, min_length=1, description="Several texts: the best answers among all."
    )
    text: Handle | None = Field(default=None, description="The handle of a text sent before.")

    @model_validator(mode="after")
    def _one_source(self) -> Source:
        given = [name for name in ("context", "contexts", "text") if getattr(self, name) is not None]
        if len(given) > 1 or (not given and self._needs_source):
            raise ValueError(
                f"exactly one of context, contexts and text must be given, but {' and '.join(given) or 'none'} is"
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
    """One question of many on one source."""

    question: Question


class Row(Source):
    """One row of many."""

    id: str | None = Field(default=None, max_length=200, description="Comes back with the row's result.")
    question: Question


class AnswersRequest(Choice, Source):
    """Many rows, each with a source of its own; or many questions on one source."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"questions": [QUESTION, "On which day?"], "context": TEXT},
                {"rows": [{"id": "a", "question": QUESTION, "context": TEXT}], "top_k": 2},
            ]
        }
    )

    # Looked at one by one, so that a bad row spoils no other.
    rows: list[Any] | None = Field(
        default=None, min_length=1, description="Objects as of Row: question, its source, an id."
    )
    questions: list[Any] | None = Field(default=None, min_length=1, description="Questions on the one source.")

    @model_validator(mode="after")
    def _rows_or_questions(self) -> AnswersRequest:
        if (self.rows is None) == (self.questions is None):
            raise ValueError("exactly one of rows and questions must be given")
        sourced = any(value is not None for value in (self.context, self.contexts, self.text))
        if self.rows is not None and sourced:
            raise ValueError("each of rows has its own context, contexts or text: none may stand beside rows")
        return self

    @property
    def _needs_source(self) -> bool:
        return self.rows is None


class TextRequest(Strict):
    """A text to keep for a while."""

    text: str = Field(description="The text.", examples=[TEXT])


class ExplainRequest(Choice):
    """A question whose way to its answer is to be shown."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": QUESTION, "context": TEXT}]})

    question: Question
    context: str | None = Field(default=None, description="The text.", examples=[TEXT])
    text: Handle | None = Field(default=None, description="The handle of a text sent before.")

    @model_validator(mode="after")
    def _one_source(self) -> ExplainRequest:
        if (self.context is None) == (self.text is None):
            raise ValueError("exactly one of context and text must be given")
        return self


class Place(BaseModel):
    """Where something stands, half-open."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Quote(BaseModel):
    """One answer."""

    text: str = Field(description="Exactly the characters of the context from span.start to span.end.")
    span: Place = Field(description="Its place in code points, as Python counts.")
    utf16: Place = Field(description="Its place in UTF-16 units, as JavaScript, Java and C# count.")
    score: float | None = Field(description="Sum of its start and end logits.")
    probability: float | None = Field(description="Probability that this answer is right; 0 to 1.")
    window: int = Field(description="Which window of its context gave the score.")
    context: int = Field(description="Which of the contexts it quotes, from 0.")
    page: int | None = Field(
        None, description="The page it starts on, from 1, where the text came from a file of pages."
    )


class Timing(BaseModel):
    """Where the time went, in milliseconds."""

    queue_ms: float = Field(description="Waiting for the engine.")
    compute_ms: float = Field(description="In the engine, from its first window to its last.")
    total_ms: float = Field(description="From the whole body to the answer.")


class ReaderName(BaseModel):
    """Which reader answered."""

    name: str
    hash: str = Field(description="Changes whenever an answer might: SHA-256 of its files, shortened.")


class Result(BaseModel):
    """All that is said about one question."""

    answers: list[Quote] = Field(description="Best first; what they would be even where there is no answer.")
    no_answer: bool = Field(description="Whether the reader abstains.")
    reason: str | None = Field(description="Why there is no answer, in a sentence.")
    null_score: float | None = Field(description="Score of no answer; null where nothing was read.")


class AnswerResponse(Result):
    """The answers to one question."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "answers": [
                        {
                            "text": "A gull",
                            "span": {"start": 0, "end": 6},
                            "utf16": {"start": 0, "end": 6},
                            "score": 9.41,
                            "probability": 0.83,
                            "window": 0,
                            "context": 0,
                            "page": None,
                        }
                    ],
                    "no_answer": False,
                    "reason": None,
                    "null_score": -3.2,
                    "timing": {"queue_ms": 0.2, "compute_ms": 9.1, "total_ms": 10.4},
                    "reader": {"name": "shipped", "hash": "3f9a1c22b07d"},
                }
            ]
        }
    )

    timing: Timing
    reader: ReaderName


class RowResult(BaseModel):
    """One row's answers, or its error."""

    index: int
    id: str | None = None
    result: Result | None = None
    error: Problem | None = None


class AnswersResponse(BaseModel):
    """The rows in their order."""

    results: list[RowResult]
    timing: Timing
    reader: ReaderName


class TextFacts(BaseModel):
    """What is kept of a text."""

    handle: str = Field(description="SHA-256 of the text; give it as `text` to /v1/answer.", examples=[HANDLE])
    characters: int = Field(description="Its length in code points.")
    pages: list[Place] | None = Field(default=None, description="Each page's place in code points; null without pages.")
    expires_in_s: float = Field(
        description="Forgotten after so many seconds without a question, or earlier if space runs out."
    )


class TextResponse(TextFacts):
    """A text that is kept now."""

    text: str | None = Field(default=None, description="What was read from the file; null where the text came as JSON.")


class StoredText(TextFacts):
    """A text that was kept."""

    text: str


class ExplainedQuote(Quote):
    """One answer, and the tokens of its window that it comes from."""

    first_token: int = Field(description="Which token of its window starts it; its start logit is half of the score.")
    last_token: int = Field(description="Which token ends it, itself included; its end logit is the other half.")


class LostQuote(BaseModel):
    """A start and an end with a better score than the last answer, which are no answer all the same."""

    text: str
    why: str = Field(description="Why it lost, in a sentence.")
    score: float | None
    window: int
    first_token: int
    last_token: int


class ExplainedWindow(BaseModel):
    """One window, its tokens in columns of equal length."""

    index: int
    span: Place = Field(description="The part of the context that it holds, in code points.")
    tokens: list[str] = Field(description="As the vocabulary writes them.")
    offsets: list[tuple[int, int]] = Field(description="Code points of each token in the context; 0, 0 outside it.")
    in_context: list[bool] = Field(description="Whether the token is one of the context's.")
    start_logits: list[float | None]
    end_logits: list[float | None]
    cls: int = Field(description="Which token is CLS, whose two logits add up to the null score.")
    null_score: float | None = Field(description="This window's score of no answer.")


class ExplainResponse(BaseModel):
    """How an answer came about."""

    answers: list[ExplainedQuote] = Field(description="Best first.")
    no_answer: bool
    reason: str | None
    null_score: float | None
    null_probability: float | None = Field(description="Probability that the text does not answer.")
    lost: list[LostQuote] = Field(description="The best pairs of tokens that lost, best first.")
    windows: list[ExplainedWindow]
    timing: Timing
    reader: ReaderName


class LimitsResponse(BaseModel):
    """What is refused above."""

    body_bytes: int
    context_characters: int
    question_characters: int
    explain_characters: int
    file_bytes: int
    contexts: int
    rows: int
    deadline_s: float


class ReaderResponse(ReaderName):
    """Which reader answers here, and how."""

    version: str = Field(description="Of Quoth.")
    engine: str
    precision: str
    max_tokens: int = Field(description="Longest window, in tokens.")
    overlap: int = Field(description="Tokens of the context that neighbouring windows share.")
    max_answer_tokens: int
    null_threshold: float | Literal["never"] = Field(description='Stored threshold, or "never": it never abstains.')
    null_bias: float = Field(description="Null odds at which no answer and the best answer are equally probable.")
    temperature: float
    null_temperature: float = Field(description="Divides null odds above the null bias.")
    odds_scale: float = Field(description="Factor from the odds of an answer's share to its odds of being right.")
    scores: dict[str, Any] = Field(description="As its quoth.json has them.")
    limits: LimitsResponse


class Health(BaseModel):
    """Whether it lives, or is ready."""

    status: Literal["ok", "starting", "stopping"]


class HostedInputs(BaseModel):
    """A question and its text, as Hugging Face's task names them."""

    model_config = ConfigDict(strict=True)

    question: str
    context: str


class HostedParameters(BaseModel):
    """The parameters of that task, with its defaults where they are null or left out; lengths in tokens."""

    model_config = ConfigDict(strict=True)

    top_k: int | None = Field(default=None, ge=1, le=100, description="How many answers to return at most; 1.")
    doc_stride: int | None = Field(default=None, ge=0, description="Overlap of neighbouring windows; 128.")
    max_answer_len: int | None = Field(default=None, ge=1, le=512, description="Longest answer; 15.")
    max_seq_len: int | None = Field(default=None, ge=1, description="Longest window; 384, or what the reader can take.")
    max_question_len: int | None = Field(default=None, ge=1, description="Longer questions are cut; 64.")
    handle_impossible_answer: bool | None = Field(default=None, description="Whether an answer may be empty; false.")
    align_to_words: bool | None = Field(default=None, description="Whether answers are widened to whole words; true.")


class HostedRequest(BaseModel):
    """Hugging Face's hosted question answering."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [{"inputs": {"question": QUESTION, "context": TEXT}, "parameters": {"top_k": 2}}]
        },
    )

    inputs: HostedInputs
    parameters: HostedParameters | None = None


class HostedAnswer(BaseModel):
    """One answer of that task."""

    answer: str
    score: float
    start: int
    end: int
