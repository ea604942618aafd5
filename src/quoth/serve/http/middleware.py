"""Middleware of every endpoint: access control, the limit of concurrent requests, metrics, traces and the access log.

It is pure ASGI, so that requests can be rejected before their body is read, or during it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from uuid import uuid4

from starlette.datastructures import Headers

from quoth.serve.budget import Budget
from quoth.serve.errors import ApiError, overloaded
from quoth.serve.http.access import Access, is_open, local_path
from quoth.serve.http.exchange import App, BodyRules, Exchange, Receive, Scope, Send
from quoth.serve.logs import ACCESS, REQUEST_ID
from quoth.serve.metrics import Metrics
from quoth.serve.settings import ServeSettings
from quoth.serve.tracing import Tracing

# Browsers must not run or load anything from an API response.
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
# Request ids that are accepted from clients.
_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)
# Metrics have a label for each of these paths, and one for all others, so that clients cannot create labels.
_ENDPOINTS = frozenset(
    (
        *("/", "/v1/answer", "/v1/answers", "/v1/texts", "/v1/explain", "/v1/verify", "/v1/reader"),
        *("/v1/reader/reload", "/v1/jobs"),
        *("/v1/corpus/answer", "/v1/corpus/verify", "/v1/corpus/search", "/v1/corpus/documents"),
        *("/metrics", "/healthz", "/readyz"),
    )
)


# Paths that take files.
_UPLOADS = ("/v1/texts", "/v1/corpus/documents")


class Guard:
    """ASGI middleware around the application.

    The number of slots limits concurrent requests. A request takes a slot when its body is complete, if it is allowed
    and needs the reader or a stored text. Rejections, the page, the documentation, health checks and metrics need no
    slot, so they are always answered.
    """

    def __init__(
        self, app: App, settings: ServeSettings, access: Access, metrics: Metrics,
        headers: Callable[[], dict[str, str]],
        tracing: Tracing, wrap: Callable[[App], App] = lambda app: app,
    ) -> None:  # fmt: skip
        """Wrap an application.

        Args:
            app: The application.
            settings: The limits.
            access: Checks whether a request is allowed.
            metrics: The metrics that count requests.
            headers: Returns headers of every response.
            tracing: Records each request.
            wrap: Adds CORS headers to rejections. The application must have been wrapped with it already.
        """
        self.app = app
        self._settings = settings
        self._access = access
        self._metrics = metrics
        self._wrap = wrap
        self._tracing = tracing
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": _API_POLICY,
        }
        self._more_headers = headers
        self._slots_taken = 0
        self._bodies, self._uploads = Budget(settings.bodies_bytes), Budget(settings.uploads_bytes)
        metrics.watch("quoth_requests_held", "Concurrent requests.", lambda: self._slots_taken)
        metrics.watch("quoth_bodies_bytes", "Size of all JSON bodies that are held.", lambda: self._bodies.held)
        metrics.watch("quoth_uploads_bytes", "Size of all uploaded files that are held.", lambda: self._uploads.held)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id", ""))
        REQUEST_ID.set(request_id)
        rules = self._rules(scope)
        exchange = Exchange(
            scope, receive, send, rules, {**self._headers, **self._more_headers(), "X-Request-ID": request_id}
        )
        began = time.perf_counter()
        refused = self._access.problem(scope)
        needs_slot = refused is None and not is_open(scope) and local_path(scope) != "/metrics"
        if needs_slot:
            refused = (
                _wrong_encoding(scope)
                or self._no_slot()
                or rules.length_error(Headers(scope=scope).get("content-length", ""))
            )
        endpoint, method = _endpoint(local_path(scope)), _method(scope)
        with self._tracing.request(f"{method} {endpoint}", Headers(scope=scope)) as span:
            try:
                if refused is not None:
                    scope["quoth.reason"] = refused.reason
                    await exchange.run(self._wrap(refused.response()))
                elif needs_slot:
                    await self._with_slot(exchange, scope)
                else:
                    await exchange.run(self.app)
            finally:
                self._count(scope, exchange, endpoint, method, time.perf_counter() - began)
                if span is not None:
                    status = int(exchange.status) if exchange.status.isdecimal() else 499
                    span.set_attributes({
                        "http.request.method": method, "http.route": endpoint, "http.response.status_code": status,
                        "quoth.request_id": request_id,
                    })  # fmt: skip

    async def _with_slot(self, exchange: Exchange, scope: Scope) -> None:
        connection = scope.get("quoth.connection")

        def release() -> None:
            self._slots_taken -= 1
            if connection is not None:
                connection.release()

        def take() -> None:
            if refused := self._no_slot():
                raise refused
            self._slots_taken += 1
            if connection is not None:
                connection.hold()
            exchange.on_answered = release

        # A request takes its slot after its body was received, so that slow clients cannot occupy all slots.
        if exchange.has_body:
            exchange.on_complete = take
        else:
            take()
        await exchange.run(self.app)

    def _no_slot(self) -> ApiError | None:
        if self._slots_taken < self._settings.requests:
            return None
        return overloaded(f"too many concurrent requests (limit {self._settings.requests:,})", 1.0, "requests")

    def _rules(self, scope: Scope) -> BodyRules:
        """Return the limits for a request's body."""
        settings = self._settings
        kind = Headers(scope=scope).get("content-type", "")
        if local_path(scope) in _UPLOADS and kind.startswith("multipart/form-data"):
            return BodyRules(settings.file_bytes, "file_bytes", self._uploads, "uploads", settings.read_s)
        return BodyRules(settings.body_bytes, "body_bytes", self._bodies, "bodies", settings.read_s)

    def _count(self, scope: Scope, exchange: Exchange, endpoint: str, method: str, seconds: float) -> None:
        self._metrics.request(endpoint, method, exchange.status, seconds)
        if reason := scope.get("quoth.reason"):
            self._metrics.refused(reason)
        if self._settings.access_log:
            client = scope.get("client") or ("unix",)
            facts = {
                "method": method, "endpoint": endpoint, "status": exchange.status, "seconds": round(seconds, 6),
                "received": exchange.received, "sent": exchange.sent, "client": client[0],
            }  # fmt: skip
            message = f"{method} {endpoint} {exchange.status} {1e3 * seconds:.1f} ms {exchange.sent} bytes"
            ACCESS.info(message, extra=facts)


def _wrong_encoding(scope: Scope) -> ApiError | None:
    """Return an error for a compressed body, which a few bytes could make very large."""
    encoding = Headers(scope=scope).get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return None
    return ApiError(
        415, "unknown_encoding", f"Content-Encoding must be identity, but is {encoding[:100]}",
        "Send the body uncompressed, without the header Content-Encoding.", "body",
    )  # fmt: skip


def _request_id(given: str) -> str:
    """Return the id that a client gave to its request, or a new one if that is unsafe for a log."""
    return given if _ID.fullmatch(given) else uuid4().hex


def _endpoint(path: str) -> str:
    if path in _ENDPOINTS:
        return path
    if path.startswith("/v1/jobs/"):
        return "/v1/jobs/{id}/results" if path.endswith("/results") else "/v1/jobs/{id}"
    kinds = {"/v1/texts/": "/v1/texts/{handle}", "/v1/corpus/documents/": "/v1/corpus/documents/{id}"}
    return next((kind for start, kind in kinds.items() if path.startswith(start)), "other")


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS", "DELETE") else "other"
