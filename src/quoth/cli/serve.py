"""``quoth serve``: an HTTP API and a web page for one reader."""

from __future__ import annotations

import inspect
import os
import signal
import sys
from typing import Any

import typer

from quoth.cli.console import note
from quoth.cli.flags import add_command, flags_of, parameter
from quoth.serve.settings import ServeSettings
from quoth.serve.tokens import token_of

app = typer.Typer(add_completion=False)

# Packages that the server itself needs; those for documents are imported when a file is uploaded.
_NEEDED = ("fastapi", "uvicorn", "httptools", "prometheus_client", "multipart", "fastapi_offline")


# Prefix of the environment variables for flags. Not QUOTH_, which Kubernetes uses for a service named quoth.
_ENVIRONMENT = "QUOTH_SERVE_"


def serve(**flags: Any) -> None:
    """Serve an HTTP API, and a web page that highlights answers in the text.

    Open the printed URL; /docs describes the API. If the environment variable QUOTH_TOKEN is set, requests need this
    token; --token-file allows several tokens. Each flag can also be set by an environment variable, such as
    QUOTH_SERVE_PORT for --port. On SIGTERM or Ctrl-C, the server rejects new requests, answers accepted ones, and ends.

    Example: [cyan]quoth serve --reader runs/1 --port 8000[/cyan]
    """
    from importlib.util import find_spec

    from quoth.errors import MissingExtraError

    if any(find_spec(name) is None for name in _NEEDED):
        raise MissingExtraError("quoth serve", "serve")
    from quoth.serve.run import serve as run

    reader, also = flags.pop("reader"), _named(flags.pop("also") or [])
    hosts, origins = (tuple(flags.pop(name) or ()) for name in ("allowed_host", "cors"))
    given = {name: value for name, value in flags.items() if value is not None}
    settings = ServeSettings(
        **given,
        allowed_host=hosts,
        cors=origins,
        token=token_of(os.environ, "QUOTH_TOKEN"),
        metrics_token=token_of(os.environ, "QUOTH_METRICS_TOKEN"),
    )
    settings.check_exposure()
    if not settings.is_local and not settings.has_token:
        note(f"{settings.host} accepts requests without a token or encryption. Set QUOTH_TOKEN, and use TLS.")
    # The server shuts down by itself, and raises the signal again after all accepted requests are answered.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    run(reader, settings, note, also)


def _named(given: list[str]) -> tuple[tuple[str, str], ...]:
    """Return the names and sources of further readers."""
    from quoth.errors import ConfigError

    sources: dict[str, str] = {}
    for item in given:
        name, _, source = item.partition("=")
        if not name or not source or name in sources:
            raise ConfigError(f"--also must be NAME=READER with a unique name, but is {item}")
        sources[name] = source
    return tuple(sources.items())


def _parameters() -> list[inspect.Parameter]:
    """Return the parameters of the command: the reader, a flag for each setting, the origins."""
    reader = typer.Option(
        metavar="READER", help="Folder of a reader.", show_default="the shipped reader",
        envvar=f"{_ENVIRONMENT}READER", show_envvar=False,
    )  # fmt: skip
    also = typer.Option(
        metavar="NAME=READER", help="Serve another reader, which requests select by name. May be given again.",
        envvar=f"{_ENVIRONMENT}ALSO", show_envvar=False,
    )  # fmt: skip
    host = typer.Option(
        metavar="NAME", help="A host name that requests may use, or *.NAME for all subdomains. May be given again.",
        envvar=f"{_ENVIRONMENT}ALLOWED_HOST", show_envvar=False,
    )  # fmt: skip
    cors = typer.Option(
        metavar="ORIGIN", help="Allow requests from pages of this origin. May be given again.",
        envvar=f"{_ENVIRONMENT}CORS", show_envvar=False,
    )  # fmt: skip
    return [
        parameter("reader", str | None, reader),
        parameter("also", list[str] | None, also),
        *flags_of(ServeSettings, _ENVIRONMENT),
        parameter("allowed_host", list[str] | None, host),
        parameter("cors", list[str] | None, cors),
    ]


add_command(app, serve, _parameters())
