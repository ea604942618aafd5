"""A pool of parser processes. Each parses many files, and is replaced after a failure."""

from __future__ import annotations

import atexit
import os
import queue
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache, partial
from threading import Timer
from typing import Any, BinaryIO, cast

from quoth.documents.parsing import MOST_USED, RSS_UNIT, memory_exceeded, receive, send
from quoth.documents.records import DocumentLimits
from quoth.documents.stopping import current_stop
from quoth.errors import DocumentError, DocumentTooLargeError

# A process is replaced after this many files, because parsers may leak memory, and after a file that took this share of
# its memory limit, because it may not give the memory back.
_FILES = 500
_MUCH = 0.25
_START_SECONDS = 60.0


class Pool:
    """Parses files, at most ``workers`` at a time; other calls wait. Thread-safe. A forked process has its own workers.

    Args:
        memory_bytes: Memory limit of each process (address space), in bytes.
        workers: Maximum number of processes; each is started when it is first needed.
    """

    def __init__(self, memory_bytes: int, workers: int = 2) -> None:
        self._memory_bytes = memory_bytes
        self._workers = workers
        self._idle = _none_started(workers)
        if hasattr(os, "register_at_fork"):  # Windows has no fork
            os.register_at_fork(after_in_child=partial(_start_afresh, weakref.ref(self)))

    def parse(
        self, data: bytes, kind: str, limits: DocumentLimits, page: tuple[int, int] | None = None
    ) -> dict[str, Any]:
        """Parse one file, or draw a page of it.

        Args:
            data: The content of the file.
            kind: Its format.
            limits: Limits of time.
            page: The page to draw, from 1, and the width of the picture in pixels.

        Raises:
            DocumentTooLargeError: If a limit is exceeded.
            DocumentError: If it is damaged, encrypted, or does not have the format of its extension, or the library for
                its kind is not installed; and if it was stopped (:class:`quoth.documents.Stop`).
        """
        stop = current_stop()
        with self._worker() as worker:
            with stop.ends(worker.kill):
                answer = worker.ask(data, kind, limits, page)
            is_starved = answer is None and worker.died_of_memory()
        if stop.is_set:
            raise DocumentError("the file was not read to its end, because nobody waits for it any more")
        if answer is None:
            if is_starved:
                raise DocumentTooLargeError(memory_exceeded(kind, self._memory_bytes))
            raise DocumentError(_DAMAGED.format(kind))
        if "too_large" in answer:
            raise DocumentTooLargeError(answer["too_large"])
        if "error" in answer:
            raise DocumentError(answer["error"])
        if "missing" in answer:
            raise DocumentError(
                f"reading .{kind} files needs libraries of Quoth's own installation, but: {answer['missing']}. Install "
                "Quoth again"
            )
        if "damaged" in answer:
            raise DocumentError(_DAMAGED.format(kind))
        return answer

    def close(self) -> None:
        """Stop the idle processes."""
        for _ in range(self._idle.qsize()):
            worker = self._idle.get()
            if worker is not None:
                worker.stop()
            self._idle.put(None)

    def processes(self) -> list[int]:
        """Return the process ids of the idle workers."""
        return [worker.pid for worker in list(self._idle.queue) if worker is not None]

    def forget(self) -> None:
        """Leave the workers to the parent of this forked process, because both would use the same pipes."""
        # Other threads of the parent may have locked the queue.
        of_parent = [worker for worker in self._idle.queue if worker is not None]
        self._idle = _none_started(self._workers)
        for worker in of_parent:
            worker.leave()

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        worker = self._idle.get()
        try:
            worker = _if_sound(worker) or _Worker(self._memory_bytes)
            yield worker
        finally:
            self._idle.put(_if_sound(worker))


def _if_sound(worker: _Worker | None) -> _Worker | None:
    """Return a worker if it can parse another file; else stop it at once, because it may hold much memory."""
    if worker is None or worker.is_sound:
        return worker
    worker.stop()
    return None


def _start_afresh(pool: weakref.ref[Pool]) -> None:
    """Let a pool start its own workers in a forked process, if it still exists."""
    if (found := pool()) is not None:
        found.forget()


def _none_started(workers: int) -> queue.LifoQueue[_Worker | None]:
    idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
    for _ in range(workers):
        idle.put(None)
    return idle


_DAMAGED = "the .{} file is damaged, or has another format than its name says; open it and save it again"


# What a parser needs of the environment; the rest may hold secrets, such as the tokens of a server.
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


def _environment() -> dict[str, str]:
    """Return the environment of a parser."""
    prefixes = ("LC_", "PYTHON", "DYLD_")
    return {
        name: value for name, value in os.environ.items() if name.upper() in _INHERITED or name.startswith(prefixes)
    }


class _Worker:
    """One parser process."""

    def __init__(self, memory_bytes: int) -> None:
        # -P: do not import modules from the current folder.
        command = [sys.executable, "-P", "-m", "quoth.documents.parsing", str(memory_bytes)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment()
        )
        self._memory_bytes = memory_bytes
        self._files = 0
        self._is_ready = self._is_killed = False
        try:
            started = self._timed(_START_SECONDS)
        except BaseException:
            self.stop()
            raise
        self._is_ready = isinstance(started, dict)
        self._started_bytes = started.get("started_bytes", 0) if isinstance(started, dict) else 0

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_sound(self) -> bool:
        """Whether it can parse another file. It may have died while it was idle."""
        return self._is_ready and not self._is_killed and self._process.poll() is None

    def ask(
        self, data: bytes, kind: str, limits: DocumentLimits, page: tuple[int, int] | None
    ) -> dict[str, Any] | None:
        """Parse one file, or draw a page of it; ``None`` if the process exited.

        Raises:
            DocumentTooLargeError: If it takes too long.
        """
        # Until the whole answer is read: if an exception prevents that, the next file would get this answer.
        self._is_ready = False
        self._files += 1
        try:
            send(cast(BinaryIO, self._process.stdin), {"kind": kind, "limits": asdict(limits), "page": page}, data)
        except OSError:
            return None
        answer = self._timed(limits.seconds)
        if answer == "late":
            raise DocumentTooLargeError(
                f"a file must be read within {limits.seconds:g} s, but this .{kind} file takes longer; split it, or "
                "save it as text"
            )
        found = cast("dict[str, Any] | None", answer)
        used = 0 if found is None else found.get("peak_bytes", 0)
        self._is_ready = found is not None and self._files < _FILES and used < _MUCH * self._memory_bytes
        return found

    def died_of_memory(self) -> bool:
        """Return True if the process, which has ended, had too little memory."""
        if not hasattr(os, "wait4"):  # Windows, which has no limit either
            return False
        try:
            _, status, usage = os.wait4(self._process.pid, 0)
        except ChildProcessError:  # somebody else has waited for it
            return False
        self._process.returncode = os.waitstatus_to_exitcode(status)
        killed = self._process.returncode == -signal.SIGKILL
        used = usage.ru_maxrss * RSS_UNIT
        return killed or used > max(MOST_USED * self._memory_bytes, 1.1 * self._started_bytes)

    def _timed(self, seconds: float) -> dict[str, Any] | str | None:
        """Receive a result; ``"late"`` if it takes longer than ``seconds``, ``None`` if the process exited."""
        late = []

        def end() -> None:
            late.append(True)
            self.kill()

        timer = Timer(seconds, end)
        timer.start()
        try:
            message = receive(cast(BinaryIO, self._process.stdout))
        finally:
            timer.cancel()
        if late:
            return "late"
        return None if message is None else message[0]

    def kill(self) -> None:
        """Kill the process; whoever waits for its answer gets none."""
        self._is_killed = True
        self._process.kill()

    def stop(self) -> None:
        """Kill the process, and wait until it has exited."""
        self.kill()
        self._process.wait()
        self._close()

    def leave(self) -> None:
        """Close this process's copies of the pipes of a process that its parent has started, which goes on."""
        self._process.poll()  # finds no such child, so that there is no warning of one that still runs
        self._close()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                cast(BinaryIO, pipe).close()
            except OSError:
                continue


@cache
def shared_pool(memory_bytes: int) -> Pool:
    """Return this process's pool with a memory limit; the parser processes are stopped when this process exits."""
    pool = Pool(memory_bytes)
    atexit.register(pool.close)
    return pool
