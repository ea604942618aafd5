"""``quoth serve``: an HTTP API and a page over one reader."""

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

app = typer.Typer(add_completion=False)

# What the server itself needs of the extra; what reads files is asked for when a file comes.
_NEEDED = ("fastapi", "uvicorn", "httptools", "prometheus_client", "multipart", "fastapi_offline")


def serve(**flags: Any) -> None:
    """Answer over HTTP: an API, and a page where the answer stands highlighted in its text.

    Open the URL that it prints; /docs describes the API. A token in the environment as QUOTH_TOKEN is asked of everyone
    who asks. On SIGTERM and Ctrl-C it takes no more, answers what it holds, and ends.

    Example: [cyan]quoth serve --reader runs/1 --port 8000[/cyan]
    """
    from importlib.util import find_spec

    from quoth.errors import MissingExtraError

    if any(find_spec(name) is None for name in _NEEDED):
        raise MissingExtraError("quoth serve", "serve")
    from quoth.serve.run import serve as run

    reader, cors = flags.pop("reader"), flags.pop("cors") or []
    given = {name: value for name, value in flags.items() if value is not None}
    settings = ServeSettings(**given, token=os.environ.get("QUOTH_TOKEN") or None, cors=tuple(cors))
    if not settings.is_local and settings.token is None:
        note(
            f"Whoever reaches {settings.host} may ask, and nothing is encrypted. Set QUOTH_TOKEN, and put a proxy with "
            "TLS before it."
        )
    # The server ends by itself, and raises the signal again when all is answered; before that, nothing is lost.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    run(reader, settings, lambda url: note(f"Listening on {url}"))


def _parameters() -> list[inspect.Parameter]:
    """Return the parameters of the command: the reader, a flag for each setting, the origins."""
    reader = typer.Option(metavar="READER", help="Folder of a reader.", show_default="the shipped reader")
    cors = typer.Option(metavar="ORIGIN", help="Let pages of this origin ask. May be given again.")
    return [
        parameter("reader", str | None, reader),
        *flags_of(ServeSettings),
        parameter("cors", list[str] | None, cors),
    ]


add_command(app, serve, _parameters())
