"""Tables for the tests, and jobs over them: in this process, or as the command line runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

import quoth
from quoth.tables import ReaderChoice, TableAnswerer, TableSettings
from quoth.tables.job import Job, run
from quoth.tables.job.local import Progress
from quoth.tables.job.manifest import Started
from quoth.tables.job.shards import write_shard
from quoth.tables.sources import Cursor
from support.readers import TINY

CHOICE = ReaderChoice(str(TINY / "wordpiece"), threads=1)
SETTINGS = TableSettings(reader=CHOICE)
READER = ("--reader", str(TINY / "wordpiece"), "--threads", "1")


def table(rows, bad=0):
    """Rows with texts of different lengths; every one of ``bad`` rows has a null question."""
    return pa.table(
        {
            "n": range(rows),
            "question": [None if bad and n % bad == 0 else f"Where does Ada live in {n}?" for n in range(rows)],
            "context": [f"In {n} Ada lives in Paris. " * (1 + n % 7) for n in range(rows)],
        }
    )


def inline(plan, shards, _workers, watch):
    """Process shards in this process, like a worker."""
    answerer = TableAnswerer(plan.settings)
    engine = answerer.reader.engine
    watch.started(Started(engine.name, engine.precision))
    cursor = Cursor(plan.table, plan.settings)
    for shard in shards:
        if watch.stopped():
            return
        counts = write_shard(plan, shard, cursor, answerer, lambda _: None)
        watch.progress(Progress(shard, counts, True))


def do(source, output, settings=SETTINGS, rows_per_shard=100, **options):
    """Run a job in this process."""
    sources = source if isinstance(source, list | tuple) else [source]
    job = Job(tuple(map(str, sources)), output, settings, rows_per_shard, **options)
    return run(job, lambda *_: None, inline)


def result(folder):
    """Return all rows of a job's shards, in order."""
    return pa.concat_tables(parquet.read_table(path) for path in sorted(folder.glob("part-*.parquet")))


def shards(folder):
    """Return the bytes of each shard."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.parquet"))}


def start(*words, **more):
    """Start ``quoth answer`` in a new process group."""
    command = [sys.executable, "-m", "quoth", "answer", *READER, *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment(), **pipes, **more)


def environment():
    source = str(Path(quoth.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}


def answer(*words, code=0, **more):
    """Run ``quoth answer`` to its end; return its output on stderr and stdout."""
    process = start(*words, **more)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return err + out
