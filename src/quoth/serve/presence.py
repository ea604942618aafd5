"""Which processes of a server are alive: each holds the lock of a file, which the system releases when it ends."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from quoth.files import try_lock


class Presence:
    """Shows that this process is alive, and tells whether others are.

    Attributes:
        id: The id of this process among those that share the folder; 32 hex digits.
    """

    def __init__(self, folder: Path) -> None:
        """Show it from now on, until :meth:`close` or the end of the process."""
        self.id = uuid4().hex
        self._folder = folder
        self._file = self._path(self.id).open("xb")
        try_lock(self._file)

    def is_alive(self, id: str) -> bool:
        """Return whether a process is alive, this one too; after one has ended, its file is removed."""
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
        """Show it no longer."""
        self._file.close()
        self._path(self.id).unlink(missing_ok=True)

    def _path(self, id: str) -> Path:
        return self._folder / f"alive-{id}"
