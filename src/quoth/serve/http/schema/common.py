"""Parts of several schemas: decoding settings, and the text to quote from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

QUESTION = "What flew into the glass?"
TEXT = "A gull 🐦 flew into the glass of the lighthouse on Tuesday."
HANDLE = "5f0e2c3a6f0f3b1d4f2f0a6bd3f6f8d7a1b2c3d4e5f60718293a4b5c6d7e8f90"

# A list of texts; only its first invalid item is an error, because there may be thousands.
Strings = Annotated[list[str], Field(fail_fast=True)]
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

    reader: str | None = Field(
        default=None, max_length=100, description="The name of the reader that answers; null: the default one."
    )
    top_k: TopK = 1
    null_threshold: NullThreshold = None
    max_answer_tokens: MaxAnswerTokens = None
    min_probability: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Abstain if the probability of the best answer is lower; instead of null_threshold.",
    )
    overlapping: bool = Field(default=False, description="Also return the variants of an answer as answers.")


class Source(Strict):
    """The text to quote from: exactly one of the three fields."""

    context: str | None = Field(default=None, description="The text.", examples=[TEXT])
    contexts: Strings | None = Field(
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
