"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Open a file for text in UTF-8, as :func:`whole_bytes` does."""
    with whole_bytes(path) as data, TextIOWrapper(data, encoding="utf-8") as file:
        yield file


@contextmanager
def whole_bytes(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place and move it there at the end; a pipe or a device is written as it stands.

    Raises:
        FileNotFoundError: If there is no folder for it; the error names the folder.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    target = path.resolve()  # of a link, what it points to
    if not target.parent.is_dir():
        # As the user wrote it, where it is that folder.
        folder = (target if path.is_symlink() else path).parent
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
