"""Requests to verify quotes, and their verdicts."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quoth.serve.http.schema.common import TEXT, Source, Strings


class VerifyRequest(Source):
    """Claimed quotes, and the texts in which they are searched."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"quotes": ["a gull flew"], "context": TEXT}]})

    quotes: str | list[Any] = Field(
        description="A text whose quotes in quotation marks are checked (the whole text if it has none); or a "
        'list of texts, of {"quote", "source"}, or of citation objects of hosted models.',
        examples=[f'It says "{TEXT[:6]} flew".'],
    )
    names: Strings | None = Field(
        default=None, description="The name of each context, to which the source of a quote may refer."
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
    whole_words: bool = Field(description="Whether it starts and ends at the boundary of a word or number.")


class ClosestPlace(QuotePlace):
    """The passage that is most similar to an absent quote."""

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
