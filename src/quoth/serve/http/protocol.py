"""HTTP over one connection, as uvicorn speaks it, with one thing added: headers must come within a time."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Longest head of a request, its first line and all headers, in bytes.
_HEAD_BYTES = 32_768


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection that sends no whole head in time, or one that is too long.

    uvicorn itself waits for ever: some thousand connections that send a byte now and then would take every place.
    """

    def __init__(self, *arguments: Any, read_s: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._read_s = read_s
        self._head: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first head."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes in, as long as a head is not too long."""
        # Counted in what arrives before the head is whole; a body that comes with it counts too, but no more.
        if self._head is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES and b"\r\n\r\n" not in data:
                self.send_400_response(f"The head of a request must be at most {_HEAD_BYTES} bytes.")
                return
        elif self.cycle is not None and self.cycle.response_complete:
            self._await_head()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Go on to the body, which has a time of its own."""
        self._head_is_here()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._head_is_here()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head = self.loop.call_later(self._read_s, self.timeout_keep_alive_handler)

    def _head_is_here(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None
