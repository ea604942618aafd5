"""Runs the server: a socket, one or several workers, and a graceful shutdown.

The supervisor of several workers imports neither the reader nor the application, so that it stays small.
"""

from __future__ import annotations

import logging
import logging.config
import multiprocessing
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from quoth.errors import ConfigError, QuothError, ReaderError, reason_of
from quoth.serve.http.tls import tls_context
from quoth.serve.logs import log_config
from quoth.serve.settings import ServeSettings
from quoth.serve.store import store_folder
from quoth.serve.worker import Application, Protocols

_LOG = logging.getLogger("quoth.serve")
# Backlog of connections in the operating system.
_BACKLOG = 2048
# Size of the send buffer of a connection in the operating system, which by default grows to megabytes, in bytes.
_SEND_BUFFER = 65_536
# On shutdown, accepted requests are answered first: their deadline, plus some seconds to send the response.
_GRACE_S = 5
# Files that a process opens besides its connections: libraries, parsers, uploads, a corpus.
_FILES = 200
# A worker that is unresponsive for this long is replaced. Loading a reader on a busy machine takes some seconds.
_HEALTH_S = 60
# Users and groups that may connect to a Unix socket: this user and its group.
_SOCKET_MODE = 0o660


def serve(
    source: str | None, settings: ServeSettings, notify: Callable[[str], None], also: tuple[tuple[str, str], ...] = ()
) -> None:
    """Serve until a signal stops the server.

    Args:
        source: The reader; the shipped one if ``None``.
        settings: The address and the limits.
        notify: Called with warnings, and with the URL when connections are accepted.
        also: Names and sources of further readers.

    Raises:
        ConfigError: If the address cannot be used.
        ReaderError: If a reader cannot be loaded, or cannot answer.
    """
    _check_certificate(settings)
    settings = fit_to_file_limit(settings, notify)
    with store_folder() as store:
        application = Application(source, settings, store, also)
        if settings.workers > 1:
            _check_loading(application)
            config = server_config(application, settings)
            with _listening(settings) as listener:
                notify(f"Listening on {_url(settings, listener)}")
                supervisor = _Supervisor(config, [listener])
                supervisor.run()
                if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
                    raise _cannot_answer()
        else:
            config = server_config(application(), settings)
            with _listening(settings) as listener:
                notify(f"Listening on {_url(settings, listener)}")
                try:
                    uvicorn.Server(config).run([listener])
                except SystemExit as end:
                    if end.code == STARTUP_FAILURE:
                        raise _cannot_answer() from None
                    raise


def _cannot_answer() -> ReaderError:
    """Return the error for a server, or a worker, whose start-up failed. It has logged the cause."""
    return ReaderError(
        "the readers must answer a question before the server accepts requests, but one failed; see the error above"
    )


def server_config(app: Any, settings: ServeSettings) -> uvicorn.Config:
    """Return uvicorn's configuration for an application, or for an :class:`Application` that runs in each worker."""
    return uvicorn.Config(
        app,
        factory=isinstance(app, Application),
        http=Protocols(settings),  # type: ignore[arg-type]
        ws="none",
        # uvloop reads before a TLS handshake can start: see quoth.serve.http.tls.
        loop="auto" if settings.tls_certificate is None else "asyncio",
        workers=settings.workers,
        backlog=_BACKLOG,
        root_path=settings.root_path,
        timeout_worker_healthcheck=_HEALTH_S,
        timeout_graceful_shutdown=int(settings.deadline_s) + _GRACE_S,
        log_config=log_config(settings.log_level, settings.log_format),
        access_log=False,
        server_header=False,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies,
    )


class _Supervisor(Multiprocess):
    """Starts workers, and replaces ended ones. On SIGHUP, replaces each worker once its successor is ready."""

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have ended, and log it."""
        before = list(self.processes)
        super().keep_subprocess_alive()
        for old, new in zip(before, self.processes, strict=True):
            if new is not old:
                code = old.exitcode
                how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
                _LOG.error("worker %s %s and was replaced by worker %s", old.pid, how, new.pid)


def _check_certificate(settings: ServeSettings) -> None:
    """Load the certificate and its key before the server listens, so that errors are raised here."""
    if settings.tls_certificate is None:
        return
    try:
        tls_context(settings.tls_certificate, settings.tls_key)
    except OSError as error:
        if isinstance(error, ssl.SSLError):
            reason = (error.reason or "they are not PEM, or the key needs a password").lower().replace("_", " ")
        else:
            reason = reason_of(error)
        files = settings.tls_certificate + (f" --tls-key {settings.tls_key}" if settings.tls_key else "")
        raise ConfigError(
            f"--tls-certificate {files}: must be PEM files of a certificate and its private key without a password, "
            f"but: {reason}"
        ) from error


def _check_loading(application: Application) -> None:
    """Load the readers once in another process, so that errors are raised here instead of logged by each worker."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_try_loading, args=(application, theirs))
    process.start()
    theirs.close()
    try:
        error = ours.recv()
    except EOFError:
        error = ConfigError("the reader cannot be loaded: the loading process ended without an error (out of memory?)")
    process.join()
    if error is not None:
        raise error


def _try_loading(application: Application, pipe: Connection) -> None:
    try:
        application()
    except QuothError as error:
        pipe.send(error)
    else:
        pipe.send(None)


def fit_to_file_limit(settings: ServeSettings, notify: Callable[[str], None]) -> ServeSettings:
    """Raise this process's limit on open files if possible, and reduce the number of connections to it if necessary.

    Args:
        settings: The settings.
        notify: Called with a warning if the number of connections is reduced.

    Raises:
        ConfigError: If the limit leaves no file for a connection.
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
    notify(
        f"at most {fewer:,} connections instead of {settings.connections:,}, because this process may open only "
        f"{soft:,} files. Raise the limit (ulimit -n {wanted}), or lower --connections"
    )
    return replace(settings, connections=fewer, requests=min(settings.requests, max(1, fewer // 2)))


@contextmanager
def _listening(settings: ServeSettings) -> Iterator[socket.socket]:
    """Listen on the address or the Unix socket; remove the Unix socket at the end."""
    with _unix_socket(Path(settings.unix_socket)) if settings.unix_socket else _tcp_socket(settings) as listener:
        # Accepted connections inherit it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        listener.listen(_BACKLOG)
        listener.set_inheritable(True)
        try:
            yield listener
        finally:
            if settings.unix_socket:
                with suppress(FileNotFoundError):
                    Path(settings.unix_socket).unlink()


def _tcp_socket(settings: ServeSettings) -> socket.socket:
    with ExitStack() as on_error:
        try:
            family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
            listener = on_error.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((settings.host, settings.port))
        except (OSError, UnicodeError) as error:  # UnicodeError: an invalid host name, such as ".x"
            what = reason_of(error) if isinstance(error, OSError) else "this is not a valid host name"
            raise ConfigError(
                f"--host {settings.host} --port {settings.port}: must be a free address of this machine, but: "
                f"{what}. Choose another with --host or --port"
            ) from error
        on_error.pop_all()
    return listener


def _unix_socket(path: Path) -> socket.socket:
    """Return a bound Unix socket. An existing one on which no process listens is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _answers(path):
            path.unlink()
        listener.bind(str(path))
        path.chmod(_SOCKET_MODE)
    except OSError as error:
        listener.close()
        what = reason_of(error)
        raise ConfigError(
            f"--unix-socket {path}: must be a free path in a writable folder, but: {what}. Choose another"
        ) from error
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
        try:
            tried.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def _url(settings: ServeSettings, listener: socket.socket) -> str:
    if settings.unix_socket:
        return f"unix:{settings.unix_socket}"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "https" if settings.tls_certificate else "http"
    return f"{scheme}://{host}:{listener.getsockname()[1]}{settings.root_path}"
