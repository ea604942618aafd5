"""The files of one command, of which no two may be the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path


def check_different(files: Mapping[str, str | Path | None]) -> None:
    """Refuse that two files of a command are the same, however spelled and through whatever links.

    Args:
        files: Each by what the user calls it, such as ``--output``; ``None`` if it is not given. Data sets of the hub,
            ``hub:NAME:SPLIT`` as text, are no files.

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


def _are_same(path: str | Path, other: str | Path) -> bool:
    if Path(path).is_char_device():
        return False  # nothing in a terminal or /dev/null can be overwritten
    try:
        return Path(path).samefile(other)
    except OSError:  # one is not there yet; unlike resolve(), realpath() bears links that go in a circle
        return os.path.realpath(path) == os.path.realpath(other)
