"""Errors of the API. All have the same schema, with a message and a hint."""

from __future__ import annotations

import math

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from quoth.errors import (
    CorpusError,
    DocumentError,
    DocumentKindError,
    DocumentTooLargeError,
    InputError,
    MissingExtraError,
    QuestionTooLongError,
    QuothError,
    TokenizerError,
)
from quoth.inputs import EMPTY_QUESTION


class Problem(BaseModel):
    """An error, and how to fix it."""

    code: str = Field(description="Stable code for programs.", examples=["text_not_found"])
    message: str = Field(description="What must be, and what is.")
    hint: str = Field(description="What to do.")
    where: str | None = Field(
        default=None, description="Path of the invalid part of the request.", examples=["body.contexts.1"]
    )


class ErrorResponse(BaseModel):
    """The schema of every error."""

    error: Problem


class ApiError(HTTPException):
    """An error response.

    Attributes:
        problem: The error that the client receives.
        reason: What is full, as a label of the metrics; "" if the server is not overloaded.
    """

    def __init__(
        self, status: int, code: str, message: str, hint: str, where: str | None = None, retry_s: float | None = None,
        reason: str = "",
    ) -> None:  # fmt: skip
        headers = None if retry_s is None else {"Retry-After": str(max(1, math.ceil(retry_s)))}
        super().__init__(status, message, headers)
        self.problem = Problem(code=code, message=message, hint=hint, where=where)
        self.reason = reason

    def response(self) -> JSONResponse:
        """Return the error as a response."""
        content = ErrorResponse(error=self.problem).model_dump(exclude_none=True)
        return JSONResponse(content, self.status_code, self.headers)


def too_large(what: str, limit: int, found: int | None, flag: str, where: str | None = None) -> ApiError:
    """Return the error for exceeding a limit; ``found`` is ``None`` if the value is unknown."""
    is_ = "is more" if found is None else f"is {found:,}"
    return ApiError(
        413, f"{flag}_limit", f"{what} must be at most {limit:,}, but {is_}",
        f"Send less, or ask the operator of this server to raise its limit ({flag}).", where,
    )  # fmt: skip


def question_empty(where: str | None) -> ApiError:
    """Return the error for a question without text."""
    return ApiError(422, "question_empty", f"the question {EMPTY_QUESTION}", "Ask a question.", where)


def overloaded(message: str, retry_s: float, reason: str) -> ApiError:
    """Return the error for a full queue, too many requests, or too many bytes in request bodies.

    Args:
        message: What is full.
        retry_s: When the client may try again, in seconds.
        reason: What is full in one word, as a label of the metrics.
    """
    return ApiError(
        503, "overloaded", message, "Retry after the number of seconds in the Retry-After header.", retry_s=retry_s,
        reason=reason,
    )  # fmt: skip


def api_error(error: QuothError, where: str | None = None) -> ApiError:
    """Return the API error for an exception of the library. Details of server errors are not exposed."""
    if isinstance(error, QuestionTooLongError):
        return ApiError(
            422, "question_too_long", "the question is too long: a window must also fit tokens of the context",
            "Shorten the question.", where,
        )  # fmt: skip
    if isinstance(error, DocumentKindError):
        return ApiError(
            415, "unknown_kind_of_file", str(error), "Save it in one of these formats, or paste its text.", where
        )
    if isinstance(error, DocumentTooLargeError):
        return ApiError(413, "file_too_large", str(error), "Send a smaller file.", where)
    if isinstance(error, DocumentError):
        return ApiError(422, "unreadable_file", str(error), "Repair the file, or paste its text.", where)
    if isinstance(error, MissingExtraError):
        return ApiError(501, "not_installed", str(error), "Contact the administrator of this server.", where)
    if isinstance(error, InputError):
        return ApiError(422, "bad_input", str(error), "Change the text that the message names.", where)
    if isinstance(error, TokenizerError):
        return ApiError(422, "unreadable_text", "the tokenizer failed on a text", "Use another text.", where)
    code, what = ("corpus_failed", "corpus") if isinstance(error, CorpusError) else ("reader_failed", "reader")
    return ApiError(
        500, code, f"the {what} failed", "Retry; if the error persists, contact the administrator of this server."
    )
