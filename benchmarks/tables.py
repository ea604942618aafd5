"""Measures `quoth answer` and `answer_table`: rows/s against the reader itself, more workers, Ray, the old pipeline.

    python benchmarks/tables.py --part speed [--rows 1000] [--no-record]

Parts: `speed`, `workers`, `ray`, `questions`, `pipeline`; all of them if none is named. Rows are questions of SQuAD's
dev set, in a Parquet file. A side of one worker has one thread and one core; of two workers, one thread and core each.
Sides alternate. `tables_long.py` measures memory and kills.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness import Bar, options, peer_python, pin, record, sample, table

HERE = Path(__file__).parent
TINY = HERE.parent / "tests" / "tiny" / "wordpiece"
# Rows of a shard: two blocks of the reader, so that the end of a shard is measured often.
SHARD = 512
ALONE, PAIRED, ON_RAY, PEER, WINDOWS = 0.97, 1.9, 1.8, 3.0, 0.9
TEXTS, QUESTIONS = 200, 40
# Of the questions on long texts, one in so many is asked row by row.
PART = 10


def main() -> None:
    """Measure each part, and print the results."""
    parser = options(__doc__, 1000)
    parser.add_argument("--part", action="append", choices=list(PARTS), help="what is measured; may be given again")
    parser.add_argument("--reader", help="folder of a reader; by default the shipped one")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of each side (2)")
    parser.add_argument("--child", choices=list(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--table", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(CHILDREN[given.child](given)))
        return
    with tempfile.TemporaryDirectory() as folder:
        given.table = str(Path(folder) / "rows.parquet")
        write_rows(given)
        for part in given.part or PARTS:
            title, lines = PARTS[part](given, Path(folder))
            record(title, lines, keep=not given.no_record)


def write_rows(given: argparse.Namespace) -> None:
    """Write the sample of questions as a Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    from quoth.data import read_examples

    rows = sample(list(read_examples(given.data)), given.questions)
    columns = {"question": [row.question for row in rows], "context": [row.context for row in rows]}
    parquet.write_table(pa.table(columns), given.table)


def speed(given: argparse.Namespace, folder: Path) -> tuple[str, list[str]]:
    """Compare one worker with the reader itself."""
    job = "`quoth answer`, one worker"
    found = alternate(
        given.rounds,
        {
            "`Reader.answer_all`": lambda: child(given, "answer_all", cores=1)["rows_per_second"],
            job: lambda: answer(given, folder, cores=1, words=("--workers", "1"))["rows_per_second"],
        },
    )
    share = median(found[job]) / median(found["`Reader.answer_all`"])
    return "Tables: one worker, against the reader itself", [
        f"{given.questions:,} rows, shards of {SHARD}; one thread on one core. Loading the reader is not counted; "
        "its first batches, in which the engine prepares itself, are.",
        "",
        *speeds(found),
        "",
        str(Bar("rows/s of `quoth answer`, against `Reader.answer_all`", share, ALONE, digits=3)),
    ]


def workers(given: argparse.Namespace, folder: Path) -> tuple[str, list[str]]:
    """Compare two workers with one."""
    return "Tables: two workers, against one", more_workers(given, folder, PAIRED, (), "loading the reader is not")


def on_ray(given: argparse.Namespace, folder: Path) -> tuple[str, list[str]]:
    """Compare two actors on Ray with one."""
    counted = "starting the actors is not"
    return "Tables on Ray: two actors, against one", more_workers(given, folder, ON_RAY, ("--ray", "local"), counted)


def more_workers(
    given: argparse.Namespace, folder: Path, least: float, words: Sequence[str], counted: str
) -> list[str]:
    """Compare two workers with one; both do the same small shards, so that no worker waits long for the other."""
    shards = ("--rows-per-shard", "64", *words)
    found = alternate(
        given.rounds,
        {
            f"{count}": lambda count=count: answer(  # type: ignore[misc]
                given, folder, cores=count, words=("--workers", str(count), *shards)
            )["rows_per_second"]
            for count in (1, 2)
        },
    )
    ratio = median(found["2"]) / median(found["1"])
    return [
        f"{given.questions:,} rows in shards of 64; each worker has one thread and one core; {counted} counted.",
        "",
        *speeds(found, "workers"),
        "",
        str(Bar("rows/s of two workers, against one", ratio, least, digits=2)),
    ]


def questions(given: argparse.Namespace, folder: Path) -> tuple[str, list[str]]:
    """Ask forty questions of each of 200 long texts, against row by row and against the network alone."""
    found = child(given, "questions", cores=1)
    rows = [
        ("", "seconds", "texts encoded"),
        ("`answer_table(..., questions=[...])`", f"{found['together']:.1f}", f"{found['encoded']:,}"),
        ("`Reader.answer`, row by row", f"{found['apart']:.1f}", f"{found['encoded_apart']:,}"),
        ("the network alone, on the same windows", f"{found['network']:.1f}", ""),
    ]
    return "Tables: forty questions on each of 200 long texts", [
        f"{found['texts']} texts of {found['characters']:,} characters on average, {found['windows']:,} windows; "
        f"{found['reader']}, one thread on one core. Row by row, and the network alone, are "
        f"measured with one row in {PART}, at random, and multiplied.",
        "",
        *table(*rows),
        "",
        str(Bar("texts encoded, for each text", found["encoded"] / found["texts"], 1, at_most=True, digits=0)),
        str(Bar("against row by row", found["apart"] / found["together"], 1, digits=2)),
        f"- the network takes {100 * found['network'] / found['together']:.0f} % of the time",
    ]


def pipeline(given: argparse.Namespace, folder: Path) -> tuple[str, list[str]]:
    """Compare with a script of `datasets.map` around the old pipeline, from start to end of the process."""
    python = peer_python("pipeline")
    if python is None:
        sys.exit("tables: the old pipeline must have its environment, but has none. Make it with: make peers")
    peer = "`datasets.map` around the pipeline of transformers 4.57 (`benchmarks/peer_map.py`)"
    ours = "`quoth answer`"
    command = [str(python), str(HERE / "peer_map.py"), str(given.model), given.table, str(folder / "peer.parquet")]

    def per_second(run: Callable[[], Any]) -> float:
        began = time.perf_counter()
        run()
        return float(given.questions / (time.perf_counter() - began))

    threads = str(given.threads)
    found = alternate(
        given.rounds,
        {
            peer: lambda: per_second(lambda: quiet([*command, threads], cores=given.threads)),
            ours: lambda: per_second(lambda: answer(given, folder, cores=given.threads, words=())),
        },
    )
    return "Tables: against `datasets.map` around the old pipeline", [
        f"{given.questions:,} rows on {threads} cores, from the start of the process to its end; the same weights.",
        "",
        *speeds(found),
        "",
        str(Bar("rows/s", median(found[ours]) / median(found[peer]), PEER, digits=2)),
    ]


def answer_all(given: argparse.Namespace) -> dict[str, float]:
    """Return the rows per second of the reader itself, from its first row on, as a worker does it."""
    from pyarrow import parquet

    from quoth import Example, Reader

    rows = parquet.read_table(given.table).to_pylist()
    reader = Reader.load(given.reader, threads=1)
    examples = [Example(str(place), row["question"], row["context"]) for place, row in enumerate(rows)]
    began = time.perf_counter()
    count = sum(1 for _ in reader.answer_all(examples))
    return {"rows_per_second": count / (time.perf_counter() - began)}


def many_questions(given: argparse.Namespace) -> dict[str, Any]:
    """Ask forty questions of each long text, together and row by row; count the texts that are encoded."""
    import pyarrow as pa

    from quoth import Example, Reader, answer_table
    from quoth.data import read_examples
    from quoth.reading import batches_of

    examples = sample(list(read_examples(given.data)), TEXTS * 4)
    asked = [example.question for example in examples[:QUESTIONS]]
    texts = [" ".join(example.context for example in examples[place::TEXTS]) for place in range(TEXTS)]
    source = given.reader or str(TINY)

    def counted() -> tuple[Reader, Counted]:
        loaded = Reader.load(source, threads=1)
        tokenizer = Counted(loaded.tokenizer)
        return Reader(tokenizer, loaded.engine, loaded.settings), tokenizer  # type: ignore[arg-type]

    reader, tokenizer = counted()
    list(reader.answer_all([("Who?", "Ada.")] * 16))
    tokenizer.texts = 0
    began = time.perf_counter()
    answered = answer_table(reader, pa.table({"context": texts}), questions=asked)
    together, encoded = time.perf_counter() - began, tokenizer.texts
    pairs = sample([(ask, text) for text in texts for ask in asked], TEXTS * QUESTIONS // PART)
    windows = [window for pair in pairs for window in reader.windower.windows(Example("", *pair))]
    began = time.perf_counter()
    limit = reader.settings.max_tokens
    for batch in batches_of(windows, reader.engine.batch_tokens, reader.tokenizer.pad_id, limit=limit):
        reader.engine.run(batch)
    network = time.perf_counter() - began
    reader, apart = counted()
    began = time.perf_counter()
    for ask, text in pairs:
        reader.answer(ask, text)
    return {
        "reader": Path(source).name if given.reader else "a tiny reader",
        "texts": len(texts),
        "characters": sum(map(len, texts)) // len(texts),
        "windows": sum(answered.column("windows").to_pylist()),
        "together": together,
        "encoded": encoded,
        "network": PART * network,
        "apart": PART * (time.perf_counter() - began),
        "encoded_apart": PART * apart.texts,
    }


class Counted:
    """A tokenizer that counts the texts that it encodes with their offsets: contexts, but not questions."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.texts = 0

    def encode(self, texts: Sequence[str]) -> Any:
        """Encode texts."""
        self.texts += len(texts)
        return self._tokenizer.encode(texts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def answer(given: argparse.Namespace, folder: Path, cores: int, words: Sequence[str]) -> dict[str, float]:
    """Run `quoth answer` in an empty folder; return what its summary says of the run."""
    command = [sys.executable, "-m", "quoth", "answer", given.table, "--json", "--rows-per-shard", str(SHARD)]
    command += ["--reader", given.reader] if given.reader else []
    with tempfile.TemporaryDirectory(dir=folder) as output:
        out = quiet([*command, "-o", str(Path(output) / "answers"), *words], cores)
    found: dict[str, float] = json.loads(out)["this_run"]
    return found


def child(given: argparse.Namespace, name: str, cores: int) -> dict[str, Any]:
    """Run one side in a process of its own, and return its results."""
    command = [sys.executable, __file__, "--child", name, "--table", given.table, "--data", str(given.data)]
    command += ["--reader", given.reader] if given.reader else []
    found: dict[str, Any] = json.loads(quiet(command, cores))
    return found


def quiet(command: list[str], cores: int) -> str:
    """Run a command on some cores; return its output."""
    before = os.sched_getaffinity(0)
    variables = dict(os.environ)
    try:
        pin(cores)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        os.sched_setaffinity(0, before)
        os.environ.clear()
        os.environ.update(variables)
    if done.returncode:
        sys.exit(f"tables: {' '.join(command[:5])}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def alternate(rounds: int, sides: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Let each side run once a round; return its speeds."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            found[name].append(run())
            print(f"{name}: {found[name][-1]:.1f} rows/s", file=sys.stderr)
    return found


def speeds(found: dict[str, list[float]], head: str = "") -> list[str]:
    """Return a table of speeds: the median of the rounds, and each round."""
    rows = [(name, f"{median(each):.1f}", ", ".join(f"{one:.1f}" for one in each)) for name, each in found.items()]
    return table((head, "rows/s", "each round"), *rows)


median = statistics.median
PARTS: dict[str, Callable[[argparse.Namespace, Path], tuple[str, list[str]]]] = {
    "speed": speed,
    "workers": workers,
    "ray": on_ray,
    "questions": questions,
    "pipeline": pipeline,
}
CHILDREN: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "answer_all": answer_all,
    "questions": many_questions,
}

if __name__ == "__main__":
    main()
