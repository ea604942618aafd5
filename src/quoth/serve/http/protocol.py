"""uvicorn's HTTP protocol with limits for slow and abusive clients.

uvicorn limits neither the time for headers, nor the size of headers and trailers, nor the time that a client takes to
read a response. It also rejects new connections while old ones are idle.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from quoth import __version__
from quoth.serve.errors import ErrorResponse, Problem

# Maximum size of the request line and all headers, and of chunk sizes and trailers, in bytes.
_HEAD_BYTES = 32_768
# Maximum number of headers, because each needs far more memory and time than its bytes.
_HEADERS = 128
# Maximum number of pipelined requests of one connection.
_PIPELINED = 16
# How long a connection without a request stays open at shutdown, in seconds: its first request may be on its way.
_LAST_S = 1.0
_LOG = logging.getLogger("quoth.serve")
_SEE = "See /docs for valid requests."


class Closable(Protocol):
    """A connection that can be closed for another."""

    def end(self) -> None:
        """Close the connection."""


class Connections:
    """The open connections of one server. If there are too many, idle ones are closed.

    A connection whose request has a slot (see :class:`quoth.serve.http.middleware.Guard`) is never closed for another.
    The others are idle, in a TLS handshake, send headers, or receive a response that needs no slot.

    Args:
        limit: Maximum number of connections.
        read_s: Time limit for headers, in seconds.
        send_s: Time limit for a client to read what is buffered for it, in seconds.
        responses_bytes: Maximum size of all responses that are being sent. Beyond that, the connection that has been
            receiving its response for longest is closed.
    """

    def __init__(self, limit: int, read_s: float, send_s: float, responses_bytes: int) -> None:
        self.read_s = read_s
        self.send_s = send_s
        self._limit = limit
        self._responses_bytes = responses_bytes
        # The size of each response that is being sent, the oldest first.
        self._sending: dict[BoundedProtocol, int] = {}
        # Least recently used first; a dict keeps the order.
        self._closable: dict[Closable, None] = {}
        self._open = 0

    def opened(self, connection: Closable) -> None:
        """Add a connection; if there are too many now, close the one that has been idle for longest."""
        self._open += 1
        self._closable[connection] = None
        if self._open > self._limit:
            oldest = next(iter(self._closable))
            del self._closable[oldest]
            oldest.end()

    def closed(self, connection: Closable) -> None:
        """Remove a connection."""
        self._open -= 1
        self._closable.pop(connection, None)

    def hold(self, connection: BoundedProtocol) -> None:
        """Keep a connection open while its request has a slot."""
        self._closable.pop(connection, None)

    def release(self, connection: BoundedProtocol) -> None:
        """Undo :meth:`hold`. The connection is the most recently used one now."""
        if not connection.is_lost:
            self._closable[connection] = None

    @contextmanager
    def sending(self, connection: BoundedProtocol, size: int) -> Iterator[None]:
        """Count a response of ``size`` bytes within the block; close slow connections if all have too many bytes."""
        self._sending[connection] = size
        try:
            for slowest in list(self._sending):
                if slowest is connection or sum(self._sending.values()) <= self._responses_bytes:
                    break
                del self._sending[slowest]
                slowest.end()
            yield
        finally:
            self._sending.pop(connection, None)


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Rejects headers and trailers that are too large or slow, and clients that do not read."""

    def __init__(self, *arguments: Any, limits: Connections, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._head: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None
        # Bytes outside of bodies since the last body or the last complete headers.
        self._non_body_bytes = 0
        self._header_bytes = 0
        self._is_head = True
        # Parts of the body in the data that is being parsed.
        self._body: list[bytes] = []
        self._is_upgrade = False
        # Whether the server is shutting down, so that the next request is the last one.
        self._is_last = False
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timeout for the headers of the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._limits.opened(self)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timeouts."""
        if not self.is_lost:
            self.is_lost = True
            self._limits.closed(self)
        self._end_head_timeout()
        self._end_send_timeout()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive data; reject headers, chunk sizes or trailers that are too large."""
        if self._head is None and self.cycle is not None and self.cycle.response_complete:
            self._await_head()
        self._non_body_bytes += len(data)
        if self._is_head and self._non_body_bytes > _HEAD_BYTES and b"\r\n\r\n" not in data:
            self._refuse_head(f"the headers of a request must be at most {_HEAD_BYTES} bytes")
            return
        self._unset_keepalive_if_required()
        self._parse(data)
        self._end_parts()
        if not self._is_head and self._non_body_bytes > _HEAD_BYTES:
            self._refuse_head(f"trailers and chunk sizes must be at most {_HEAD_BYTES} bytes")

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            _LOG.debug("invalid HTTP: %s", type(error).__name__)
            self.send_400_response("")

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read a request that offers to change the protocol as if it did not, as HTTP allows.

        The parser would take the body of such a request for the next request.

        Args:
            rest: The data after the headers.
        """
        if self.transport.is_closing():
            return
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response("")
            return
        kept = [(name, value) for name, value in self.headers if name not in (b"upgrade", b"http2-settings")]
        lines = [name + b": " + value for name, value in kept if name != b"connection"]
        if any(b"close" in value.lower() for name, value in kept if name == b"connection"):
            lines.append(b"connection: close")
        version = self.parser.get_http_version().encode("ascii")
        first = b"%s %s HTTP/%s" % (method, self.url, version)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._parse(b"\r\n".join([first, *lines, b"", b""]) + rest)

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        self._is_head, self._header_bytes, self._is_upgrade = True, 0, False
        # Guard uses the connection to hold it while its request has a slot.
        self.scope["quoth.connection"] = self  # type: ignore[typeddict-unknown-key]

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; ignore trailers, which are not used."""
        if self._is_head:
            self._header_bytes += len(name) + len(value)
            if self._header_bytes <= _HEAD_BYTES and len(self.headers) <= _HEADERS:
                super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Continue with the body, which has its own timeout."""
        self._end_head_timeout()
        self._is_head, self._non_body_bytes = False, 0
        self._is_upgrade = self.parser.should_upgrade()
        if self.transport.is_closing():
            return
        if self._header_bytes > _HEAD_BYTES:
            self._refuse_head(f"the headers of a request must be at most {_HEAD_BYTES} bytes")
        elif len(self.headers) > _HEADERS:
            self._refuse_head(f"a request must have at most {_HEADERS} headers")
        elif len(self.pipeline) >= _PIPELINED:
            self._refuse(400, "bad_request", f"at most {_PIPELINED} requests may be sent before their responses")
        elif not self._is_upgrade:
            super().on_headers_complete()
            if self._is_last:
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Receive a part of the body. Parts are joined first, because a client may send millions of them."""
        self._non_body_bytes = 0
        self._body.append(body)

    def on_message_complete(self) -> None:
        """End the body."""
        self._end_parts()
        if not (self.transport.is_closing() or self._is_upgrade):
            super().on_message_complete()

    def _end_parts(self) -> None:
        """Pass the received parts of the body on."""
        if self._body and not self.transport.is_closing():
            super().on_body(b"".join(self._body))
        self._body.clear()

    def on_response_complete(self) -> None:
        """Give the client time to read the rest of the response."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._start_send_timeout()

    def shutdown(self) -> None:
        """Close the connection after its current request, or after one that has not been received completely yet."""
        is_idle = self.cycle is None or self.cycle.response_complete
        is_new = self.cycle is None or (self._is_head and self._non_body_bytes > 0)
        if is_idle and is_new:
            self._is_last = True
            self.loop.call_later(_LAST_S, super().shutdown)
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Give the client time to read what is buffered."""
        super().pause_writing()
        self._start_send_timeout()

    def resume_writing(self) -> None:
        """Continue to send."""
        self._end_send_timeout()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Reject what is not HTTP."""
        self._refuse(400, "bad_request", "the request must be HTTP/1.1, but cannot be read")

    def hold(self) -> None:
        """Keep this connection open while its request has a slot."""
        self._limits.hold(self)

    def release(self) -> None:
        """Allow this connection to be closed for another."""
        self._limits.release(self)

    def sending(self, size: int) -> AbstractContextManager[None]:
        """Return a context manager for sending a response of ``size`` bytes."""
        return self._limits.sending(self, size)

    def end(self) -> None:
        """Close the connection; data that the client has not read yet is lost."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was idle, or sent headers, for too long."""
        self.end()

    def _refuse_head(self, message: str) -> None:
        self._refuse(431, "head_too_large", message)

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Respond with an error and close the connection; during another response, only close it."""
        if self.transport.is_closing():
            return
        idle = self.cycle is None or self.cycle.response_complete
        if idle or not (self.pipeline or self.cycle.response_started):
            body = ErrorResponse(error=Problem(code=code, message=message, hint=_SEE)).model_dump_json(
                exclude_none=True
            )
            head = (
                "content-type: application/json\r\nx-content-type-options: nosniff\r\n"
                f"quoth-version: {__version__}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[status] + head.encode("ascii") + body.encode())
        self.transport.close()
        self._start_send_timeout()

    def _await_head(self) -> None:
        self._non_body_bytes, self._is_head = 0, True
        self._head = self.loop.call_later(self._limits.read_s, self.timeout_keep_alive_handler)

    def _end_head_timeout(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _start_send_timeout(self) -> None:
        if self._sending is None and not self.is_lost:
            self._sending = self.loop.call_later(self._limits.send_s, self._give_up)

    def _give_up(self) -> None:
        self._sending = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _end_send_timeout(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
