"""Where results and notes go: results to stdout, progress and notes to stderr, colour only on a terminal."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

# What could move the cursor, change colours or turn the reading direction of all that follows; and lone surrogates,
# which no encoding can hold. Line feed and tab stay.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def print_json(document: Any) -> None:
    """Print one JSON document on stdout, ``--json``'s promise; in ASCII where stdout cannot hold it as it is."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2)
    typer.echo(text)


def note(message: str) -> None:
    """Print a note on stderr, so that results can be piped."""
    typer.echo(message, err=True)


def visible(text: str) -> str:
    r"""Replace, one for one, each character that a terminal would obey rather than show.

    Control characters become their pictures, the others U+FFFD.

    Example:
        >>> visible("\x1b[31m")
        '␛[31m'
    """
    return _UNSAFE.sub(_picture, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def stdout() -> Console:
    """Return a console on stdout: colour and wrapping on a terminal, plain text when piped."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def stderr() -> Console:
    """Return a console on stderr, for progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)
