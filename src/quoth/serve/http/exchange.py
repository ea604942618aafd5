"""One request and its response: bounds on the body, common headers, and the end of the work when a client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
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
# A response is sent in pieces of at most this size, in bytes, each after the client has read most of the one before.
_PIECE = 65_536
# When a client may try again whose body had no room, in seconds.
_RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class BodyRules:
    """The bounds of one request's body.

    Attributes:
        most: Maximum size, in bytes.
        flag: The flag that sets it.
        budget: Shared with the bodies of other requests.
        reason: What is full if the budget is.
        read_s: Time limit for the whole body, in seconds.
    """

    most: int
    flag: str
    budget: Budget
    reason: str
    read_s: float

    def too_large(self) -> ApiError:
        """Return the error for a body that is larger than the maximum."""
        return too_large("bytes of the body", self.most, None, self.flag, "body")

    def no_room(self) -> ApiError:
        """Return the error for a body without room in the budget."""
        return overloaded(
            f"the bodies of all requests may have at most {self.budget.most:,} bytes together", _RETRY_S, self.reason
        )

    def refusal(self, length: str) -> ApiError | None:
        """Return the error for a Content-Length, if any."""
        if not length.isdecimal():
            return None
        if int(length) > self.most:
            return self.too_large()
        return None if self.budget.has_room(int(length)) else self.no_room()


class Exchange:
    """One request and its response.

    Attributes:
        status: The status of the response; "gone" if the client left before.
        received: Size of the request's body so far, in bytes.
        sent: Size of the response's body so far, in bytes.
        has_body: Whether the request has a body.
        complete: Called once, when the body is complete; may raise an ApiError to refuse the request.
        answered: Called once, when the response is sent but for its last byte, or the client has left.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, rules: BodyRules, headers: Mapping[str, str]
    ) -> None:
        self.status = "gone"
        self.sent = 0
        self.complete: Callable[[], None] = _nothing
        self.answered: Callable[[], None] = _nothing
        self._scope = scope
        self._receive = receive
        self._send = send
        self._rules = rules
        self._headers = headers
        self.received = 0
        self._held = 0
        given = Headers(scope=scope)
        self._is_unread = self.has_body = given.get("content-length", "0") != "0" or "transfer-encoding" in given
        self._read_by = asyncio.get_running_loop().time() + rules.read_s
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
            self._end_work()

    def _end_work(self) -> None:
        """Give everything back that only the work on the response needed."""
        self._rules.budget.give_back(self._held)
        self._held = 0
        answered, self.answered = self.answered, _nothing
        answered()

    async def _bounded_receive(self) -> Message:
        """Receive the body; raise if it is too large or too slow, or if there is no room for it."""
        if self._whole.is_set():
            # The body is complete. _departure ends this wait if the client disconnects.
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
            self._whole.set()
            return message
        size = len(message.get("body", b""))
        self.received += size
        if self.received > self._rules.most:
            raise self._rules.too_large()
        if not self._rules.budget.take(size):
            raise self._rules.no_room()
        self._held += size
        if not message.get("more_body"):
            self._is_unread = False
            self._whole.set()
            self.complete()
        return message

    async def _departure(self) -> None:
        """Return when the client has disconnected."""
        await self._whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _marking_send(self, message: Message) -> None:
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
        for start in range(0, max(0, len(body) - _PIECE), _PIECE):
            await self._send({"type": "http.response.body", "body": body[start : start + _PIECE], "more_body": True})
        rest = body[max(0, (len(body) - 1) // _PIECE * _PIECE) :]
        if self._is_unread and not more:
            # If the connection were closed now, a client that is still sending would not receive the response.
            await self._send({"type": "http.response.body", "body": rest, "more_body": True})
            self._end_work()
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
