"""Hugging Face's hosted question answering, with the names of its fields."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from quoth.serve.http.schema.common import QUESTION, TEXT


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
