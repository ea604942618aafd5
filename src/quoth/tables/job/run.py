"""A job over a table: planned once, done shard by shard, and resumed by the same command.

DIR/
├── job.json               what is fixed: inputs, settings, reader, versions
├── part-000000.parquet    one file per shard, in the order of the rows; a file that is there is done
├── …
├── summary.json           what came out, once all is done
└── .lock                  held by the process that works here
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quoth.engines.base import usable_cores
from quoth.errors import ConfigError, JobStoppedError
from quoth.files import is_unfinished, write_json
from quoth.signals import FirstSignal
from quoth.store import ReaderFolder, find_folder
from quoth.tables.columns import output_schema
from quoth.tables.job.local import Progress, Watch, run_local
from quoth.tables.job.lock import locked
from quoth.tables.job.manifest import (
    Started,
    check_same,
    manifest,
    read_manifest,
    reader_hash,
    table_of,
    write_manifest,
)
from quoth.tables.job.plan import Counts, Plan
from quoth.tables.settings import TableSettings
from quoth.tables.sources import Location, Table, find_files, scan

SUMMARY = "summary.json"
# Questions in a shard, about, where nothing else is asked for.
_PER_SHARD = 4096


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done.

    Attributes:
        inputs: Files, folders and globs; paths or URLs.
        output: The folder of the shards.
        settings: What is asked.
        rows_per_shard: Rows of the input in each shard; if ``None``, about 4,096 questions.
        workers: Processes on this machine; if ``None``, one per usable core, divided by the threads of each.
        retry_errors: Do shards that hold errors again. Then ``max_context_chars`` may differ from the first run's.
    """

    inputs: tuple[str, ...]
    output: Path
    settings: TableSettings
    rows_per_shard: int | None = None
    workers: int | None = None
    retry_errors: bool = False

    def __post_init__(self) -> None:
        for name in ("rows_per_shard", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, but is {value}")
        if "://" in str(self.output) or str(self.output).startswith(("s3:/", "gs:/")):
            raise ConfigError(f"{self.output}: the output must be a folder that can be locked, not an object store")

    @property
    def shard_rows(self) -> int:
        """Rows of the input in each shard."""
        return self.rows_per_shard or max(1, _PER_SHARD // max(1, len(self.settings.asked)))

    @property
    def crew(self) -> int:
        """How many workers there are."""
        return self.workers or max(1, usable_cores() // (self.settings.reader.threads or usable_cores()))


@dataclass(frozen=True, slots=True)
class Status:
    """How far a job is.

    Attributes:
        plan: What is to be done.
        done: What came out of each shard that is done.
        todo: The others, and those that are done again.
    """

    plan: Plan
    done: dict[int, Counts]
    todo: list[int]


@dataclass(frozen=True, slots=True)
class Summary:
    """What came out.

    Attributes:
        counts: Of all shards.
        shards: How many there are.
        seconds: How long this run took.
        rows_now: Rows that this run answered.
    """

    counts: Counts
    shards: int
    seconds: float
    rows_now: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        rate = round(self.rows_now / self.seconds, 1) if self.seconds else 0.0
        return {
            **self.counts.to_dict(),
            "shards": self.shards,
            "this_run": {"rows": self.rows_now, "seconds": round(self.seconds, 1), "rows_per_second": rate},
        }


# Is told the status at the start, and the news of each worker after that.
Follow = Callable[[Status, Progress | None], None]
# Does shards of a plan: as `run_local`.
Engine = Callable[[Plan, list[int], int, Watch], None]


def look(job: Job) -> Status:
    """Return how far a job is, and change nothing: ``--dry-run``.

    Raises:
        ConfigError: If the columns do not fit, or the folder holds another job.
        DataError: If an input cannot be read.
        ReaderError: If there is no such reader.
    """
    before = read_manifest(job.output) if job.output.is_dir() else None
    return _status(job, before)


def run(job: Job, follow: Follow, engine: Engine = run_local) -> Summary:
    """Do a job, or what is left of it.

    Raises:
        ConfigError: As :func:`look`; and if another job works in the folder.
        JobStoppedError: If a signal came; all shards in progress have been written.
        JobError: If workers end again and again.
        DataError: If an input has changed, or cannot be read.
        ReaderError: If the reader cannot be loaded, or fails.
        OSError: If a shard cannot be written.
    """
    begun = time.monotonic()
    job.output.mkdir(parents=True, exist_ok=True)
    with FirstSignal() as stop, locked(job.output):
        before = read_manifest(job.output)
        status = _status(job, before)
        plan, done = status.plan, dict(status.done)
        _clear(plan)
        follow(status, None)
        hashed = reader_hash(_folder(job))

        def started(reader: Started) -> None:
            now = manifest(plan, hashed, reader)
            _check(job, before or now, now)
            write_manifest(job.output, now)

        def progress(news: Progress) -> None:
            if news.is_done:
                done[news.shard] = news.counts
            follow(status, news)

        if status.todo:
            engine(plan, status.todo, job.crew, Watch(started, progress, lambda: stop.seen != 0))
        if stop.seen and len(done) < plan.shards:
            raise JobStoppedError(
                f"{job.output}: stopped after {len(done):,} of {plan.shards:,} shards. The same command goes on.",
                stop.seen,
            )
        now_done = sum((done[shard] for shard in status.todo), Counts())
        summary = Summary(sum(done.values(), Counts()), plan.shards, time.monotonic() - begun, now_done.rows)
        write_json(job.output / SUMMARY, summary.to_dict())
        return summary


def _status(job: Job, before: dict[str, Any] | None) -> Status:
    locations = find_files(job.inputs)
    inside = [one.path for one in locations if Path(one.path).is_relative_to(job.output.absolute())]
    if inside:
        raise ConfigError(f"{job.output}: must lie outside the input, but {inside[0]} lies in it")
    table = _known_table(job, locations, before) or scan(locations, job.settings, job.shard_rows)
    output_schema(table.schema, job.settings)
    plan = Plan(table, job.settings, job.shard_rows, job.output)
    if before is not None:
        reader = before["reader"]
        now = manifest(plan, reader_hash(_folder(job)), Started(reader["engine"], reader["precision"]))
        _check(job, before, now)
    else:
        _folder(job)
    found = {index: counts for index in range(plan.shards) if (counts := plan.done(index)) is not None}
    if job.retry_errors:
        found = {index: counts for index, counts in found.items() if not counts.failed}
    return Status(plan, found, [index for index in range(plan.shards) if index not in found])


def _known_table(job: Job, locations: list[Location], before: dict[str, Any] | None) -> Table | None:
    """Return the table as it was counted by an earlier run, if nothing has changed since."""
    if before is None or before["rows_per_shard"] != job.shard_rows:
        return None
    table = table_of(before)
    known = [(file.location, dict(file.fingerprint)) for file in table.files]
    return table if known == [(location, location.fingerprint()) for location in locations] else None


def _check(job: Job, before: dict[str, Any], now: dict[str, Any]) -> None:
    if job.retry_errors:
        free = {"max_context_chars": now["settings"]["max_context_chars"]}
        before = {**before, "settings": {**before["settings"], **free}}
    check_same(job.output, before, now)


def _folder(job: Job) -> ReaderFolder:
    return find_folder(job.settings.reader.source)


def _clear(plan: Plan) -> None:
    """Remove what a kill left half written."""
    for path in plan.output.iterdir():
        if is_unfinished(path) and path.is_file():
            path.unlink(missing_ok=True)
