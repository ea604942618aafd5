"""How whatever is raised while a request is handled becomes a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from quoth.errors import QuothError
from quoth.serve.errors import ApiError, of_quoth

M = TypeVar("M", bound=BaseModel)

# A refusal lists no more problems of one request than these.
_SHOWN = 10


async def refuse(request: Request, error: Exception) -> JSONResponse:
    """Answer with an error that was raised on purpose."""
    if isinstance(error, ApiError):
        return error.response()
    if isinstance(error, QuothError):
        return of_quoth(error).response()
    if isinstance(error, RequestValidationError):
        return of_fields(error.errors()).response()
    assert isinstance(error, HTTPException)
    code, hint = _PLAIN.get(error.status_code, ("refused", "See /docs for what can be asked."))
    refused = ApiError(error.status_code, code, str(error.detail), hint)
    refused.headers = error.headers
    return refused.response()


async def failed(request: Request, error: Exception) -> JSONResponse:
    """Answer where something broke that should not."""
    return ApiError(
        500, "internal_error", "something broke here", "It is not your request's fault; tell who runs this server."
    ).response()


_PLAIN = {
    400: ("bad_request", "See /docs for what can be asked."),
    404: ("not_found", "See /docs for the paths that there are."),
    405: ("method_not_allowed", "See /docs for the methods that there are."),
}


def checked(model: type[M], document: Any, where: str = "body") -> M:
    """Check a part of a request.

    Raises:
        ApiError: If a field is not what it must be.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise of_fields([{**item, "loc": (where, *item["loc"])} for item in error.errors()]) from None


def of_fields(errors: Sequence[Mapping[str, Any]]) -> ApiError:
    """Name every field that is wrong, as pydantic lists them; never what it holds."""
    found = [(".".join(map(str, item["loc"])), str(item["msg"]).removeprefix("Value error, ")) for item in errors]
    message = "; ".join(f"{where}: {what}" for where, what in found[:_SHOWN])
    if len(found) > _SHOWN:
        message += f"; and {len(found) - _SHOWN} more"
    return ApiError(422, "bad_field", message, "See /docs for what each field may be.", found[0][0])
