"""The texts that a command quotes from: files of any kind, folders, patterns, standard input, or texts as arguments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from quoth.cli.console import note

if TYPE_CHECKING:
    from quoth.documents import Document

_NO_CONTEXT = (
    "{0}: must have a text to quote from, but has none. "
    "Give one with --context FILE or --text TEXT, or pipe it in: cat FILE | quoth {0} {1}"
)


def read_sources(files: list[str], texts: list[str], command: str = "ask") -> list[Document]:
    """Read all contexts, or what is piped in if there are none; one error lists all that cannot be read.

    Raises:
        ConfigError: If there is no context, and nothing is piped in: a script has an empty standard input.
        InputError: If one cannot be read.
    """
    from quoth.documents import Document
    from quoth.errors import ConfigError, InputError

    if not files and not texts:
        is_piped = sys.stdin is not None and not sys.stdin.isatty()
        piped = read_sources(["-"], [], command) if is_piped else []
        if not any(source.text.strip() for source in piped):
            raise ConfigError(_NO_CONTEXT.format(command, "QUOTES" if command == "verify" else "QUESTION"))
        return piped
    if files.count("-") > 1:
        raise ConfigError("--context - must be given at most once, but is given several times")
    sources, problems = [], []
    for file in files:
        try:
            sources += _read_sources(file)
        except ValueError as error:
            problems.append(f"{file or repr(file)}: {error}")
    if problems:
        raise InputError("\n".join(problems))
    sources += [Document(text, name=f"text{number}" if texts[1:] else "text") for number, text in enumerate(texts, 1)]
    if len(sources) > 1:
        for source in sources:
            if not source.text.strip():
                note(f"{source.name}: has no text to quote")
    return sources


def _read_sources(file: str) -> list[Document]:
    """Read a file of any kind, a folder or a pattern. Invalid files of a folder are noted and skipped.

    Raises:
        ValueError: If nothing can be read.
    """
    from quoth.documents import KINDS, PARSED, Document, read_documents

    path = Path(file)
    # Path.is_dir and Path.exists raise an OSError for a name that is too long; reading the file says what is wrong.
    is_folder, exists = os.path.isdir(file), os.path.exists(file)  # noqa: PTH110, PTH112
    is_pattern = any(sign in file for sign in "*?") and "://" not in file and not exists
    is_many = is_folder or is_pattern
    if not is_many and not (path.suffix.lower() in PARSED and exists):
        return [Document(_decoded(file), name="stdin" if file == "-" else file)]
    sources = []
    for found in read_documents([path]):
        if isinstance(found, Document):
            sources.append(found)
            for remark in found.notes:
                note(f"{found.name}: {remark}")
        elif is_many and not (found.is_error and found.name == str(path)):
            note(str(found))
        else:
            raise ValueError(found.problem)
    if not sources:
        raise ValueError(f"must have {' or '.join([', '.join(KINDS[:-1]), KINDS[-1]])} files with text, but has none")
    return sources


def read_text(file: str) -> str:
    """Return the text of a file of any kind, or of standard input.

    Raises:
        ValueError: If it cannot be read, or has no text.
    """
    return "\n\n".join(source.text for source in _read_sources(file))


def _decoded(file: str) -> str:
    """Return the content of a text file, or of standard input.

    Raises:
        ValueError: If it cannot be read, or is not text.
    """
    from quoth.errors import DocumentError, reason_of

    try:
        data = _stdin() if file == "-" else Path(file).read_bytes()
    except IsADirectoryError:
        raise ValueError("must be a file, but is a folder; name the files in it") from None
    except FileNotFoundError:
        if "://" in file:
            raise ValueError("must be a file, but is a URL, which is not fetched; save it as a file") from None
        raise ValueError("must be a file, but does not exist") from None
    except OSError as error:
        raise ValueError(f"must be a readable file, but: {reason_of(error)}") from None
    from quoth.documents.decoding import decode_any

    try:
        return decode_any(data)
    except DocumentError as error:
        raise ValueError(str(error)) from None


def _stdin() -> bytes:
    if sys.stdin is None:
        raise ValueError("must be open, but is closed")
    if sys.stdin.isatty():
        note("Reading the text from the terminal; end it with Ctrl-D.")
    return sys.stdin.buffer.read()
