"""Routes that parse JSON strictly, and routes that accept only JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from quoth.serve.errors import ApiError

# Larger bodies are parsed in a thread, in bytes.
_SMALL = 16_384
# Maximum numbers of values and of strings in a body. Each needs many times its bytes in memory, and time.
_VALUES, _STRINGS = 100_000, 200_000
# Maximum number of fields of an object. There is an error for each field that is unknown.
_FIELDS = 100


class StrictRequest(Request):
    """A request with strict JSON: no NaN, no excessive nesting, not too many values, and only UTF-8."""

    async def json(self) -> Any:
        """Parse the body.

        Raises:
            ApiError: If it is not JSON, or has too many values.
        """
        body = await self.body()
        return _parsed(body) if len(body) <= _SMALL else await asyncio.to_thread(_parsed, body)


def _parsed(body: bytes) -> Any:
    if len(body) > _SMALL:
        _check_numbers(body)
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ApiError(
            400, "bad_json", f"the body must be JSON in UTF-8, but cannot be read: {error}",
            "JSON has no NaN, no infinity and no lone surrogates.", "body",
        ) from None  # fmt: skip
    _check_fields(document)
    return document


def _check_numbers(body: bytes) -> None:
    """Raise if a body has too many values or strings, before they are created. Takes linear time for any bytes."""
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') <= 2 * _STRINGS:
        outside = b"".join(plain.split(b'"')[::2])
        if sum(map(outside.count, (b",", b"[", b"{"))) <= _VALUES:
            return
    raise ApiError(
        413, "json_limit", f"the body must have at most {_VALUES:,} values and {_STRINGS:,} strings, but has more",
        "Send less at once.", "body",
    )  # fmt: skip


def _check_fields(document: Any) -> None:
    """Raise if an object anywhere in a document has too many fields."""
    waiting = [document]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if len(found) > _FIELDS:
                raise ApiError(
                    422, "bad_field", f"an object must have at most {_FIELDS} fields, but one has {len(found):,}",
                    "See /docs for the fields.", "body",
                )  # fmt: skip
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found


class StrictRoute(APIRoute):
    """A route that parses JSON strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return handle


class JsonRoute(StrictRoute):
    """A route that accepts only JSON. By default, ``curl -d`` sends form data, which is rejected with a hint."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            must_be_json(request, "application/json", may_be_missing=not self.strict_content_type)
            response: Response = await handler(request)
            return response

        return handle


def must_be_json(request: Request, kinds: str, *, may_be_missing: bool = False) -> None:
    """Raise if the Content-Type of a request is not JSON.

    Args:
        request: The request.
        kinds: The accepted content types, for the error message.
        may_be_missing: Whether a request without Content-Type is accepted.

    Raises:
        ApiError: If it is another type.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    if not is_json and not (may_be_missing and not kind):
        raise ApiError(
            415, "unknown_kind_of_body", f"Content-Type must be {kinds}, but is {kind[:100] or 'missing'}",
            "Set the header Content-Type: application/json.", "body",
        )  # fmt: skip
