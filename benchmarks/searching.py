"""Claim: a corpus indexes 2,000 passages a second, and tantivy searches 200,000 passages in at most 10 ms.

Passages are those of the Wikipedia sample; beyond its end, they are repeated under other titles with some words
changed. Each row is a process of its own. Questions are those of SQuAD dev::

    python benchmarks/searching.py --sizes 20000 200000 --engines fts5 tantivy
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import harness
from quoth.corpus import Corpus
from quoth.corpus.passages import passages_of
from quoth.documents import Document

AT_LEAST, AT_MOST_MS, SIZE = 2_000, 10.0, 200_000
HEAD = ("engine", "passages", "indexed/s", "search ms: median", "95 %", "peak MB: indexing", "searching", "disk MB")


def main() -> None:
    """Measure each engine at each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("QUOTH_DATA")
    parser.add_argument("--data", default=data, required=not data, help="the folder of the data (QUOTH_DATA)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, SIZE], help="numbers of passages")
    parser.add_argument(
        "--engines", nargs="+", default=["fts5", "tantivy"], help="fts5, tantivy or the URL of a server"
    )
    parser.add_argument("--questions", type=int, default=300, help="number of questions (300)")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    harness.add_no_record(parser)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(part(options, *json.loads(options.part))))
        return
    rows, bars = [], []
    for size in options.sizes:
        for engine in options.engines:
            found = measure(engine, size)
            name = engine.split(":")[0]
            rows.append((name, f"{size:,}", *(f"{each:,.1f}" if each < 100 else f"{each:,.0f}" for each in found)))
            bars.append(harness.Bar(f"{name}, {size:,}: indexed a second", found[0], AT_LEAST, unit="", digits=0))
            if (name, size) == ("tantivy", SIZE):
                bars.append(harness.Bar(f"{name}, {size:,}: search", found[1], AT_MOST_MS, at_most=True, unit=" ms"))
    harness.record(
        f"Corpus: up to {max(options.sizes):,} passages",
        [*harness.table(HEAD, *rows), "", *map(str, bars)],
        keep=not options.no_record,
    )


def measure(engine: str, size: int) -> list[float]:
    """Index in one process and search in another."""
    with tempfile.TemporaryDirectory() as folder, database(engine) as url:
        address = url or str(Path(folder) / "c.quoth")
        indexed = step(["index", address, engine, size])
        searched = step(["search", address, engine, size])
        disk = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6
    return [size / indexed[0], *searched[:2], indexed[-1], searched[-1], disk]


@contextmanager
def database(engine: str) -> Iterator[str | None]:
    """Create a database on a server, and drop it at the end; ``None`` for the engines of a file."""
    if ":" not in engine:
        yield None
        return
    import psycopg

    name = f"quoth_benchmark_{os.getpid()}"
    with psycopg.connect(f"{engine}/postgres", autocommit=True) as base:
        base.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{engine}/{name}"
        finally:
            base.execute(f"DROP DATABASE {name} WITH (FORCE)")


def step(words: list[Any]) -> list[float]:
    """Run one step in a process of its own."""
    command = [sys.executable, *sys.argv, "--part", json.dumps(words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return list(json.loads(done.stdout))


def part(options: argparse.Namespace, kind: str, address: str, engine: str, size: int) -> list[float]:
    """Index or search, and return seconds or milliseconds, and the peak of memory in MB."""
    search: Any = None if ":" in engine else engine
    with Corpus.open(address, search=search) as corpus:
        if kind == "index":
            source = articles(Path(options.data), size)
            made, took = list(next(source)), 0.0
            while made:
                before = time.perf_counter()
                corpus.add_documents(made)
                took += time.perf_counter() - before
                made = next(source, [])
            found = [took]
        else:
            times = []
            for question in questions(Path(options.data), options.questions):
                before = time.perf_counter()
                corpus.search(question, 10)
                times.append(1_000 * (time.perf_counter() - before))
            times = sorted(times[len(times) // 10 :])  # the first ones warm the disk cache
            found = [times[len(times) // 2], times[len(times) * 95 // 100]]
    return [*found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]


def articles(data: Path, size: int) -> Iterator[list[Document]]:
    """Yield documents with so many passages, some at a time."""
    draw, count, some = random.Random(0), 0, []
    for number in range(1_000):
        with gzip.open(data / "text" / "wikipedia-sample.txt.gz", "rt", encoding="utf-8") as file:
            paragraphs: list[str] = []
            for line in file:
                if line.strip():
                    paragraphs.append(line.strip())
                    continue
                words = "\n\n".join(paragraphs).split(" ")
                if number:
                    for _ in range(len(words) // 20):
                        words[draw.randrange(len(words))] = words[draw.randrange(len(words))].lower()
                text, title = " ".join(words), f"{' '.join(words[:3])} {number or ''}".strip()
                paragraphs = []
                count += len(passages_of(text))
                some.append(Document(text, name=f"{number}/{count}", title=title))
                if len(some) == 500 or count >= size:
                    yield some
                    some = []
                if count >= size:
                    return


def questions(data: Path, count: int) -> list[str]:
    """Return some questions of SQuAD dev."""
    dev = json.loads((data / "squad" / "squad-v1.1-dev.json").read_text(encoding="utf-8"))["data"]
    found = [q["question"] for article in dev for paragraph in article["paragraphs"] for q in paragraph["qas"]]
    return harness.sample(found, count)


if __name__ == "__main__":
    main()
