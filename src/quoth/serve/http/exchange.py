"""One request and its response: limits for the body, common headers, and cancellation when a client disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

from quoth.serve.budget import Budget
from quoth.serve.errors import ApiError, overloaded, too_large

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# After a rejection, the rest of the body is read for this long, so that the client receives the error response.
_LINGER_S = 5.0
# A response is sent in pieces of at most this size, in bytes, each after the client has read most of the previous one.
_PIECE = 65_536
# Retry-After for a client whose body exceeded the budget of all bodies, in seconds.
_RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class BodyRules:
    """The limits for one request's body.

    Attributes:
        max_bytes: Maximum size, in bytes.
        flag: The flag that sets ``max_bytes``.
        budget: The limit for the bodies of all requests together.
        reason: Label of the metrics if the budget is exceeded.
        read_s: Time limit for the whole body, in seconds.
    """

    max_bytes: int
    flag: str
    budget: Budget
    reason: str
    read_s: float

    def too_large(self) -> ApiError:
        """Return the error for a body that is larger than the maximum."""
        return too_large("bytes of the body", self.max_bytes, None, self.flag, "body")

    def over_budget(self) -> ApiError:
        """Return the error for a body that exceeds the budget of all bodies."""
        return overloaded(
            f"the bodies of all requests may have at most {self.budget.limit:,} bytes together", _RETRY_S, self.reason
        )

    def length_error(self, length: str) -> ApiError | None:
        """Return the error for a Content-Length; ``None`` if it is allowed."""
        if not length.isdecimal():
            return None
        if int(length) > self.max_bytes:
            return self.too_large()
        return None if self.budget.fits(int(length)) else self.over_budget()


class Exchange:
    """One request and its response.

    Attributes:
        status: The status of the response; "gone" if the client disconnected before it.
        received: Size of the request's body so far, in bytes.
        sent: Size of the response's body so far, in bytes.
        has_body: Whether the request has a body.
        on_complete: Called once, when the body is complete; may raise an ApiError to reject the request.
        on_answered: Called once, when the response is complete and before its last part is sent, or when the client has
            disconnected. So a client that reads slowly holds no slot.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, rules: BodyRules, headers: Mapping[str, str]
    ) -> None:
        self.status = "gone"
        self.sent = 0
        self.on_complete: Callable[[], None] = _nothing
        self.on_answered: Callable[[], None] = _nothing
        self._scope = scope
        self._receive = receive
        self._send = send
        self._rules = rules
        self._headers = headers
        self.received = 0
        self._held = 0
        request = Headers(scope=scope)
        self._is_unread = self.has_body = request.get("content-length", "0") != "0" or "transfer-encoding" in request
        self._read_by = asyncio.get_running_loop().time() + rules.read_s
        self._body_complete = asyncio.Event()

    async def run(self, app: App) -> None:
        """Run the application until it has responded or the client has disconnected."""
        work = asyncio.ensure_future(app(self._scope, self._bounded_receive, self._send_response))
        leaving = asyncio.ensure_future(self._wait_for_disconnect())
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            for task in (work, leaving):
                task.cancel()
            await asyncio.wait({work, leaving})
            self._end_work()

    def _end_work(self) -> None:
        """Release what only the work on the response needed."""
        self._rules.budget.release(self._held)
        self._held = 0
        on_answered, self.on_answered = self.on_answered, _nothing
        on_answered()

    async def _bounded_receive(self) -> Message:
        """Receive a part of the body.

        Raises:
            ApiError: If the body is too large or too slow, or exceeds the budget of all bodies.
        """
        if self._body_complete.is_set():
            # The body is complete. _wait_for_disconnect ends this wait if the client disconnects.
            await asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout_at(self._read_by):
                message = await self._receive()
        except TimeoutError:
            raise ApiError(
                408, "too_slow", f"the body was not received within {self._rules.read_s:g} seconds",
                "Send it faster, or send less.",
            ) from None  # fmt: skip
        if message["type"] == "http.disconnect":
            self._body_complete.set()
            return message
        size = len(message.get("body", b""))
        self.received += size
        if self.received > self._rules.max_bytes:
            raise self._rules.too_large()
        if not self._rules.budget.reserve(size):
            raise self._rules.over_budget()
        self._held += size
        if not message.get("more_body"):
            self._is_unread = False
            self._body_complete.set()
            self.on_complete()
        return message

    async def _wait_for_disconnect(self) -> None:
        """Return when the client has disconnected."""
        await self._body_complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _send_response(self, message: Message) -> None:
        """Send the response with the common headers, a large body in pieces."""
        if message["type"] == "http.response.start":
            self.status = str(message["status"])
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            if self._is_unread:
                headers["Connection"] = "close"
            await self._send(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        self.sent += len(body)
        if not more:
            self._end_work()
        connection = self._scope.get("quoth.connection")
        with nullcontext() if connection is None or len(body) <= _PIECE else connection.sending(len(body)):
            await self._send_body(body, more)

    async def _send_body(self, body: bytes, more: bool) -> None:
        for start in range(0, max(0, len(body) - _PIECE), _PIECE):
            await self._send({"type": "http.response.body", "body": body[start : start + _PIECE], "more_body": True})
        rest = body[max(0, (len(body) - 1) // _PIECE * _PIECE) :]
        if self._is_unread and not more:
            # If the connection was closed now, a client that is still sending would not receive the response.
            await self._send({"type": "http.response.body", "body": rest, "more_body": True})
            await self._linger()
            rest = b""
        await self._send({"type": "http.response.body", "body": rest, "more_body": more})

    async def _linger(self) -> None:
        """Discard the rest of the body."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while (await self._receive()).get("more_body"):
                    pass


def _nothing() -> None:
    """Do nothing."""
