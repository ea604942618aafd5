"""Tells which processes of a server are alive. Each locks a file, and the system releases the lock when it ends."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

from quoth.files import try_lock


class Presence:
    """Marks this process as alive, and checks whether others are.

    Attributes:
        id: The id of this process among those that share the folder, 32 hex digits.
    """

    def __init__(self, folder: Path) -> None:
        """Mark this process as alive until :meth:`close` or its end."""
        self.id = uuid4().hex
        self._folder = folder
        # Only this user can read it.
        descriptor = os.open(self._path(self.id), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        self._file = os.fdopen(descriptor, "r+b")
        try_lock(self._file)

    def is_alive(self, id: str) -> bool:
        """Return True if a process (possibly this one) is alive. The file of a process that has ended is removed."""
        if id == self.id:
            return True
        try:
            with self._path(id).open("r+b") as file:
                if not try_lock(file):
                    return True
        except FileNotFoundError:
            return False
        self._path(id).unlink(missing_ok=True)
        return False

    def close(self) -> None:
        """Mark this process as ended."""
        self._file.close()
        self._path(self.id).unlink(missing_ok=True)

    def _path(self, id: str) -> Path:
        return self._folder / f"alive-{id}"
