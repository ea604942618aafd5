"""Middleware of every endpoint: authentication, body size, timeouts, concurrency, and disconnected clients.

It is pure ASGI, so that requests can be rejected before or while their body is read.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

from quoth.serve.errors import ApiError, overloaded, too_large
from quoth.serve.metrics import Metrics
from quoth.serve.settings import ServeSettings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# Browsers must not run or load anything from an API response.
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
# Paths without authentication. Their responses contain nothing about requests of others.
_OPEN = ("/healthz", "/readyz", "/docs", "/openapi.json", "/page")
# Paths that are answered even under overload.
_WATCHERS = ("/healthz", "/readyz", "/metrics")
# Metrics have one label for each of these paths, and one for all others, so that clients cannot create labels.
_ENDPOINTS = frozenset(
    (
        *("/", "/v1/answer", "/v1/answers", "/v1/texts", "/v1/explain", "/v1/verify", "/v1/reader"),
        *("/v1/corpus/answer", "/v1/corpus/verify", "/v1/corpus/search", "/v1/corpus/documents"),
        *("/metrics", "/healthz", "/readyz"),
    )
)
# After a rejection, the rest of the body is read for this long, so that the client receives the error response.
_LINGER_S = 5.0


class Guard:
    """ASGI middleware around the application."""

    def __init__(self, app: App, settings: ServeSettings, metrics: Metrics, headers: dict[str, str]) -> None:
        """Wrap an application.

        Args:
            app: The application.
            settings: The limits.
            metrics: The metrics that count requests.
            headers: Headers of every response.
        """
        self.app = app
        self._settings = settings
        self._metrics = metrics
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": _API_POLICY,
            **headers,
        }
        self._held = 0
        metrics.watch("quoth_requests_held", "Concurrent requests.", lambda: self._held)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._settings, self._headers)
        began = time.perf_counter()
        held = scope["path"] not in _WATCHERS
        self._held += held
        try:
            refused = self._refusal(scope)
            if refused is None:
                await exchange.run(self.app)
            else:
                await exchange.run(refused.response())
        finally:
            self._held -= held
            endpoint = _endpoint(scope["path"])
            self._metrics.request(endpoint, _method(scope), exchange.status, time.perf_counter() - began)

    def _refusal(self, scope: MutableMapping[str, Any]) -> ApiError | None:
        """Return the error if the request must be rejected without reading it."""
        path: str = scope["path"]
        is_open = (
            path in _OPEN
            or path.startswith(("/docs/", "/page/"))
            or (path == "/" and scope["method"] in ("GET", "HEAD"))
        )
        headers = Headers(scope=scope)
        # Browsers send preflight requests without credentials.
        preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if self._settings.token is not None and not is_open and not preflight:
            given = headers.get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(given, f"Bearer {self._settings.token}".encode()):
                refused = ApiError(
                    401,
                    "unauthorized",
                    "the bearer token is missing or wrong",
                    "Send Authorization: Bearer TOKEN.",
                )
                refused.headers = {"WWW-Authenticate": "Bearer"}
                return refused
        if self._held > self._settings.requests and path not in _WATCHERS:
            return overloaded(f"too many concurrent requests (limit {self._settings.requests:,})", 1.0)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > body_limit(scope, self._settings):
            return _too_large(scope, self._settings)
        return None


class _Exchange:
    """One request and its response."""

    def __init__(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, settings: ServeSettings,
        headers: dict[str, str],
    ) -> None:  # fmt: skip
        self.status = "gone"
        self._scope = scope
        self._receive = receive
        self._send = send
        self._settings = settings
        self._headers = headers
        self._left = body_limit(scope, settings)
        given = Headers(scope=scope)
        self._is_unread = given.get("content-length", "0") != "0" or "transfer-encoding" in given
        self._read_by = asyncio.get_running_loop().time() + settings.read_s
        self._whole = asyncio.Event()

    async def run(self, app: App) -> None:
        """Run the application until it has responded or the client has disconnected."""
        work = asyncio.ensure_future(app(self._scope, self._bounded_receive, self._marking_send))
        leaving = asyncio.ensure_future(self._departure())
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            for task in (work, leaving):
                task.cancel()
            await asyncio.wait({work, leaving})

    async def _bounded_receive(self) -> Message:
        """Receive the body; raise if it is too large or too slow."""
        if self._whole.is_set():
            # The body is complete. _departure ends this wait if the client disconnects.
            await asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout_at(self._read_by):
                message = await self._receive()
        except TimeoutError:
            raise ApiError(
                408, "too_slow", f"the body was not received within {self._settings.read_s:g} seconds",
                "Send it faster, or send less.",
            ) from None  # fmt: skip
        if message["type"] == "http.disconnect":
            self._whole.set()
            return message
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _too_large(self._scope, self._settings)
        if not message.get("more_body"):
            self._is_unread = False
            self._whole.set()
        return message

    async def _departure(self) -> None:
        """Return when the client has disconnected."""
        await self._whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _marking_send(self, message: Message) -> None:
        """Send the response with the common headers."""
        if message["type"] == "http.response.start":
            self.status = str(message["status"])
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            if self._is_unread:
                headers["Connection"] = "close"
        elif self._is_unread and not message.get("more_body"):
            # If the connection were closed now, a client that is still sending would not receive the response.
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _linger(self) -> None:
        """Discard the rest of the body."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while (await self._receive()).get("more_body"):
                    pass


def body_limit(scope: MutableMapping[str, Any], settings: ServeSettings) -> int:
    """Return the maximum size of a request's body, in bytes."""
    return settings.file_bytes if _takes_files(scope) else settings.body_bytes


def _too_large(scope: MutableMapping[str, Any], settings: ServeSettings) -> ApiError:
    flag = "file_bytes" if _takes_files(scope) else "body_bytes"
    return too_large("bytes of the body", body_limit(scope, settings), None, flag, "body")


def _takes_files(scope: MutableMapping[str, Any]) -> bool:
    kind = Headers(scope=scope).get("content-type", "")
    return scope["path"] == "/v1/texts" and kind.startswith("multipart/form-data")


def _endpoint(path: str) -> str:
    if path in _ENDPOINTS:
        return path
    kinds = {"/v1/texts/": "/v1/texts/{handle}", "/v1/corpus/documents/": "/v1/corpus/documents/{id}"}
    return next((kind for start, kind in kinds.items() if path.startswith(start)), "other")


def _method(scope: MutableMapping[str, Any]) -> str:
    return scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other"
