"""A process that serves: it loads the reader and creates the application."""

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
    from quoth.serve.http.middleware import Guard
    from quoth.serve.http.protocol import BoundedProtocol, Connections


@dataclass(frozen=True, slots=True)
class Application:
    """Creates the application in the process that serves. Can be pickled, and imports nothing before it is called."""

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
            raise ConfigError(
                f"--also {first.name}=...: must have a name of its own, but the first reader has it already"
            )
        app = create_app(first, self.settings, self.store, also)
        leave_out_of_collections()
        return app


class Protocols:
    """Creates the protocol of each connection, with the bounds that all connections of a process share."""

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._limits: Connections | None = None

    def __call__(self, **named: Any) -> BoundedProtocol:
        """Return the protocol of a new connection."""
        from quoth.serve.http.protocol import BoundedProtocol, Connections

        if self._limits is None:
            self._limits = Connections(self._settings.connections, self._settings.read_s, self._settings.send_s)
        return BoundedProtocol(**named, limits=self._limits)


def leave_out_of_collections() -> None:
    """Let the garbage collector ignore what exists now: modules and readers.

    Otherwise a full collection would visit all of it, on whichever thread it begins, and hold the event loop meanwhile.
    """
    gc.collect()
    gc.freeze()


def end_with_parent() -> None:
    """In a worker, shut down when the supervisor has ended, even if it was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
