"""A job over a table: planned once, run shard by shard, and resumed by the same command.

DIR/
├── part-000000.parquet    one file per shard, in the order of the rows; it exists if and only if it is complete
├── …
└── _quoth/
    ├── job.json           the manifest: inputs, settings, reader, versions
    ├── summary.json       the result, written at the end
    └── lock               held by the running process
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quoth.errors import ConfigError, JobStoppedError
from quoth.signals import FirstSignal
from quoth.store import ReaderFolder, find_folder
from quoth.tables.columns import output_schema
from quoth.tables.job.folder import OWN, Folder
from quoth.tables.job.local import Progress, Watch, default_workers, run_local
from quoth.tables.job.lock import locked
from quoth.tables.job.manifest import (
    Started,
    as_json,
    check_same,
    manifest,
    read_manifest,
    reader_hash,
    table_of,
    write_manifest,
)
from quoth.tables.job.plan import Counts, Plan
from quoth.tables.job.shards import check_storable
from quoth.tables.settings import TableSettings
from quoth.tables.sources import Location, Table, find_files, scan

SUMMARY = f"{OWN}/summary.json"
# Approximate number of questions per shard, by default.
_PER_SHARD = 4096


@dataclass(frozen=True, slots=True)
class Job:
    """The arguments of a job.

    Attributes:
        inputs: Files, folders and globs; paths or URLs.
        output: The folder of the shards: a path or a URL.
        settings: The questions, the columns and the reader.
        rows_per_shard: Number of input rows in each shard; ``None``: as many as have about 4,096 questions.
        workers: Number of workers; ``None``: the usable cores of this machine or of the cluster, divided by the threads
            of a worker.
        retry_errors: Whether to repeat shards with errors. ``max_context_chars`` may then differ from the first run's.
    """

    inputs: tuple[str, ...]
    output: str | Path
    settings: TableSettings
    rows_per_shard: int | None = None
    workers: int | None = None
    retry_errors: bool = False

    def __post_init__(self) -> None:
        for name in ("rows_per_shard", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, but is {value}")

    @property
    def folder(self) -> Folder:
        """The folder of the shards.

        Raises:
            ConfigError: If the path or URL cannot be used as a folder.
        """
        return Folder.of(self.output)

    @property
    def shard_rows(self) -> int:
        """Number of input rows per shard."""
        return self.rows_per_shard or max(1, _PER_SHARD // max(1, len(self.settings.asked)))

    @property
    def worker_count(self) -> int:
        """Number of workers on this machine."""
        return self.workers or default_workers(self.settings.reader.threads)


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a job.

    Attributes:
        plan: The plan.
        done: The counts of all finished shards that are not repeated.
        todo: The indices of the other shards.
    """

    plan: Plan
    done: Counts
    todo: list[int]

    @property
    def shards_done(self) -> int:
        """Number of finished shards that are not repeated."""
        return self.plan.shards - len(self.todo)


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a job.

    Attributes:
        counts: The counts of all shards.
        shards: Number of shards.
        seconds: Duration of this run, in seconds.
        rows_now: Number of rows answered by this run.
        starting: Time until the first worker had loaded its reader, in seconds; on Ray, until the first shard started.
    """

    counts: Counts
    shards: int
    seconds: float
    rows_now: int
    starting: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        answering = self.seconds - self.starting
        return {
            **self.counts.to_dict(),
            "shards": self.shards,
            "this_run": {
                "rows": self.rows_now,
                "seconds": round(self.seconds, 2),
                "starting_seconds": round(self.starting, 2),
                "rows_per_second": round(self.rows_now / answering, 1) if answering > 0 else 0.0,
            },
        }


# Called with the status at the start, and then with the progress of each worker.
Follow = Callable[[Status, Progress | None], None]
# Runs shards of a plan, like `run_local`.
Engine = Callable[[Plan, list[int], int | None, Watch], None]


def inspect_job(job: Job) -> Status:
    """Return the state of a job without changing anything (``--dry-run``).

    Raises:
        ConfigError: If the columns do not match, or the folder contains another job.
        JobError: If the manifest in the folder cannot be read.
        DataError: If an input cannot be read.
        ReaderError: If the reader does not exist.
    """
    return _status(job, read_manifest(job.folder))


def run(job: Job, follow: Follow, engine: Engine = run_local) -> Summary:
    """Run a job, or resume it.

    Raises:
        ConfigError: As in :func:`inspect_job`; and if another job uses the folder.
        JobStoppedError: If it was stopped by a signal, after all shards in progress were written.
        JobError: As in :func:`inspect_job`; and if workers are killed repeatedly, or have an unexpected error.
        DataError: If an input has changed, or cannot be read.
        ReaderError: If the reader cannot be loaded, or fails.
        OSError: If a shard cannot be written.
    """
    begun = time.monotonic()
    folder = job.folder
    read_manifest(folder)  # raises before anything is written to a folder that is not the job's
    folder.make()
    with FirstSignal() as stop, locked(folder):
        before = read_manifest(folder)
        status = _status(job, before)
        folder.clear()
        follow(status, None)
        current = _Run(job, status, before, follow, begun)
        if status.todo:
            watch = Watch(current.started, current.progress, lambda: stop.seen != 0)
            engine(status.plan, status.todo, job.workers, watch)
        shards = status.plan.shards
        if stop.seen and current.shards_left:
            raise JobStoppedError(
                f"{folder}: stopped after {shards - current.shards_left:,} of {shards:,} shards. "
                "Run the same command again to resume.",
                stop.seen,
            )
        summary = current.summary()
        folder.write(SUMMARY, as_json(summary.to_dict()))
        return summary


class _Run:
    """One run of a job: checks the readers that workers have loaded, and counts what they have done.

    Attributes:
        shards_left: Number of shards that are not written yet.
    """

    def __init__(self, job: Job, status: Status, before: dict[str, Any] | None, follow: Follow, begun: float) -> None:
        """Start to count.

        Args:
            job: The job.
            status: Its state at the start.
            before: The manifest in the folder, if there is one.
            follow: Called with the progress.
            begun: When the run began, by the monotonic clock.
        """
        self.shards_left = len(status.todo)
        self._job = job
        self._status = status
        self._before = self._written = before
        self._follow = follow
        self._begun = begun
        self._reader_hash = reader_hash(_folder(job))
        self._done = Counts()
        self._starting = 0.0

    def started(self, reader: Started) -> None:
        """Check a loaded reader against the manifest; write the manifest if it is new.

        Raises:
            ConfigError: If the reader differs from that of the manifest.
        """
        self._starting = self._starting or self._seconds
        now = manifest(self._status.plan, self._reader_hash, reader)
        _check(self._job, self._before or now, now)
        if now != self._written:
            write_manifest(self._job.folder, now)
            self._written = now

    def progress(self, news: Progress) -> None:
        """Count the rows of a worker."""
        if news.began is not None and not self._done.rows:
            since = self._seconds - (time.time() - news.began)
            self._starting = min(max(self._starting, since), self._seconds)
        if news.is_done:
            self._done += news.counts
            self.shards_left -= 1
        self._follow(self._status, news)

    def summary(self) -> Summary:
        """Return the result."""
        counts = self._status.done + self._done
        return Summary(counts, self._status.plan.shards, self._seconds, self._done.rows, self._starting)

    @property
    def _seconds(self) -> float:
        """Duration of this run so far."""
        return time.monotonic() - self._begun


def _status(job: Job, before: dict[str, Any] | None) -> Status:
    locations = find_files(job.inputs)
    folder = job.folder
    inside = [one.path for one in locations if one.path.startswith(f"{folder.base}/")]
    if inside:
        raise ConfigError(f"{folder}: must be outside the input, but contains {inside[0]}")
    table = _known_table(job, locations, before) or scan(locations, job.settings, job.shard_rows)
    check_storable(output_schema(table.schema, job.settings))
    plan = Plan(table, job.settings, job.shard_rows, folder)
    if before is not None:
        reader = before["reader"]
        now = manifest(plan, reader_hash(_folder(job)), Started(reader["engine"], reader["precision"]))
        _check(job, before, now)
    else:
        _folder(job)
    done, todo = Counts(), []
    for index in range(plan.shards):
        counts = plan.done(index)
        if counts is None or (job.retry_errors and counts.failed):
            todo.append(index)
        else:
            done += counts
    return Status(plan, done, todo)


def _known_table(job: Job, locations: list[Location], before: dict[str, Any] | None) -> Table | None:
    """Return the table as scanned by an earlier run, if no file has changed."""
    if before is None or before["rows_per_shard"] != job.shard_rows:
        return None
    table = table_of(before)
    known = [(file.location, dict(file.fingerprint)) for file in table.files]
    return table if known == [(location, location.fingerprint()) for location in locations] else None


def _check(job: Job, before: dict[str, Any], now: dict[str, Any]) -> None:
    if job.retry_errors:
        free = {"max_context_chars": now["settings"]["max_context_chars"]}
        before = {**before, "settings": {**before["settings"], **free}}
    check_same(job.folder, before, now)


def _folder(job: Job) -> ReaderFolder:
    return find_folder(job.settings.reader.source)
