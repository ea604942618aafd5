"""Measures serving at 1, 8 and 64 connections, against the reader itself and against peers: questions/s and latency.

    python benchmarks/serving.py [--model FLOAT_FOLDER] [--seconds 10] [--no-peers]

All in one run on one machine, over loopback. wrk (Debian: `apt-get install wrk`) posts the same questions of SQuAD's
dev set to each server, alternately. `Reader.answer_all` answers them in its own process. Peers: a plain FastAPI
endpoint around the old pipeline with the float checkpoint of the shipped reader (`peer_pipeline.py`; `make peers`), and
`mlflow models serve` with the shipped reader. Each measurement takes --seconds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from harness import options as common_options, peer_python, pin, record, sample, verdict

HERE = Path(__file__).parent
CONNECTIONS = (1, 8, 64)
# Targets.
LEAST_SHARE, MOST_ADDED_MS, LEAST_PIPELINE, LEAST_MLFLOW = 0.75, 3.0, 5.0, 2.0
PIPELINE, MLFLOW = "FastAPI around the pipeline of transformers 4", "`mlflow models serve`"
STARTING_S = 180


def main() -> None:
    """Measure, and print the results."""
    options = arguments()
    if shutil.which("wrk") is None:
        sys.exit("serving: wrk must be installed, but is not: apt-get install wrk")
    reader = None if options.reader == "shipped" else options.reader
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        questions = ask_for(options)
        bodies.write_text("".join(json.dumps(each) + "\n" for each in questions), encoding="utf-8")
        with quoth(reader, options) as url:
            alone = latencies(url, questions, options.seconds)
            tables = {"quoth serve": load(url, "/v1/answer", bodies, options.seconds)}
        # Between the two measurements of the server, so that a change of the machine's speed affects both sides.
        in_process = child("answer_all", options, questions)
        with quoth(reader, options) as url:
            again = load(url, "/v1/answer", bodies, options.seconds, (64,))[64]
        tables["quoth serve"][64] = better(tables["quoth serve"][64], again)
        if not options.no_peers:
            command = [str(options.peer_python), str(HERE / "peer_pipeline.py"), str(options.model)]
            with peer(command, options.peer_port, "/readyz") as url:
                tables[PIPELINE] = load(url, "/v1/answer", bodies, options.seconds)
            rows = Path(folder) / "rows"
            rows.write_text("".join(json.dumps({"dataframe_records": [each]}) + "\n" for each in questions))
            with mlflow(reader, Path(folder), options) as url:
                tables[MLFLOW] = load(url, "/invocations", rows, options.seconds)
    report(options, tables, alone, in_process)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = common_options(__doc__, 400)
    parser.add_argument("--reader", default="shipped", help="folder of the reader to serve; the one that ships")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement (10)")
    parser.add_argument("--no-peers", action="store_true", help="leave out the other servers")
    parser.add_argument("--peer-port", type=int, default=8765)
    parser.add_argument("--flags", default="", help="more flags of quoth serve, in one string")
    parser.add_argument("--child", choices=["answer_all"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    pin(options.threads)
    if options.child:
        answer_all(options)
        sys.exit()
    options.peer_python = peer_python("pipeline")
    if not options.no_peers and options.peer_python is None:
        parser.error("the old pipeline must have its environment, but has none. Make it with: make peers")
    return options


def ask_for(options: argparse.Namespace) -> list[dict[str, str]]:
    """Return random questions with their contexts, the same each time."""
    from quoth.data import read_examples

    picked = sample(list(read_examples(options.data)), options.questions)
    return [{"question": example.question, "context": example.context} for example in picked]


def child(name: str, options: argparse.Namespace, questions: list[dict[str, str]]) -> dict[str, float]:
    """Run one side in a separate process and return its results."""
    command = [sys.executable, __file__, *sys.argv[1:], "--child", name]
    done = subprocess.run(command, input=json.dumps(questions), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def answer_all(options: argparse.Namespace) -> None:
    """Print the questions per second of the reader without a server, and the time of one question."""
    from quoth import Example, Reader

    questions = json.loads(sys.stdin.read())
    examples = [Example(str(number), each["question"], each["context"]) for number, each in enumerate(questions)]
    reader = Reader.load(None if options.reader == "shipped" else options.reader)
    list(reader.answer_all(examples[:32]))
    # Whole rounds, because answer_all reads 256 examples ahead: until the time is over.
    began, answered = time.perf_counter(), 0
    while time.perf_counter() - began < options.seconds or not answered:
        answered += sum(1 for _ in reader.answer_all(examples))
    speed = answered / (time.perf_counter() - began)
    one = []
    end = time.perf_counter() + options.seconds / 2
    for each in questions:
        before = time.perf_counter()
        reader.answer(each["question"], each["context"])
        one.append(1e3 * (time.perf_counter() - before))
        if time.perf_counter() > end:
            break
    print(json.dumps({"speed": speed, "p50": statistics.median(one), "asked": len(one)}))


@contextmanager
def quoth(reader: str | None, options: argparse.Namespace) -> Iterator[str]:
    """Run ``quoth serve``; yield its URL."""
    command = [sys.executable, "-m", "quoth", "serve", "--port", "0", *options.flags.split()]
    command += ["--reader", reader] if reader else []
    with started(command, stderr=subprocess.PIPE) as process:
        url = ""
        for line in process.stderr or ():
            if "Listening on " in line:
                url = line.split()[-1]
                break
        wait(f"{url}/readyz", process)
        yield url


@contextmanager
def peer(command: list[str], port: int, path: str, **more: Any) -> Iterator[str]:
    """Run another server; yield its URL."""
    with started([*command, str(port)], **more) as process:
        wait(f"http://127.0.0.1:{port}{path}", process)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def mlflow(reader: str | None, folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Log the reader as an MLflow model in a temporary store, and run ``mlflow models serve``; yield its URL."""
    from quoth.store import find_folder

    # What MLflow would send elsewhere is no part of the comparison. It starts uvicorn by name.
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "1",
    }
    log = [sys.executable, "-m", "quoth", "track", str(find_folder(reader).path)]
    done = subprocess.run(log, stdout=subprocess.PIPE, text=True, check=True, env=environment, cwd=folder)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["--model-uri", done.stdout.split()[-1], "--host", "127.0.0.1", "--port"]
    with peer(command, options.peer_port, "/ping", env=environment, cwd=folder) as url:
        yield url


@contextmanager
def started(command: list[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a process, and stop it with all its children."""
    with subprocess.Popen(command, text=True, start_new_session=True, **more) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):  # it ended by itself
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def wait(url: str, process: subprocess.Popen[str]) -> None:
    """Wait until a server answers."""
    until = time.monotonic() + STARTING_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    sys.exit(f"serving: {url} must answer, but does not")


def load(
    url: str, path: str, bodies: Path, seconds: float, connections: tuple[int, ...] = CONNECTIONS
) -> dict[int, dict[str, float]]:
    """Post bodies over each number of connections; return the results of wrk."""
    found = {}
    warm(url, path, bodies)
    for count in connections:
        found[count] = wrk(url, path, bodies, seconds, count)
    return found


def warm(url: str, path: str, bodies: Path) -> None:
    """Ask a few questions without timing them."""
    for body in bodies.read_bytes().splitlines()[:8]:
        with urlopen(Request(f"{url}{path}", body, {"Content-Type": "application/json"}), timeout=120) as response:
            response.read()


def wrk(url: str, path: str, bodies: Path, seconds: float, connections: int) -> dict[str, float]:
    """Run wrk once, with one thread, which leaves the cores to the server."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s"]
    command += ["-s", str(HERE / "wrk.lua"), url, "--", path, str(bodies)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 120)
    seen = json.loads(done.stdout.splitlines()[-1])
    if seen["refused"] or seen["broken"]:
        sys.exit(
            f"serving: {url}{path} must answer every request, but refused {seen['refused']} and broke {seen['broken']} "
            f"of {seen['requests']} on {connections} connections. On a slow machine, try --flags='--deadline-s 300'"
        )
    if not seen["requests"]:
        sys.exit(f"serving: {url}{path} must answer in {seconds:g} s, but answered nothing. Give it more --seconds")
    return {"speed": seen["requests"] / seen["seconds"], **{name: seen[name] for name in ("p50", "p95", "p99")}}


def better(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Return the faster of two measurements."""
    return max(one, other, key=lambda each: each["speed"])


def latencies(url: str, questions: list[dict[str, str]], seconds: float) -> dict[str, float]:
    """Return the medians of one client in milliseconds: for answers, and for an endpoint that does nothing."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))

    def ask(method: str, path: str, body: str | None) -> float:
        before = time.perf_counter()
        connection.request(method, path, body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        return 1e3 * (time.perf_counter() - before)

    answers, empty = [], []
    end = time.perf_counter() + seconds
    for each in questions:
        answers.append(ask("POST", "/v1/answer", json.dumps(each)))
        empty.append(ask("GET", "/healthz", None))
        if time.perf_counter() > end:
            break
    connection.close()
    return {"answer": statistics.median(answers), "empty": statistics.median(empty), "asked": len(answers)}


def report(
    options: argparse.Namespace,
    tables: dict[str, dict[int, dict[str, float]]],
    alone: dict[str, float],
    in_process: dict[str, float],
) -> None:
    """Print the tables and ratios in Markdown."""
    lines = ["| server | connections | questions/s | p50 ms | p95 ms | p99 ms |", "|---|---|---|---|---|---|"]
    for name, table in tables.items():
        for count, seen in table.items():
            figures = " | ".join(f"{seen[key]:,.1f}" for key in ("speed", "p50", "p95", "p99"))
            lines.append(f"| {name} | {count} | {figures} |")
    ours, *peers = (table[64]["speed"] for table in tables.values())
    share = ours / in_process["speed"]
    added = alone["answer"] - in_process["p50"] - alone["empty"]
    lines += [
        "",
        f"- `Reader.answer_all` on the same questions: {in_process['speed']:.1f} a second; with 64 connections the "
        f"server does {share:.2f} of it (at least {LEAST_SHARE}): {verdict(share >= LEAST_SHARE)}",
        f"- one client: {alone['answer']:.1f} ms an answer (median), `Reader.answer` {in_process['p50']:.1f} ms, an "
        f"empty endpoint {alone['empty']:.2f} ms: {added:.2f} ms added (at most {MOST_ADDED_MS}): "
        f"{verdict(added <= MOST_ADDED_MS)}",
    ]
    for name, speed in zip(list(tables)[1:], peers, strict=True):
        bar = LEAST_MLFLOW if name == MLFLOW else LEAST_PIPELINE
        lines.append(f"- {ours / speed:.1f} times {name} (at least {bar}): {verdict(ours >= bar * speed)}")
    record("Serving, against the reader itself and against peers", lines, keep=not options.no_record)


if __name__ == "__main__":
    main()
