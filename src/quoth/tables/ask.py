"""Reads a file of questions to ask about every text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quoth.errors import ConfigError


def read_questions(path: Path) -> Any:
    """Return the questions of a file, for :class:`quoth.tables.TableSettings`.

    Args:
        path: JSON (``.json``: a list of questions, or an object of names and questions), or one question per line.

    Raises:
        ConfigError: If the file has no questions.
        OSError: If it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: must be UTF-8, but is not") from error
    found: Any = [line.strip() for line in text.splitlines() if line.strip()]
    if path.suffix.lower() == ".json":
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{path}: must be JSON, but cannot be read: {error}") from error
        if not isinstance(found, list | dict):
            raise ConfigError(f"{path}: must be a list of questions, or an object of names and questions")
    if not found:
        raise ConfigError(f"{path}: must contain at least one question, but contains none")
    return found
