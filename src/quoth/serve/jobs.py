"""Jobs of many rows that take longer than a request may: their progress and results, in a file that workers share.

The rows of a job are answered by the worker that accepted it. Any worker tells its progress and its results.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from quoth.serve.store import Database

# A job whose worker has not written for this long is lost, in seconds: a row waits for a deadline at most, then writes.
_LOST_S = 600.0
_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, rows INTEGER NOT NULL, done INTEGER NOT NULL, bytes INTEGER NOT NULL,
    reader TEXT NOT NULL, problem TEXT, touched REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (
    job TEXT NOT NULL, number INTEGER NOT NULL, result BLOB NOT NULL, PRIMARY KEY (job, number)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class JobState:
    """The progress of a job.

    Attributes:
        id: Its id, 32 hex digits.
        state: "running", "done", "failed", "cancelled", or "lost": its worker has ended.
        rows: Number of its rows.
        done: Number of rows with a result.
        reader: The reader's name and hash, as JSON.
        problem: Why it failed, as JSON; ``None`` if it did not.
    """

    id: str
    state: str
    rows: int
    done: int
    reader: str
    problem: str | None


class Jobs:
    """Stores jobs. Thread-safe; all functions may block for some milliseconds.

    Args:
        file: The database, which is created if it is missing.
        max_bytes: Maximum size of all results together, in bytes; those of the jobs that ended first are removed.
        seconds: How long a job is kept after its last change.
        clock: The time of day, in seconds: processes share the file.
    """

    def __init__(self, file: Path, max_bytes: int, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(file, _TABLES)
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._clock = clock

    def start(self, rows: int, reader: str) -> str:
        """Add a job of some rows; return its id."""
        id = uuid4().hex
        with self._database.writing() as database:
            row = (id, "running", rows, 0, 0, reader, None, self._clock())
            database.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return id

    def add(self, id: str, first: int, results: Sequence[bytes]) -> bool:
        """Add the results of some rows in order; return False if the job does not run any more, or there is no room."""
        size = sum(map(len, results))
        with self._database.writing() as database:
            found = database.execute("SELECT 1 FROM jobs WHERE id = ? AND state = 'running'", (id,)).fetchone()
            if found is None or not self._make_room(id, size):
                return False
            rows = [(id, number, result) for number, result in enumerate(results, first)]
            database.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", rows)
            database.execute(
                "UPDATE jobs SET done = done + ?, bytes = bytes + ?, touched = ? WHERE id = ?",
                (len(results), size, self._clock(), id),
            )
        return True

    def end(self, id: str, state: str, problem: str | None = None) -> bool:
        """Set the state of a running job; return False if it does not run."""
        with self._database.writing() as database:
            done = database.execute(
                "UPDATE jobs SET state = ?, problem = ?, touched = ? WHERE id = ? AND state = 'running'",
                (state, problem, self._clock(), id),
            )
            return done.rowcount > 0

    def get(self, id: str) -> JobState | None:
        """Return the progress of a job; ``None`` if it is unknown or has expired."""
        query = "SELECT id, state, rows, done, reader, problem, touched FROM jobs WHERE id = ?"
        row = self._database.connection().execute(query, (id,)).fetchone()
        if row is None or row[-1] < self._clock() - self._seconds:
            return None
        is_lost = row[1] == "running" and row[-1] < self._clock() - _LOST_S
        return JobState(row[0], "lost" if is_lost else row[1], *row[2:-1])

    def results(self, id: str, first: int, most: int) -> list[bytes]:
        """Return the results of some rows, in order, as far as they are there."""
        query = "SELECT result FROM results WHERE job = ? AND number >= ? ORDER BY number LIMIT ?"
        return [bytes(row[0]) for row in self._database.connection().execute(query, (id, first, most))]

    def delete(self, id: str) -> bool:
        """Remove a job with its results; return False if there is none."""
        with self._database.writing() as database:
            database.execute("DELETE FROM results WHERE job = ?", (id,))
            return database.execute("DELETE FROM jobs WHERE id = ?", (id,)).rowcount > 0

    def expire(self) -> None:
        """Remove expired jobs."""
        oldest = self._clock() - self._seconds
        found = self._database.connection().execute("SELECT id FROM jobs WHERE touched < ?", (oldest,)).fetchall()
        for (id,) in found:
            self.delete(id)

    def close(self) -> None:
        """Close the connections of all threads."""
        self._database.close()

    def _make_room(self, id: str, size: int) -> bool:
        """Remove the results of jobs that have ended, the oldest first, until there is room."""
        database = self._database.connection()
        held = database.execute("SELECT coalesce(sum(bytes), 0) FROM jobs").fetchone()[0]
        ended = database.execute(
            "SELECT id, bytes FROM jobs WHERE state != 'running' AND id != ? ORDER BY touched", (id,)
        ).fetchall()
        for other, freed in ended:
            if held + size <= self._max_bytes:
                break
            database.execute("DELETE FROM results WHERE job = ?", (other,))
            database.execute("DELETE FROM jobs WHERE id = ?", (other,))
            held -= freed
        return bool(held + size <= self._max_bytes)


def problem_json(code: str, message: str, hint: str) -> str:
    """Return a problem of a job as JSON."""
    return json.dumps({"code": code, "message": message, "hint": hint})
