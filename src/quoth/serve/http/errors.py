"""Exception handlers: convert exceptions to error responses."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from quoth.errors import QuothError
from quoth.serve.errors import ApiError, api_error, overloaded

M = TypeVar("M", bound=BaseModel)

_LOG = logging.getLogger("quoth.serve")
# Retry-After if the stored texts and jobs cannot be written, in seconds.
_RETRY_S = 10.0
# Maximum number of problems in one error message.
_SHOWN = 10


async def handle_expected(request: Request, error: Exception) -> JSONResponse:
    """Return the response for an expected error: of this API, of the library, of validation or of HTTP."""
    if isinstance(error, sqlite3.OperationalError):
        _LOG.error("cannot write the stored texts and jobs: %s", error.sqlite_errorname)
        error = overloaded("the server cannot store it: its disk is full or busy", _RETRY_S, "disk")
    if isinstance(error, ApiError):
        request.scope["quoth.reason"] = error.reason
        return error.response()
    if isinstance(error, QuothError):
        found = api_error(error)
        if found.status_code == 500:  # its response does not say why
            _LOG.error("a request failed:", exc_info=error)
        return found.response()
    if isinstance(error, RequestValidationError):
        return field_error(error.errors()).response()
    assert isinstance(error, HTTPException)
    code, hint = _HTTP_ERRORS.get(error.status_code, ("refused", "See /docs for valid requests."))
    rejection = ApiError(error.status_code, code, str(error.detail), hint)
    rejection.headers = error.headers
    return rejection.response()


async def handle_unexpected(request: Request, error: Exception) -> JSONResponse:
    """Return the response for an unexpected exception."""
    return ApiError(
        500,
        "internal_error",
        "an internal error occurred",
        "Your request is not the cause; contact the administrator of this server.",
    ).response()


# The codes and hints of HTTP errors that the framework raises.
_HTTP_ERRORS = {
    400: ("bad_request", "See /docs for valid requests."),
    404: ("not_found", "See /docs for the available paths."),
    405: ("method_not_allowed", "See /docs for the available methods."),
}


def validated(model: type[M], document: Any, where: str = "body") -> M:
    """Validate a part of a request.

    Raises:
        ApiError: If a field is invalid.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise field_error([{**item, "loc": (where, *item["loc"])} for item in error.errors()]) from None


def field_error(errors: Sequence[Mapping[str, Any]]) -> ApiError:
    """Return an error that lists the invalid fields, from pydantic's errors, without the values."""
    found = [(".".join(map(str, item["loc"])), str(item["msg"]).removeprefix("Value error, ")) for item in errors]
    message = "; ".join(f"{where}: {what}" for where, what in found[:_SHOWN])
    if len(found) > _SHOWN:
        message += f"; and {len(found) - _SHOWN} more"
    return ApiError(422, "bad_field", message, "See /docs for the valid values of each field.", found[0][0])
