"""Requests with questions: about one text or several, about many rows, and for an explanation."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from quoth.serve.http.schema.common import QUESTION, TEXT, Choice, Handle, Question, Source, Strict

# The schema of Row in the OpenAPI description. Rows are validated one by one, so pydantic does not add it.
ROW_SCHEMA = "#/components/schemas/Row"


class AnswerRequest(Choice, Source):
    """One question."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": QUESTION, "context": TEXT}]})

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
    rows: list[Annotated[Any, WithJsonSchema({"$ref": ROW_SCHEMA})]] | None = Field(
        default=None, min_length=1, description="Questions, each with its source and an id."
    )
    questions: list[Annotated[Any, WithJsonSchema({"type": "string"})]] | None = Field(
        default=None, min_length=1, description="Questions about the one source."
    )

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
