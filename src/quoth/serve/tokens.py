"""Bearer tokens: from the environment, or from a file that is read again when it changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from quoth.errors import ConfigError, reason_of

# A file is checked for changes at most once in this time, in seconds.
_CHECK_S = 1.0
_LOG = logging.getLogger("quoth.serve")


def token_of(environment: Mapping[str, str], name: str) -> str | None:
    """Return a token from the environment without white space around it; ``None`` if the variable is not set.

    Raises:
        ConfigError: If the variable is set but empty, which can be caused by a missing secret.
    """
    token = environment.get(name)
    if token is not None and not token.strip():
        raise ConfigError(f"{name}: must be a token, but is empty. Set it, or unset the variable to require none")
    return token and token.strip()


class Tokens:
    """The valid tokens. The file of tokens may change while the server runs.

    Args:
        token: A token in addition to those of the file, if any.
        file: A file with a token per line; empty lines and lines that start with ``#`` are skipped.

    Raises:
        ConfigError: If the file cannot be read, or has no token.
    """

    def __init__(self, token: str | None, file: str | None) -> None:
        self._fixed = (token,) if token is not None else ()
        self._file = Path(file) if file else None
        self._state = None if self._file is None else _state(self._file)
        self._last_error = ""
        self._next_check = 0.0
        self._valid = (*self._fixed, *read_tokens(self._file)) if self._file else self._fixed

    def __call__(self) -> tuple[str, ...]:
        """Return the tokens that are valid now; if there are none, no token is needed."""
        if self._file is not None and time.monotonic() >= self._next_check:
            self._next_check = time.monotonic() + _CHECK_S
            self._read_if_changed(self._file)
        return self._valid

    def _read_if_changed(self, file: Path) -> None:
        """Read the file again if it has changed. If it is invalid, log the error and keep the old tokens."""
        try:
            state = _state(file)
            if state == self._state:
                return
            self._valid = (*self._fixed, *read_tokens(file))
            self._state, self._last_error = state, ""
            _LOG.info("read the tokens again")
        except ConfigError as error:
            if self._last_error != str(error):
                _LOG.error("kept the old tokens: %s", error)
            self._last_error = str(error)


def read_tokens(file: Path) -> tuple[str, ...]:
    """Read a file of tokens.

    Raises:
        ConfigError: If it cannot be read, or has no token or an invalid one.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{file}: must be a file of tokens, but cannot be read: {reason}") from error
    tokens = tuple(line for line in lines if line and not line.startswith("#"))
    if not tokens or not all(is_token(token) for token in tokens):
        raise ConfigError(
            f"{file}: must have a token in each line, of printable ASCII, but has "
            f"{'an invalid one' if tokens else 'none'}. Create one with: openssl rand -hex 32"
        )
    return tokens


def is_token(text: str) -> bool:
    """Return True if a text can be a token."""
    return text.isascii() and text.isprintable() and bool(text) and text == text.strip()


def _state(file: Path) -> tuple[int, int, int]:
    """Return the time, size and inode of a file, by which a change is detected.

    The inode is needed because Kubernetes replaces mounted secrets with a link to another file.
    """
    try:
        found = file.stat()
    except OSError as error:
        raise ConfigError(f"{file}: must be a file of tokens, but cannot be read: {reason_of(error)}") from error
    return found.st_mtime_ns, found.st_size, found.st_ino
