"""Texts that clients store on the server to ask several questions about them, in a file that all workers share.

The file is an SQLite database in a separate folder that only this user can read, and that is removed at shutdown. The
size and the lifetime of texts are limited. All functions may block for some milliseconds; call them in threads.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quoth.records import Span
from quoth.serve.texts import Text

# How long a connection waits for the lock of another one, in seconds.
_BUSY_S = 5.0
# The time of the last use is updated after this share of a text's lifetime, to avoid a write for each question.
_RENEWED = 0.02
# Number of handles of removed texts that are kept, so that clients get an error that their text has expired.
_REMEMBERED = 10_000
_TABLES = """
CREATE TABLE IF NOT EXISTS texts (
    handle TEXT PRIMARY KEY, text BLOB NOT NULL, pages TEXT, size INTEGER NOT NULL, used REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS removed (number INTEGER PRIMARY KEY AUTOINCREMENT, handle TEXT NOT NULL UNIQUE);
"""


@contextmanager
def store_folder() -> Iterator[Path]:
    """Create a folder that only this user can read, and remove it at the end; yield the path of a store in it."""
    with tempfile.TemporaryDirectory(prefix="quoth-serve-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "texts.sqlite"


class Database:
    """An SQLite file that threads and processes share. Each thread has its own connection.

    Args:
        file: The file, which is created for this user only if it is missing.
        tables: Statements that create its tables.
    """

    def __init__(self, file: Path, tables: str) -> None:
        self._file = file
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        # SQLite gives its other files the mode of the first one.
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
        self.connection().executescript(tables)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lock the file for writing by this thread, and commit at the end."""
        database = self.connection()
        database.execute("BEGIN IMMEDIATE")
        with database:  # rolls back after an exception
            yield database

    def connection(self) -> sqlite3.Connection:
        """Return the connection of this thread."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            # check_same_thread=False, because another thread closes the connections at shutdown.
            found = sqlite3.connect(self._file, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            # Freed pages are overwritten and released, so that a deleted text cannot be recovered.
            for pragma in ("auto_vacuum=FULL", "journal_mode=WAL", "synchronous=OFF", "secure_delete=ON"):
                found.execute(f"PRAGMA {pragma}")
            self._local.connection = found
            self._opened.append(found)
        return found

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._opened:
            connection.close()
        self._opened.clear()


class Texts:
    """Stores texts by handle, and removes the least recently used ones. Thread-safe.

    Args:
        file: The database, which is created if it is missing.
        max_bytes: Maximum size of all texts in UTF-8, in bytes.
        seconds: How long a text is stored after its last use.
        clock: The time, in seconds. It must be the same for all processes that share the file, and must not jump.
    """

    def __init__(self, file: Path, max_bytes: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._database = Database(file, _TABLES)
        self._max_bytes = max_bytes
        self._clock = clock

    @property
    def size(self) -> int:
        """Size of all texts, in bytes."""
        return int(self._database.connection().execute("SELECT coalesce(sum(size), 0) FROM texts").fetchone()[0])

    def __len__(self) -> int:
        return int(self._database.connection().execute("SELECT count(*) FROM texts").fetchone()[0])

    def put(self, text: Text) -> bool:
        """Store a text, removing others if necessary; return False if it exceeds the maximum size by itself."""
        content = text.text.encode("utf-8", "surrogatepass")
        pages = None if text.pages is None else json.dumps([(page.start, page.end) for page in text.pages])
        size = len(content) + len(pages or "")
        if size > self._max_bytes:
            return False
        with self._database.writing() as database:
            row = (text.handle, content, pages, size, self._clock())
            database.execute("INSERT OR REPLACE INTO texts VALUES (?, ?, ?, ?, ?)", row)
            database.execute("DELETE FROM removed WHERE handle = ?", (text.handle,))
            excess = self.size - self._max_bytes
            for handle, freed in database.execute("SELECT handle, size FROM texts ORDER BY used").fetchall():
                if excess <= 0:
                    break
                if handle != text.handle:
                    self._remove(database, handle)
                    excess -= freed
        return True

    def get(self, handle: str) -> Text | None:
        """Return a text and renew its lifetime; ``None`` if it is unknown or has expired."""
        database, now = self._database.connection(), self._clock()
        row = database.execute("SELECT text, pages, used FROM texts WHERE handle = ?", (handle,)).fetchone()
        if row is None or row[2] < now - self.seconds:
            return None
        if row[2] < now - _RENEWED * self.seconds:
            # A full disk must not prevent reading.
            with suppress(sqlite3.OperationalError), self._database.writing() as database:
                database.execute("UPDATE texts SET used = ? WHERE handle = ?", (now, handle))
        pages = None if row[1] is None else tuple(Span(start, end) for start, end in json.loads(row[1]))
        return Text(handle, bytes(row[0]).decode("utf-8", "surrogatepass"), pages)

    def renew(self, handles: Iterable[str]) -> None:
        """Renew the lifetime of texts that have not expired."""
        now = self._clock()
        with self._database.writing() as database:
            rows = [(now, handle, now - self.seconds) for handle in handles]
            database.executemany("UPDATE texts SET used = ? WHERE handle = ? AND used >= ?", rows)

    def has_expired(self, handle: str) -> bool:
        """Return True if a text with this handle was stored and has expired."""
        found = self._database.connection().execute(
            "SELECT 1 FROM removed WHERE handle = ? UNION SELECT 1 FROM texts WHERE handle = ? AND used < ?",
            (handle, handle, self._clock() - self.seconds),
        )
        return found.fetchone() is not None

    def delete(self, handle: str) -> bool:
        """Delete a text permanently; return False if there is none."""
        with self._database.writing() as database:
            return database.execute("DELETE FROM texts WHERE handle = ?", (handle,)).rowcount > 0

    def expire(self) -> None:
        """Remove expired texts."""
        with self._database.writing() as database:
            oldest = self._clock() - self.seconds
            for (handle,) in database.execute("SELECT handle FROM texts WHERE used < ?", (oldest,)).fetchall():
                self._remove(database, handle)
            last = database.execute("SELECT coalesce(max(number), 0) FROM removed").fetchone()[0]
            database.execute("DELETE FROM removed WHERE number <= ?", (last - _REMEMBERED,))

    def close(self) -> None:
        """Close the connections of all threads."""
        self._database.close()

    def _remove(self, database: sqlite3.Connection, handle: str) -> None:
        database.execute("DELETE FROM texts WHERE handle = ?", (handle,))
        database.execute("INSERT OR REPLACE INTO removed (handle) VALUES (?)", (handle,))
