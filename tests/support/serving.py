"""A real server for the tests, in a separate process or in a thread, and a client that can misbehave."""

import asyncio
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from quoth.engines import Sequential
from quoth.reader import Reader
from quoth.reading import DecodeSettings
from quoth.serve.http.app import create_app
from quoth.serve.http.identity import ServedReader
from quoth.serve.run import server_config
from quoth.serve.settings import ServeSettings
from quoth.store import ReaderSettings
from support.readers import tiny_engine, tiny_tokenizer

TINY = str(Path(__file__).parents[1] / "tiny" / "wordpiece")
TEXT = "The black cat sat on the mat. It was tired."
QUESTION = "Where did the cat sit?"
ANSWER = {"question": QUESTION, "context": TEXT}


class Server:
    """A running server, with methods to send requests."""

    def __init__(self, url, process=None, log=None):
        self.url = url
        self.process = process
        self.log = log
        parts = urlsplit(url)
        self.address = parts.hostname, parts.port

    def call(self, method, path, body=None, headers=None, timeout=60):
        """Send one request on a new connection; return status, headers and the JSON, or the text."""
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            headers = {"Content-Type": "application/json"} if headers is None else headers
            connection.request(method, path, body, headers)
            return read(connection.getresponse())
        finally:
            connection.close()

    def post(self, path, document, **headers):
        return self.call("POST", path, json.dumps(document), {"Content-Type": "application/json", **headers})

    def get(self, path, **headers):
        return self.call("GET", path, headers=headers)

    def raw(self, data=b"", timeout=30):
        """Return a socket after sending some bytes."""
        connection = socket.create_connection(self.address, timeout=timeout)
        connection.sendall(data)
        return connection

    def metric(self, name):
        """Return the sum of the lines of a metric whose start is the name."""
        lines = self.get("/metrics")[2].splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def wait_for(self, name, value, seconds=30):
        until = time.monotonic() + seconds
        while self.metric(name) != value:
            assert time.monotonic() < until, f"{name} is {self.metric(name)}, not {value}"
            time.sleep(0.02)


def read(response):
    body = response.read()
    is_json = response.headers.get_content_type() == "application/json"
    return response.status, response.headers, json.loads(body) if is_json and body else body.decode()


def status(connection):
    """Read one response from a socket; return as :func:`read`."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return read(response)


def lives(server, **headers):
    """Return True if the server answers a question."""
    return server.post("/v1/answer", ANSWER, **headers)[0] == 200


def request(path, document, *more):
    """Return the bytes of a POST."""
    body = json.dumps(document).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def form(name, data, field="file"):
    """Return the body of a form with one file, and its content type."""
    head = f'--edge\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n--edge--\r\n", "multipart/form-data; boundary=edge"


def everything(connection):
    """Read from a socket until it is closed."""
    found = b""
    while piece := connection.recv(65536):
        found += piece
    return found


def children_of(process_id):
    """Return the processes that any thread of a process has started."""
    files = Path(f"/proc/{process_id}/task").glob("*/children")
    return [int(word) for file in files for word in file.read_text(encoding="ascii").split()]


def command_of(process_id):
    """Return the command line of a process; empty after it has ended."""
    try:
        return Path(f"/proc/{process_id}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def workers_of(process_id):
    """Return the children that serve: not the one that tracks resources."""
    return [child for child in children_of(process_id) if b"resource_tracker" not in command_of(child)]


@contextmanager
def process(*flags, reader=TINY, python=(sys.executable,), **environment):
    """Run ``quoth serve`` in a separate process, on a free port."""
    words = [*python, "-m", "quoth", "serve", "--port", "0", "--threads", "1", *map(str, flags)]
    words += ["--reader", reader] if reader else []
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUOTH_")} | environment
    log = []
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=kept) as running:
        reading = threading.Thread(target=lambda: log.extend(iter(running.stderr.readline, b"")), daemon=True)
        try:
            line = b""
            while b"Listening on " not in line:
                ready, _, _ = select.select([running.stderr], [], [], 60)
                line = running.stderr.readline() if ready else b""
                log.append(line)
                assert line, b"".join(log).decode()
            reading.start()
            server = Server(line.split()[-1].decode(), running, log)
            token = environment.get("QUOTH_TOKEN")
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            until = time.monotonic() + 60
            while server.get("/readyz", **headers)[0] != 200:
                assert time.monotonic() < until
                time.sleep(0.05)
            yield server
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGKILL)
            running.wait()
            if reading.is_alive():
                reading.join()


class LoopProbe:
    """Middleware that measures the longest processor time between two iterations of the event loop, in seconds."""

    def __init__(self, app):
        self.app = app
        self.longest = 0.0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            self.beating = asyncio.get_running_loop().create_task(self.beat())
        await self.app(scope, receive, send)

    async def beat(self):
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.thread_time() - before)


class SlowEngine(Sequential):
    """The tiny engine with a given speed; it counts the windows that it runs."""

    name = "slow"
    precision = "float32"
    batch_tokens = 4_096

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.batches = []
        self.free = threading.Event()
        self.free.set()

    def run(self, batch):
        self.batches.append(batch)
        time.sleep(self.seconds)
        self.free.wait(30)
        return tiny_engine("wordpiece").run(batch)


def slow_reader(engine, max_tokens=48, overlap=16, **decode):
    return Reader(tiny_tokenizer("wordpiece"), engine, ReaderSettings(max_tokens, overlap, DecodeSettings(**decode)))


@contextmanager
def thread(engine, around=lambda app: app, **settings):
    """Run a server with a given engine in a thread of this process, and an application around its own."""
    settings = ServeSettings(**settings)
    served = ServedReader(slow_reader(engine), "slow", "0" * 16, {})
    listener = socket.create_server(("127.0.0.1", 0))
    folder = tempfile.TemporaryDirectory()
    app = create_app(served, settings, Path(folder.name) / "texts.sqlite")
    server = uvicorn.Server(server_config(around(app), settings))
    running = threading.Thread(target=server.run, args=([listener],))
    running.start()
    try:
        ours = Server(f"http://127.0.0.1:{listener.getsockname()[1]}")
        until = time.monotonic() + 30
        while not server.started or ours.get("/readyz")[0] != 200:
            assert time.monotonic() < until
            time.sleep(0.02)
        engine.batches.clear()
        yield ours
    finally:
        engine.free.set()
        server.should_exit = True
        running.join()
        folder.cleanup()
