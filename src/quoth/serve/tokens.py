"""Bearer tokens: from the environment, or from a file that is read again when it changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from quoth.errors import ConfigError

# A file is looked at again after this many seconds.
_LOOK_S = 1.0
_LOG = logging.getLogger("quoth.serve")


def token_of(environment: Mapping[str, str], name: str) -> str | None:
    """Return a token of the environment; ``None`` if the variable is not set.

    Raises:
        ConfigError: If it is set but empty, as by a secret that is missing.
    """
    token = environment.get(name)
    if token is not None and not token.strip():
        raise ConfigError(f"{name}: must be a token, but is empty. Set one, or unset the variable to need none")
    return token


class Tokens:
    """The valid tokens. A file of them may change while the server runs.

    Args:
        token: A token; ``None``: only those of the file.
        file: A file with a token a line; empty lines and lines that start with ``#`` are skipped.

    Raises:
        ConfigError: If the file cannot be read, or has no token.
    """

    def __init__(self, token: str | None, file: str | None) -> None:
        self._own = (token,) if token is not None else ()
        self._file = Path(file) if file else None
        self._state = None if self._file is None else _state(self._file)
        self._said = ""
        self._look_after = 0.0
        self._valid = (*self._own, *read_tokens(self._file)) if self._file else self._own

    def __call__(self) -> tuple[str, ...]:
        """Return the tokens that are valid now; none of them: no token is needed."""
        if self._file is not None and time.monotonic() >= self._look_after:
            self._look_after = time.monotonic() + _LOOK_S
            self._look(self._file)
        return self._valid

    def _look(self, file: Path) -> None:
        """Read the file again if it has changed; a bad one changes nothing, and is logged."""
        try:
            state = _state(file)
            if state == self._state:
                return
            self._valid = (*self._own, *read_tokens(file))
            self._state = state
            _LOG.info("read the tokens again")
        except ConfigError as error:
            if self._said != str(error):
                _LOG.error("kept the old tokens: %s", error)
            self._said = str(error)


def read_tokens(file: Path) -> tuple[str, ...]:
    """Read a file of tokens.

    Raises:
        ConfigError: If it cannot be read, or has no token or an invalid one.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{file}: must be a file of tokens, but cannot be read: {reason}") from error
    tokens = tuple(line for line in lines if line and not line.startswith("#"))
    if not tokens or not all(is_token(token) for token in tokens):
        raise ConfigError(
            f"{file}: must have a token in each line, of printable ASCII, but has "
            f"{'an invalid one' if tokens else 'none'}. Make one with: openssl rand -hex 32"
        )
    return tokens


def is_token(text: str) -> bool:
    """Return True if a text can be a token."""
    return text.isascii() and text.isprintable() and bool(text.strip())


def _state(file: Path) -> tuple[int, int, int]:
    """Return what changes with a file. Kubernetes replaces mounted secrets by a link to another file."""
    try:
        found = file.stat()
    except OSError as error:
        raise ConfigError(f"{file}: must be a file of tokens, but cannot be read: {error.strerror}") from error
    return found.st_mtime_ns, found.st_size, found.st_ino
