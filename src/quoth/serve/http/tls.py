"""TLS: the server's certificate, and handshakes that count as open connections.

asyncio's own servers create no connection before the handshake is complete, so clients that never start one would
neither be counted nor closed for others.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quoth.serve.http.protocol import BoundedProtocol, Connections

_LOG = logging.getLogger("quoth.serve")
# Maximum size of the data that a client may send right after its handshake, before it is passed on, in bytes.
_EARLY_BYTES = 65_536


def tls_context(certificate: str, key: str | None) -> ssl.SSLContext:
    """Return the context of a server.

    Args:
        certificate: File with the certificate chain.
        key: File with the private key, if the first one does not contain it.

    Raises:
        OSError: If a file cannot be read; ``ssl.SSLError`` if the files do not fit or the key needs a password, which
            OpenSSL would otherwise ask for on the terminal.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key, password="")
    return context


class Handshake(asyncio.Protocol):
    """A new connection until its TLS handshake is complete; then ``protocol`` takes it over."""

    def __init__(self, protocol: BoundedProtocol, limits: Connections, context: ssl.SSLContext) -> None:
        self._protocol, self._limits, self._context = protocol, limits, context
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._early = bytearray()
        self._is_counted = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and start the handshake."""
        self._transport = transport
        self._is_counted = True
        self._protocol.connections.add(self)  # type: ignore[arg-type]
        self._limits.opened(self)
        if not transport.is_closing():
            # start_tls resumes it; until then, the first bytes of the handshake must stay in the socket. uvloop reads
            # them nevertheless, so this class needs the event loop of asyncio.
            transport.pause_reading()
            self._task = asyncio.get_running_loop().create_task(self._shake(transport))

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting the connection."""
        self._uncount()

    def data_received(self, data: bytes) -> None:
        """Keep what arrives between the end of the handshake and the start of the HTTP protocol."""
        self._early += data
        if len(self._early) > _EARLY_BYTES:
            self.end()

    def end(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.abort()

    def shutdown(self) -> None:
        """Close the connection, because the server ends; uvicorn calls it, as for its own protocols."""
        self.end()

    async def _shake(self, transport: asyncio.Transport) -> None:
        """Complete the handshake within the time limit for headers, and hand the connection over."""
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(
                transport, self, self._context, server_side=True, ssl_handshake_timeout=self._limits.read_s
            )
        except OSError as error:  # also ssl.SSLError, and the errors of time limits and lost connections
            _LOG.debug("TLS handshake failed: %s", type(error).__name__)
            secured = None
        self._uncount()
        if secured is None or secured.is_closing():
            transport.abort()
            return
        secured.set_protocol(self._protocol)
        self._protocol.connection_made(secured)
        if self._early:
            self._protocol.data_received(bytes(self._early))

    def _uncount(self) -> None:
        if self._is_counted:
            self._is_counted = False
            self._protocol.connections.discard(self)
            self._limits.closed(self)
