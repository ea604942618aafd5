"""Measures the memory of ``quoth serve`` in a memory cgroup of 3 GiB, as in ``deploy/``. Needs Linux and root.

    python benchmarks/serving_memory.py

The cgroup counts all processes of the server, and TMPDIR, which is in memory (``/dev/shm``), without the page cache of
files that can be dropped. It is made below the memory controller (version 1 or 2), and removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness import add_no_record, record, table
from quoth.store import find_folder

MIB = 1 << 20
LIMIT = 3 << 30
# Dense HTML: the parser needs many times its size.
PAGE = b"<p>a" * (8 * MIB - 256)
CONTEXT = "The black cat sat on the mat. " * 16_640
STARTING_S, RESTING_S, SAMPLED_S = 180.0, 12.0, 0.02


@dataclass(frozen=True, slots=True)
class Cgroup:
    """A memory cgroup.

    Attributes:
        folder: Its folder.
        is_first: Whether it is of version 1.
    """

    folder: Path
    is_first: bool

    def used(self) -> int:
        """Return the memory that cannot be dropped, in bytes."""
        name, inactive = (
            ("memory.usage_in_bytes", "total_inactive_file") if self.is_first else ("memory.current", "inactive_file")
        )
        facts = dict(line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
        return int((self.folder / name).read_text()) - int(facts[inactive])

    def killed(self) -> int:
        """Return how many processes were killed because the limit was exceeded."""
        file = self.folder / ("memory.oom_control" if self.is_first else "memory.events")
        return int(dict(line.split() for line in file.read_text().splitlines()).get("oom_kill", 0))


@contextmanager
def cgroup() -> Iterator[Cgroup]:
    """Create a memory cgroup, and remove it at the end."""
    first = Path("/sys/fs/cgroup/memory")
    folder = (first if first.is_dir() else Path("/sys/fs/cgroup")) / f"quoth-{os.getpid()}"
    limit = "memory.limit_in_bytes" if first.is_dir() else "memory.max"
    try:
        folder.mkdir()
        (folder / limit).write_text(str(LIMIT))
    except OSError as error:
        sys.exit(f"serving_memory: {folder} must be a new memory cgroup, but cannot be made: {error.strerror}")
    try:
        yield Cgroup(folder, first.is_dir())
    finally:
        for _ in range(50):  # until its processes have ended
            with suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.2)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its cgroup, process and port."""

    group: Cgroup
    process: int
    port: int

    def call(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> int:
        """Send a request, and return the status of its response; 0 if there is none."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.port), timeout=600) as connection:
            with suppress(OSError):  # it may be refused before the end of the body
                connection.sendall(head.encode() + body)
            try:
                first = connection.recv(12)
                while connection.recv(1 << 16):
                    pass
            except OSError:
                return 0
        return int(first[9:] or 0)

    def resident(self) -> int:
        """Return the resident memory of the server's process, in bytes."""
        lines = Path(f"/proc/{self.process}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@contextmanager
def serving(*flags: str) -> Iterator[Server]:
    """Run ``quoth serve`` in a cgroup of its own."""
    with cgroup() as group, tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        command = [sys.executable, "-m", "quoth", "serve", "--port", "0", "--deadline-s", "60", "--read-s", "120"]
        command += flags
        # The shell moves itself into the cgroup before it becomes the server.
        entering = ["sh", "-c", f'echo $$ > {group.folder}/cgroup.procs && exec "$@"', "sh", *command]
        environment = {**os.environ, "TMPDIR": folder}
        with subprocess.Popen(entering, stderr=subprocess.PIPE, text=True, env=environment) as process:
            try:
                lines = iter(process.stderr or ())
                line = next(line for line in lines if "Listening on" in line)
                server = Server(group, process.pid, int(line.rpartition(":")[2]))
                threading.Thread(target=lambda: list(lines), daemon=True).start()
                until = time.monotonic() + STARTING_S
                while server.call("GET", "/readyz") != 200 and time.monotonic() < until:
                    time.sleep(0.2)
                yield server
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


def peak(server: Server, clients: int, call: Callable[[], int]) -> tuple[int, int, list[int]]:
    """Run many clients at once; return the highest memory of the cgroup and of the process, and all statuses."""
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(call())) for _ in range(clients)]
    for thread in threads:
        thread.start()
    used = resident = 0
    while any(thread.is_alive() for thread in threads):
        used, resident = max(used, server.group.used()), max(resident, server.resident())
        time.sleep(SAMPLED_S)
    return used, resident, statuses


def counted(statuses: list[int]) -> str:
    """Return how many responses had each status."""
    return ", ".join(f"{statuses.count(each)} × {each}" for each in sorted(set(statuses)))


def main() -> None:
    """Measure each state, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_no_record(parser)
    options = parser.parse_args()
    rows: list[tuple[object, ...]] = [("state", "cgroup, MiB", "server process (`VmRSS`), MiB")]

    def add(state: str, used: int, resident: int) -> None:
        print(f"{state}: {used / MIB:,.0f}", file=sys.stderr, flush=True)
        rows.append((state, f"{used / MIB:,.0f}", f"{resident / MIB:,.0f}"))

    form = (
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.html"\r\n\r\n' + PAGE + b"\r\n--edge--\r\n"
    )
    question = json.dumps({"question": "Where did the cat sit?", "context": CONTEXT}).encode()
    with serving() as server:
        ready = server.group.used()
        add("ready", ready, server.resident())
        used, resident, statuses = peak(
            server, 40, lambda: server.call("POST", "/v1/texts", form, "multipart/form-data; boundary=edge")
        )
        add(f"40 clients that upload 32 MB of dense HTML each at once ({counted(statuses)}), at most", used, resident)
        time.sleep(RESTING_S)
        add(f"{RESTING_S:.0f} seconds later", server.group.used(), server.resident())
        used, resident, statuses = peak(server, 8, lambda: server.call("POST", "/v1/answer", question))
        add(f"8 clients that ask about {len(CONTEXT):,} characters each ({counted(statuses)}), at most", used, resident)
        killed = server.group.killed()
    more = {
        "ready, with a second reader (`--also`)": ("--also", f"second={find_folder(None).path}"),
        "ready, with two workers (`--workers 2`)": ("--workers", "2"),
    }
    for state, flags in more.items():
        with serving(*flags) as server:
            time.sleep(RESTING_S)
            add(state, server.group.used(), server.resident())
    lines = [*table(*rows), "", f"- processes killed because of the limit of {LIMIT >> 30} GiB: {killed}"]
    record("Memory of the server", lines, keep=not options.no_record)


if __name__ == "__main__":
    main()
