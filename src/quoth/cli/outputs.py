"""Checks the files of a command before the work: that they differ from each other, and that outputs can be written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path


def check_different(files: Mapping[str, str | Path | None]) -> None:
    """Raise if two files of a command are the same, also through links or different spellings.

    Args:
        files: Name of the argument, such as ``--output``, to its file; ``None`` if it is not given. Hub data sets
            (``hub:NAME:SPLIT``) are not files.

    Raises:
        ConfigError: If two are the same; the message names both, and the file.
    """
    from quoth.data.hub import PREFIX
    from quoth.errors import ConfigError

    given = [
        (name, path)
        for name, path in files.items()
        if path is not None and not (isinstance(path, str) and path.startswith(PREFIX))
    ]
    for (name, path), (other, its_path) in combinations(given, 2):
        if _are_same(path, its_path):
            raise ConfigError(f"{name} and {other} must be different files, but both are {path}")


def check_outputs(*files: str | Path | None) -> None:
    """Raise if the folder of an output file does not exist; ``None`` is a file that is not wanted.

    Raises:
        ConfigError: If it does not.
    """
    from quoth.files import check_parent

    for file in files:
        if file is not None:
            check_parent(file)


def _are_same(path: str | Path, other: str | Path) -> bool:
    if Path(path).is_char_device():
        return False  # a terminal or /dev/null cannot be overwritten
    try:
        return Path(path).samefile(other)
    except OSError:  # one does not exist yet; unlike resolve(), realpath() accepts circular links
        return os.path.realpath(path) == os.path.realpath(other)
