"""Output: results on stdout, progress and notes on stderr, colour only on a terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from quoth.display import visible

if TYPE_CHECKING:
    from rich.console import Console


def print_json(document: Any) -> None:
    """Print one JSON document on stdout (for ``--json``); in ASCII if the encoding of stdout does not support it."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2)
    typer.echo(text)


def note(message: str) -> None:
    """Print a note on stderr, so that results can be piped; control characters are escaped."""
    typer.echo(visible(message), err=True)


def stdout() -> Console:
    """Return a console on stdout: colour and wrapping on a terminal, else plain text."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def stderr() -> Console:
    """Return a console on stderr, for progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)
