"""Descriptions of the server and its readers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from quoth.serve.http.schema.answers import ReaderName


class LimitsResponse(BaseModel):
    """The limits of the server."""

    body_bytes: int
    context_characters: int
    question_characters: int
    explain_characters: int
    quote_characters: int
    file_bytes: int
    contexts: int
    rows: int
    deadline_s: float


class ReaderResponse(ReaderName):
    """The reader and its settings."""

    readers: list[str] = Field(description="The names of all readers; the first one answers unless another is named.")
    version: str = Field(description="Version of Quoth.")
    engine: str
    precision: str
    max_tokens: int = Field(description="Maximum length of a window, in tokens.")
    overlap: int = Field(description="Tokens of the context that neighbouring windows share.")
    max_answer_tokens: int
    null_threshold: float | Literal["never"] = Field(
        description='The stored threshold; "never": the reader never abstains.'
    )
    null_bias: float = Field(description="Null odds at which no answer and the best answer are equally probable.")
    temperature: float
    null_temperature: float = Field(description="Divides null odds above the null bias.")
    odds_scale: float = Field(description="Factor from the odds of an answer's share to its odds of being right.")
    scores: dict[str, Any] = Field(description="The scores in its quoth.json.")
    limits: LimitsResponse
    corpus: Literal["open", "read-only"] | None = Field(
        description="Whether there is a corpus, and whether files can be added to it."
    )


class Health(BaseModel):
    """Liveness or readiness."""

    status: Literal["ok", "stopping"]
