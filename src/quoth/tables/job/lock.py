"""The lock of a job's folder, which is released if the process is killed.

On a file system, the operating system releases it when the process exits for any reason. An object store has no locks:
there, the running process renews a small object every few seconds, and another process waits to see whether it is still
renewed. If two jobs start at the same moment, work is done twice, but without harm: shards are written atomically, and
are identical.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quoth.errors import ConfigError
from quoth.files import try_lock
from quoth.tables.job.folder import OWN, Folder

LOCK = f"{OWN}/lock"
# Seconds between renewals in an object store; how long to wait for one; how long a competing write may take.
_RENEW, _WAIT, _SETTLE = 3.0, 12.0, 1.0


@contextmanager
def locked(folder: Folder) -> Iterator[None]:
    """Hold the lock of a folder.

    Raises:
        ConfigError: If another process has locked it.
    """
    with _locked_path(folder, folder.path / LOCK) if folder.path is not None else _leased(folder):
        yield


@contextmanager
def _locked_path(folder: Folder, path: Path) -> Iterator[None]:
    with path.open("a+", encoding="ascii") as file:
        if not try_lock(file):
            file.seek(0)
            raise _locked_error(folder, f"process {file.read()}")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _locked_error(folder: Folder, who: str) -> ConfigError:
    return ConfigError(
        f"{folder}: must be used by one job at a time, but another one uses it ({who}). Wait for it, or stop it."
    )


@contextmanager
def _leased(folder: Folder) -> Iterator[None]:
    owner = uuid.uuid4().hex
    before = folder.read(LOCK)
    until = time.monotonic() + _WAIT
    while before is not None and time.monotonic() < until:
        time.sleep(_SETTLE)
        if folder.read(LOCK) not in (before, None):
            raise _locked_error(folder, f"it renews {LOCK}")
    ended = threading.Event()

    def renew() -> None:
        number = 0
        while True:
            with suppress(OSError):  # the next renewal may succeed
                folder.write(LOCK, f"{owner} {number}".encode())
            number += 1
            if ended.wait(_RENEW):
                return

    thread = threading.Thread(target=renew, name="quoth-lock", daemon=True)
    folder.write(LOCK, owner.encode())
    time.sleep(_SETTLE)
    if not (folder.read(LOCK) or b"").startswith(owner.encode()):
        raise _locked_error(folder, f"it acquired {LOCK} at the same time")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        folder.remove(LOCK)
