"""Stores jobs, which have more rows than a request may have: their requests, progress and results, in a file.

All workers share the file. A job has one owner, the worker that answers its rows in order. If the owner ends, another
worker takes the job over, and continues after the last row with a result. Only the owner adds results, in the same
transaction as the progress, so every row has exactly one result.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from quoth.serve.presence import Presence
from quoth.serve.store import Database

_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, rows INTEGER NOT NULL, done INTEGER NOT NULL, bytes INTEGER NOT NULL,
    reader TEXT NOT NULL, problem TEXT, touched REAL NOT NULL, asked BLOB, owner TEXT, deaths INTEGER NOT NULL
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
        state: "running", "done", or "failed".
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


@dataclass(frozen=True, slots=True)
class OwnedJob:
    """A job that this worker must answer.

    Attributes:
        id: Its id.
        first: The first row without a result.
        rows: Number of its rows.
        reader: The reader's name and hash, as JSON.
        asked: The request, as passed to :meth:`Jobs.start`.
        deaths: Number of workers that have ended since the last result.
    """

    id: str
    first: int
    rows: int
    reader: str
    asked: bytes
    deaths: int = 0


class Jobs:
    """Stores jobs. Thread-safe; all functions may block for some milliseconds.

    Args:
        file: The database, which is created if it is missing. Its folder must be used only by the workers.
        max_bytes: Maximum size of all jobs with their results, in bytes. The jobs that ended first are removed.
        seconds: How long a job is kept after its end.
        clock: The time, in seconds. It must be the same for all processes that share the file, and must not jump.
    """

    def __init__(self, file: Path, max_bytes: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = Database(file, _TABLES)
        self._presence = Presence(file.parent)
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._clock = clock

    def start(self, rows: int, reader: str, asked: bytes) -> OwnedJob | None:
        """Add a job that this worker owns.

        Args:
            rows: Number of its rows.
            reader: The reader's name and hash, as JSON.
            asked: The request, with all that another worker needs to continue it.

        Returns:
            The job; ``None`` if it would exceed the maximum size.
        """
        id = uuid4().hex
        with self._database.writing() as database:
            if not self._make_room(id, len(asked)):
                return None
            row = (id, "running", rows, 0, len(asked), reader, None, self._clock(), asked, self._presence.id, 0)
            database.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return OwnedJob(id, 0, rows, reader, asked)

    def take_over(self) -> OwnedJob | None:
        """Take over a job whose owner has ended or released it; return ``None`` if there is none."""
        database, mine = self._database.connection(), self._presence.id
        running = database.execute("SELECT id, owner FROM jobs WHERE state = 'running' ORDER BY touched").fetchall()
        for id, owner in running:
            if owner is not None and self._presence.is_alive(owner):
                continue
            with self._database.writing() as database:
                # Unless another worker was faster.
                row = database.execute(
                    "UPDATE jobs SET owner = ?, deaths = deaths + ? WHERE id = ? AND owner IS ? AND state = 'running' "
                    "RETURNING id, done, rows, reader, asked, deaths",
                    (mine, int(owner is not None), id, owner),
                ).fetchone()
            if row is not None:
                return OwnedJob(row[0], row[1], row[2], row[3], bytes(row[4]), row[5])
        return None

    def add(self, id: str, first: int, results: Sequence[bytes]) -> bool:
        """Add the results of some rows in order.

        Args:
            id: The job.
            first: The number of the first of these rows, which must be the first row without a result.
            results: The results.

        Returns:
            False if this worker does not own the job, its next row is another one, or the maximum size is exceeded.
        """
        size = sum(map(len, results))
        with self._database.writing() as database:
            found = database.execute(
                "SELECT 1 FROM jobs WHERE id = ? AND state = 'running' AND owner = ? AND done = ?",
                (id, self._presence.id, first),
            ).fetchone()
            if found is None or not self._make_room(id, size):
                return False
            rows = [(id, number, result) for number, result in enumerate(results, first)]
            database.executemany("INSERT INTO results VALUES (?, ?, ?)", rows)
            database.execute(
                "UPDATE jobs SET done = done + ?, bytes = bytes + ?, touched = ?, deaths = 0 WHERE id = ?",
                (len(results), size, self._clock(), id),
            )
        return True

    def end(self, id: str, state: str, problem: str | None = None) -> bool:
        """Set the final state of a job, and remove its request; return False if this worker does not own it."""
        with self._database.writing() as database:
            done = database.execute(
                "UPDATE jobs SET state = ?, problem = ?, touched = ?, bytes = bytes - length(asked), asked = NULL, "
                "owner = NULL WHERE id = ? AND state = 'running' AND owner = ?",
                (state, problem, self._clock(), id, self._presence.id),
            )
            return done.rowcount > 0

    def get(self, id: str) -> JobState | None:
        """Return the progress of a job; ``None`` if it is unknown or has expired."""
        query = "SELECT id, state, rows, done, reader, problem, touched FROM jobs WHERE id = ?"
        row = self._database.connection().execute(query, (id,)).fetchone()
        if row is None or (row[1] != "running" and row[-1] < self._clock() - self._seconds):
            return None
        return JobState(*row[:-1])

    def results(self, id: str, first: int, most: int) -> list[bytes]:
        """Return the available results of at most ``most`` rows from ``first`` on, in order."""
        query = "SELECT result FROM results WHERE job = ? AND number >= ? ORDER BY number LIMIT ?"
        return [bytes(row[0]) for row in self._database.connection().execute(query, (id, first, most))]

    def delete(self, id: str) -> bool:
        """Remove a job with its results; return False if there is none."""
        with self._database.writing() as database:
            database.execute("DELETE FROM results WHERE job = ?", (id,))
            return database.execute("DELETE FROM jobs WHERE id = ?", (id,)).rowcount > 0

    def expire(self) -> None:
        """Remove jobs that ended longer ago than they are kept."""
        oldest = self._clock() - self._seconds
        query = "SELECT id FROM jobs WHERE state != 'running' AND touched < ?"
        for (id,) in self._database.connection().execute(query, (oldest,)).fetchall():
            self.delete(id)

    def close(self) -> None:
        """Release the jobs of this worker for other workers, and close the connections of all threads."""
        with self._database.writing() as database:
            database.execute("UPDATE jobs SET owner = NULL WHERE owner = ?", (self._presence.id,))
        self._presence.close()
        self._database.close()

    def _make_room(self, id: str, size: int) -> bool:
        """Remove other jobs that have ended, the oldest first, until ``size`` more bytes are allowed.

        Returns:
            False if they would not be allowed even without these jobs. Then nothing is removed.
        """
        database = self._database.connection()
        held = database.execute("SELECT coalesce(sum(bytes), 0) FROM jobs").fetchone()[0]
        ended = database.execute(
            "SELECT id, bytes FROM jobs WHERE state != 'running' AND id != ? ORDER BY touched", (id,)
        ).fetchall()
        if held - sum(freed for _, freed in ended) + size > self._max_bytes:
            return False
        for other, freed in ended:
            if held + size <= self._max_bytes:
                break
            database.execute("DELETE FROM results WHERE job = ?", (other,))
            database.execute("DELETE FROM jobs WHERE id = ?", (other,))
            held -= freed
        return True


def problem_json(code: str, message: str, hint: str) -> str:
    """Return a problem of a job as JSON."""
    return json.dumps({"code": code, "message": message, "hint": hint})
