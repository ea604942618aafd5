"""The lock of a job's folder. The system lets go of it when the process ends, however it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from quoth.errors import ConfigError

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder.

    Raises:
        ConfigError: If another process holds it.
    """
    with (folder / LOCK).open("a+", encoding="ascii") as file:
        if not _take(file):
            file.seek(0)
            raise ConfigError(
                f"{folder}: must be used by one job at a time, but another one works there (process {file.read()}). "
                "Wait for it, or stop it."
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _take(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 20)  # what is locked cannot be read there
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
