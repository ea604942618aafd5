"""uvicorn's HTTP protocol with a timeout and a size limit for headers."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Maximum size of the request line and all headers, in bytes.
_HEAD_BYTES = 32_768


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections that do not send complete headers in time, or whose headers are too large.

    uvicorn has no such timeout: about a thousand connections that send single bytes would use up all connections.
    """

    def __init__(self, *arguments: Any, read_s: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._read_s = read_s
        self._head: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timeout for the headers of the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Receive data; reject headers that are too large."""
        # Counts all data that arrives until the headers are complete, including the start of a body in the same packet.
        if self._head is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES and b"\r\n\r\n" not in data:
                self.send_400_response(f"The headers of a request must be at most {_HEAD_BYTES} bytes.")
                return
        elif self.cycle is not None and self.cycle.response_complete:
            self._await_head()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Continue with the body, which has its own timeout."""
        self._head_is_here()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timeout."""
        self._head_is_here()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head = self.loop.call_later(self._read_s, self.timeout_keep_alive_handler)

    def _head_is_here(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None
