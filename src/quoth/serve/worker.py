"""A serving process: loads the readers and creates the application."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quoth.errors import ConfigError
from quoth.serve.settings import ServeSettings

if TYPE_CHECKING:
    import ssl

    from quoth.serve.http.middleware import Guard
    from quoth.serve.http.protocol import BoundedProtocol, Connections
    from quoth.serve.http.tls import Handshake


@dataclass(frozen=True, slots=True)
class Application:
    """Creates the application in the serving process. Can be pickled; imports the heavy modules only when called.

    Attributes:
        source: The default reader; the shipped one if ``None``.
        settings: The settings.
        store: The database of stored texts.
        also: Names and sources of further readers.
    """

    source: str | None
    settings: ServeSettings
    store: Path
    also: tuple[tuple[str, str], ...] = ()

    def __call__(self) -> Guard:
        """Load the readers, and return the application.

        Raises:
            ReaderError: If a reader cannot be loaded.
            ConfigError: If two readers have the same name.
        """
        from quoth.engines import usable_cores
        from quoth.serve.http.app import create_app
        from quoth.serve.http.identity import ServedReader

        end_with_parent()
        threads = self.settings.threads or max(1, usable_cores() // self.settings.workers)
        engine, precision = self.settings.engine, self.settings.precision
        load = partial(ServedReader.load, threads=threads, engine=engine, precision=precision)
        also = {name: load(source) for name, source in self.also}
        first = load(self.source)
        if first.name in also:
            raise ConfigError(f"--also {first.name}=...: must have a unique name, but the default reader has the same")
        app = create_app(first, self.settings, self.store, also)
        freeze_garbage_collector()
        return app


class Protocols:
    """Creates the protocol of each connection, with the limits that all connections of a process share."""

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._limits: Connections | None = None
        self._tls: ssl.SSLContext | None = None

    def __call__(self, **named: Any) -> BoundedProtocol | Handshake:
        """Return the protocol of a new connection."""
        from quoth.serve.http.protocol import BoundedProtocol, Connections
        from quoth.serve.http.tls import Handshake, tls_context

        settings = self._settings
        if self._limits is None:
            self._limits = Connections(settings.connections, settings.read_s, settings.send_s, settings.responses_bytes)
            if settings.tls_certificate is not None:
                self._tls = tls_context(settings.tls_certificate, settings.tls_key)
        protocol = BoundedProtocol(**named, limits=self._limits)
        return protocol if self._tls is None else Handshake(protocol, self._limits, self._tls)


def freeze_garbage_collector() -> None:
    """Let the garbage collector ignore all current objects, which are modules and readers.

    Otherwise each full collection would visit them and block the event loop, because it holds the interpreter lock.
    """
    gc.collect()
    gc.freeze()


def end_with_parent() -> None:
    """In a worker, shut down when the supervisor ends, even if it was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
