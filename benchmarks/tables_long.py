"""Measures long jobs of `quoth answer`: memory and time per row up to a million rows, and 50 kills.

    python benchmarks/tables_long.py --part memory --part kills [--no-record]

Uses the tiny reader of the tests, because only the growth matters. `memory`: the sum of the peak memory of all
processes of a job (`VmHWM` of Linux), with 10,000 and 1,000,000 rows. `kills`: kill -9 of all processes of a job at 50
random moments (seeded), each followed by the same command.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness import Bar, add_no_record, record, table

HERE = Path(__file__).parent
TINY = HERE.parent / "tests" / "tiny" / "wordpiece"
AT_MOST_MB, FLAT = 50.0, 1.1
WORKERS = 2


def main() -> None:
    """Measure each part, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--part", action="append", choices=["memory", "kills"], help="what is measured; both if none is"
    )
    parser.add_argument(
        "--rows", type=int, nargs=2, default=(10_000, 1_000_000), help="rows of both tables of `memory`"
    )
    parser.add_argument("--kills", type=int, default=50, help="how many (50)")
    parser.add_argument("--latest", type=float, default=4.0, help="seconds after the start of the last moment (4)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    add_no_record(parser)
    given = parser.parse_args()
    parts = {"memory": memory, "kills": kills}
    for part in given.part or parts:
        with tempfile.TemporaryDirectory() as folder:
            title, lines = parts[part](given, Path(folder))
        record(title, lines, keep=not given.no_record)


def memory(given: argparse.Namespace, folder: Path) -> tuple[str, list[str]]:
    """Run a job on few and on many rows; compare the memory of all its processes and the time per row."""
    found = []
    for rows in given.rows:
        source = write_rows(folder / f"{rows}.parquet", rows)
        output = folder / f"out{rows}"
        process = start(source, output, "--json", stdout=subprocess.PIPE)
        peaks = watched(process)
        assert process.stdout is not None
        run = json.loads(process.stdout.read())
        if process.wait() or run["rows"] != rows:
            sys.exit(f"tables_long: {rows:,} rows must be answered, but were not")
        print(f"{rows:,} rows: {', '.join(f'{peak:.0f}' for peak in peaks.values())} MB", file=sys.stderr)
        most = sorted(peaks.values())[-WORKERS:]
        found.append((rows, sum(peaks.values()), run["this_run"]["rows_per_second"], output, most))
    growth = found[1][1] - found[0][1]
    first, last = tenths(found[1][3])
    lines = [
        (f"{rows:,}", f"{megabytes:.1f}", ", ".join(f"{peak:.1f}" for peak in most), f"{rate:.0f}")
        for rows, megabytes, rate, _, most in found
    ]
    return "Tables: memory and time up to a million rows", [
        f"The tiny reader, {WORKERS} workers of one thread; the peaks of all processes added up.",
        "",
        *table(("rows", "MB", "of these, the workers", "rows/s"), *lines),
        "",
        str(Bar("growth of memory", growth, AT_MOST_MB, at_most=True, unit=" MB")),
        str(
            Bar("time of a row in the last tenth of the shards, against the first", last / first, FLAT, True, digits=2)
        ),
    ]


def tenths(output: Path) -> tuple[float, float]:
    """Return the seconds per shard in the first and in the last tenth of a job, by the times of its files."""
    times = sorted(path.stat().st_mtime for path in output.glob("part-*.parquet"))
    size = max(1, len(times) // 10)
    return (times[size] - times[0]) / size, (times[-1] - times[-1 - size]) / size


def watched(process: subprocess.Popen[str]) -> dict[int, float]:
    """Wait until a job ends; return the peak of each of its processes, in MB."""
    peaks: dict[int, float] = {}
    while process.poll() is None:
        for pid in family(process.pid):
            with suppress(OSError):
                if held := re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
                    peaks[pid] = int(held[1]) / 1024
        time.sleep(0.25)
    return peaks


def family(pid: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield pid
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from family(int(child))


def kills(given: argparse.Namespace, folder: Path) -> tuple[str, list[str]]:
    """Kill a job again and again; compare its shards with those of one that nobody killed."""
    rows, size = 150_000, 100
    source = write_rows(folder / "rows.parquet", rows)
    words = ("--rows-per-shard", str(size))
    if start(source, folder / "whole", *words).wait():
        sys.exit("tables_long: the job must end, but failed")
    expected = digests(folder / "whole")
    moments = random.Random(given.seed)
    output = folder / "killed"
    lost: list[int] = []
    done: list[int] = []
    for _ in range(given.kills):
        before = states(output)
        process = start(source, output, *words, start_new_session=True)
        # From the first moment of the process to long after the first shard.
        time.sleep(moments.uniform(0.0, given.latest))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        after = states(output)
        if any(after.get(name) != state for name, state in before.items()):
            sys.exit("tables_long: a shard that was done must stay as it is, but was written again")
        lost.append(len([*output.glob(".part-*.part")]) if output.is_dir() else 0)
        done.append(len(after) - len(before))
        print(f"killed: {done[-1]} more shards, {lost[-1]} begun and lost", file=sys.stderr)
    if start(source, output, *words).wait():
        sys.exit("tables_long: the job must end, but failed")
    same = sum(digests(output).get(name) == digest for name, digest in expected.items())
    beside = [path.name for path in output.rglob("*.parquet") if path.name not in expected]
    late = sum(count > 0 for count in done)
    return f"Tables: kill -9 at {given.kills} moments", [
        f"{rows:,} rows in shards of {size}, {WORKERS} workers; all processes killed 0 to {given.latest:g} seconds "
        f"after the start (seed {given.seed}), then the same command. {late} of the kills came after shards had been "
        f"written: {sum(done)} in all, each as a file that no later run touched.",
        "",
        str(Bar("shards equal, byte for byte", 100 * same / len(expected), 100, unit=" %", digits=0)),
        str(Bar("other files of that kind", len(beside), 0, at_most=True, unit="", digits=0)),
        str(Bar("shards begun and lost by a kill, for each worker", max(lost) / WORKERS, 1, True, "", 1)),
        f"- {sum(lost)} shards begun and lost in all",
    ]


def states(output: Path) -> dict[str, tuple[int, int]]:
    """Return the inode and the time of each shard, which change if it is written again."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in output.glob("part-*.parquet")}


def digests(output: Path) -> dict[str, str]:
    """Return a hash of each shard."""
    paths = output.glob("part-*.parquet")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def start(source: Path, output: Path, *words: str, **more: Any) -> subprocess.Popen[str]:
    """Start `quoth answer`."""
    command = [sys.executable, "-m", "quoth", "answer", str(source), "-o", str(output), "--workers", str(WORKERS)]
    command += ["--reader", str(TINY), "--threads", "1", *words]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, text=True, **more)


def write_rows(path: Path, rows: int) -> Path:
    """Write a table of short texts."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([("n", pa.int64()), ("question", pa.string()), ("context", pa.string())])
    with parquet.ParquetWriter(path, schema) as writer:
        for begin in range(0, rows, 10_000):
            numbers = range(begin, min(rows, begin + 10_000))
            asked = [f"Where does Ada live in {number}?" for number in numbers]
            texts = [f"In {number} Ada lives in Paris." for number in numbers]
            writer.write_table(pa.table({"n": list(numbers), "question": asked, "context": texts}, schema))
    return path


if __name__ == "__main__":
    main()
