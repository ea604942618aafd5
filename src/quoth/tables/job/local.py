"""Runs a job on this machine: worker processes with one reader each write the shards; this process assigns them.

If a worker is killed, another one repeats its shard. Workers ignore stop signals, which the parent process handles, and
exit with it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

import pyarrow as pa

from quoth.engines.base import usable_cores
from quoth.errors import JobError, QuothError
from quoth.tables.answer import TableAnswerer
from quoth.tables.job.manifest import Started
from quoth.tables.job.plan import Counts, Plan
from quoth.tables.job.queue import ShardQueue
from quoth.tables.job.shards import write_shard
from quoth.tables.sources import Cursor

# Maximum number of attempts at a shard whose workers are killed, or have an unexpected error.
_ATTEMPTS = 3
# Interval of checks for a stop signal, in seconds.
_TICK = 0.2


class Progress(NamedTuple):
    """The progress of a worker with a shard.

    Attributes:
        shard: The number of the shard.
        counts: The counts so far.
        is_done: Whether the shard is written.
        began: When the worker began the shard, in seconds since the epoch; ``None`` if it is not reported.
    """

    shard: int
    counts: Counts
    is_done: bool
    began: float | None = None


class Failed(NamedTuple):
    """The last message of a worker that ends with an error that nobody expected.

    Attributes:
        reason: The type and the message of the error.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Watch:
    """Callbacks of a run.

    Attributes:
        started: Called after each reader is loaded, before its worker starts a shard; may raise.
        progress: Called with the progress of each shard.
        stopped: Returns True if no more shards should be started.
    """

    started: Callable[[Started], None]
    progress: Callable[[Progress], None]
    stopped: Callable[[], bool]


def default_workers(threads: int | None) -> int:
    """Return the number of workers for the usable cores, given the threads of each worker."""
    return max(1, usable_cores() // (threads or usable_cores()))


def run_local(plan: Plan, shards: list[int], workers: int | None, watch: Watch) -> None:
    """Process shards with several workers; as many as the cores allow if their number is ``None``.

    Raises:
        JobError: If a worker cannot start, or workers are killed or have an unexpected error repeatedly at one shard.
            All other shards are written before.
        QuothError, OSError: The error of a worker.
    """
    workers = workers or default_workers(plan.settings.reader.threads)
    processes = _WorkerProcesses(plan, ShardQueue(shards, workers), watch)
    try:
        for index in range(min(workers, len(shards))):
            processes.start(index)
        while processes.members:
            processes.listen()
    finally:
        processes.kill()
    processes.raise_if_lost()


@dataclass(slots=True)
class _Member:
    """A worker, in the parent process."""

    index: int
    process: BaseProcess
    connection: Connection
    is_ready: bool = False
    shard: int | None = None
    reason: str | None = None  # why it ended, if it could tell


class _WorkerProcesses:
    def __init__(self, plan: Plan, queue: ShardQueue, watch: Watch) -> None:
        self._plan = plan
        self._queue = queue
        self._watch = watch
        self._attempts: Counter[int] = Counter()
        self._lost: dict[int, str] = {}
        self.members: dict[Connection, _Member] = {}

    def start(self, index: int) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(self._plan, theirs), daemon=True, name=f"quoth-worker-{index}")
        process.start()
        theirs.close()
        self.members[ours] = _Member(index, process, ours)

    def listen(self) -> None:
        """Wait for a message from any worker, and process it."""
        for connection in wait(list(self.members), timeout=_TICK):
            member = self.members[connection]  # type: ignore[index]
            try:
                news = member.connection.recv()
            except (EOFError, OSError):
                self._replace(member)
            else:
                self._receive(member, news)

    def _receive(self, member: _Member, news: Any) -> None:
        if isinstance(news, Exception):
            raise news
        if isinstance(news, Failed):
            member.reason = news.reason
            return
        if isinstance(news, Started):
            self._watch.started(news)
            member.is_ready = True
        else:
            self._watch.progress(news)
        if isinstance(news, Started) or news.is_done:
            self._next(member)

    def _next(self, member: _Member) -> None:
        member.shard = None if self._watch.stopped() else self._queue.take(member.index)
        try:
            member.connection.send(member.shard)
        except OSError:  # it has exited, which is handled next
            return
        if member.shard is None:
            del self.members[member.connection]
            member.process.join()

    def _replace(self, member: _Member) -> None:
        """Replace a worker that has ended before its work was done."""
        member.process.join()
        del self.members[member.connection]
        reason = member.reason or f"it was killed (exit code {member.process.exitcode}): out of memory?"
        if not member.is_ready:
            raise JobError(f"a worker ended before it had loaded its reader: {reason}")
        if (shard := member.shard) is not None:
            self._attempts[shard] += 1
            if self._attempts[shard] >= _ATTEMPTS:
                self._lost[shard] = reason
            else:
                self._queue.put_back(member.index, shard)
        if not self._watch.stopped():
            self.start(member.index)

    def kill(self) -> None:
        """Kill all remaining workers."""
        for member in self.members.values():
            member.process.kill()
            member.process.join()

    def raise_if_lost(self) -> None:
        if self._lost:
            shard, reason = next(iter(self._lost.items()))
            others = f", and {len(self._lost) - 1} other shards" if len(self._lost) > 1 else ""
            raise JobError(
                f"{self._plan.rows_of(shard)}{others}: could not be answered, because their worker ended "
                f"{_ATTEMPTS} times; all other shards are done. The last time: {reason}"
            )


def _work(plan: Plan, connection: Connection) -> None:
    """Run shards until there are no more, in a worker process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_threads(plan.settings.reader.threads)
    try:
        answerer = TableAnswerer(plan.settings)
        engine = answerer.reader.engine
        connection.send(Started(engine.name, engine.precision))
        cursor = Cursor(plan.table, plan.settings)
        while (shard := connection.recv()) is not None:

            def report(counts: Counts, shard: int = shard) -> None:
                connection.send(Progress(shard, counts, False))

            counts = write_shard(plan, shard, cursor, answerer, report)
            connection.send(Progress(shard, counts, True))
    except (QuothError, OSError) as error:
        connection.send(error)
    except Exception as error:
        connection.send(Failed(f"{type(error).__name__}: {error}"))
        raise  # its traceback is printed, for a report of the error


def limit_threads(threads: int | None) -> None:
    """Limit the threads of all libraries of this process; call it before they start threads."""
    if threads is not None:
        os.environ["RAYON_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(threads)
        os.environ["TOKENIZERS_PARALLELISM"] = "false" if threads == 1 else "true"
        pa.set_cpu_count(threads)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
