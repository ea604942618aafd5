"""Routes that parse JSON strictly, and routes that accept only JSON."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from quoth.serve.errors import ApiError


class StrictRequest(Request):
    """A request with strict JSON: no NaN, no excessive nesting, and only UTF-8."""

    async def json(self) -> Any:
        """Parse the body.

        Raises:
            ApiError: If it is not JSON.
        """
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ValueError as error:
            raise ApiError(
                400, "bad_json", f"the body must be JSON in UTF-8, but cannot be read: {error}",
                "JSON has no NaN, no infinity and no lone surrogates.", "body",
            ) from None  # fmt: skip


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
