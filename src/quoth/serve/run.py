"""Runs the server: a socket, one or several workers, and a graceful shutdown."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import uvicorn
from uvicorn.supervisors import Multiprocess

from quoth.engines import usable_cores
from quoth.errors import ConfigError
from quoth.serve.http.app import create_app
from quoth.serve.http.identity import ServedReader
from quoth.serve.http.middleware import Guard
from quoth.serve.http.protocol import BoundedProtocol, Connections
from quoth.serve.settings import ServeSettings

# Backlog of connections in the operating system.
_BACKLOG = 2048
# On shutdown, accepted requests are answered first: their deadline, plus some seconds to send the response.
_GRACE_S = 5
# Files that a process opens besides its connections: libraries, parsers, uploads, a corpus.
_FILES = 200
# A worker that is unresponsive for this long is replaced. Loading a reader on a busy machine takes some seconds.
_HEALTH_S = 60


@dataclass(frozen=True, slots=True)
class _Application:
    """Creates the application in a worker process. Can be pickled."""

    source: str | None
    settings: ServeSettings

    def __call__(self) -> Guard:
        threads = self.settings.threads or max(1, usable_cores() // self.settings.workers)
        engine, precision = self.settings.engine, self.settings.precision
        reader = ServedReader.load(self.source, threads=threads, engine=engine, precision=precision)
        return create_app(reader, self.settings)


def serve(source: str | None, settings: ServeSettings, say: Callable[[str], None]) -> None:
    """Serve until a signal stops the server.

    Args:
        source: The reader; the shipped one if ``None``.
        settings: The address and the limits.
        say: Called with warnings, and with the URL when connections are accepted.

    Raises:
        ConfigError: If the address cannot be used.
        ReaderError: If the reader cannot be loaded.
    """
    settings = fitted(settings, say)
    make = _Application(source, settings)
    # Created here even if workers create their own, so that errors of the reader are raised here and not in their logs.
    app = make()
    config = server_config(app if settings.workers == 1 else make, settings)
    with _listen(settings) as sockets:
        say(f"Listening on {_url(settings, sockets)}")
        if settings.workers > 1:
            Multiprocess(config, [sockets]).run()
        else:
            uvicorn.Server(config).run([sockets])


def server_config(app: Guard | _Application, settings: ServeSettings) -> uvicorn.Config:
    """Return uvicorn's configuration for an application, or for a factory that runs in each worker."""
    limits = Connections(settings.connections, settings.read_s, settings.send_s)
    return uvicorn.Config(
        app,
        factory=isinstance(app, _Application),
        http=partial(BoundedProtocol, limits=limits),  # type: ignore[arg-type]
        ws="none",
        workers=settings.workers,
        backlog=_BACKLOG,
        timeout_worker_healthcheck=_HEALTH_S,
        timeout_graceful_shutdown=int(settings.deadline_s) + _GRACE_S,
        log_config=LOGGING,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


def fitted(settings: ServeSettings, say: Callable[[str], None]) -> ServeSettings:
    """Return the settings with as many connections as this process may open files, and raise that limit if possible.

    Args:
        settings: The settings.
        say: Called with a warning if there are fewer connections than the settings ask for.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return settings
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.connections + _FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return settings
    fewer = soft - _FILES
    if fewer < 1:
        raise ConfigError(
            f"this process may open {soft} files, but needs {_FILES} and one for each connection. Raise the limit: "
            "ulimit -n 4096"
        )
    say(
        f"at most {fewer:,} connections instead of {settings.connections:,}, because this process may open only "
        f"{soft:,} files. Raise the limit (ulimit -n {wanted}), or lower --connections"
    )
    return replace(settings, connections=fewer, requests=min(settings.requests, max(1, fewer // 2)))


def _listen(settings: ServeSettings) -> socket.socket:
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except (OSError, UnicodeError) as error:  # UnicodeError: an invalid host name, such as ".x"
        what = str(error.strerror or error).lower() if isinstance(error, OSError) else "this is not a valid host name"
        raise ConfigError(
            f"--host {settings.host} --port {settings.port}: must be a free address of this machine, but: "
            f"{what}. Choose another with --host or --port"
        ) from error
    listener.listen(_BACKLOG)
    listener.set_inheritable(True)
    return listener


def _url(settings: ServeSettings, listener: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"


class NoText(logging.Filter):
    """Keeps texts and questions out of the log: only the type and the code locations of an exception are logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten a record with an exception."""
        if record.exc_info and record.exc_info[0]:
            trace, places = record.exc_info[2], []
            while trace:
                places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
                trace = trace.tb_next
            record.msg = f"{record.msg} {record.exc_info[0].__name__} at {' < '.join(reversed(places[-8:]))}"
            record.exc_info = record.exc_text = None
        return True


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"no_text": {"()": NoText}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["no_text"]}},
    "loggers": {name: {"handlers": ["stderr"], "level": "WARNING"} for name in ("uvicorn", "asyncio")},
}
