"""Where results and notes go: results to stdout, progress and notes to stderr, colour only on a terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from quoth.display import visible

if TYPE_CHECKING:
    from rich.console import Console


def print_json(document: Any) -> None:
    """Print one JSON document on stdout, ``--json``'s promise; in ASCII where stdout cannot hold it as it is."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2)
    typer.echo(text)


def note(message: str) -> None:
    """Print a note on stderr, so that results can be piped; what a terminal would obey is shown instead."""
    typer.echo(visible(message), err=True)


def stdout() -> Console:
    """Return a console on stdout: colour and wrapping on a terminal, plain text when piped."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def stderr() -> Console:
    """Return a console on stderr, for progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)
