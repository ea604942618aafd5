"""Several readers by name, and reloading one without losing requests."""

import asyncio
import concurrent.futures
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager
from functools import partial

import pytest
import uvicorn

from quoth.errors import ReaderError
from quoth.serve.errors import ApiError
from quoth.serve.http.app import create_app
from quoth.serve.http.identity import ServedReader
from quoth.serve.http.readers import QueuedReader, Readers
from quoth.serve.metrics import Metrics
from quoth.serve.run import server_config
from quoth.serve.settings import ServeSettings
from quoth.serve.tracing import Tracing
from support.readers import change_weights, changeable_reader, tiny_layout
from support.serving import ANSWER, QUESTION, TEXT, TINY, SlowEngine, process, slow_reader

pytestmark = pytest.mark.serve

TOKEN = {"Authorization": "Bearer s3cret"}


@pytest.mark.long
def test_a_request_can_select_a_reader_by_name():
    other = TINY.replace("wordpiece", "bpe")
    with process("--also", f"second={other}", "--also", f"third={TINY}") as server:
        assert server.get("/v1/reader")[2]["readers"] == ["wordpiece", "second", "third"]
        hashes = {}
        for name in (None, "wordpiece", "second", "third"):
            code, headers, found = server.post("/v1/answer", {**ANSWER, "reader": name})
            assert code == 200
            assert headers["Quoth-Reader"] == found["reader"]["hash"]
            hashes[name] = found["reader"]["hash"]
            if name:
                assert server.get(f"/v1/reader?reader={name}")[2]["hash"] == hashes[name]
        assert hashes[None] == hashes["wordpiece"] == hashes["third"] != hashes["second"]
        rows = server.post("/v1/answers", {"questions": [QUESTION], "context": TEXT, "reader": "second"})[2]
        assert rows["reader"]["hash"] == hashes["second"]
        assert server.post("/v1/explain", {**ANSWER, "reader": "second"})[2]["reader"]["hash"] == hashes["second"]
        code, _, found = server.post("/v1/answer", {**ANSWER, "reader": "fourth"})
        assert (code, found["error"]["code"]) == (404, "reader_not_found")
        assert "wordpiece, second, third" in found["error"]["message"]


@pytest.fixture
def folder(tmp_path):
    """A reader whose weights can be changed."""
    return changeable_reader(tmp_path / "reader")


class Crowd:
    """Clients that send questions continuously."""

    def __init__(self, server, headers):
        self.codes, self.hashes, self.stopped = [], [], threading.Event()

        def ask(_):
            while not self.stopped.is_set():
                code, given, _ = server.post("/v1/answer", ANSWER, **headers)
                self.codes.append(code)
                self.hashes.append(given["Quoth-Reader"])

        self.pool = concurrent.futures.ThreadPoolExecutor(4)
        self.work = [self.pool.submit(ask, number) for number in range(4)]

    def stop(self):
        self.stopped.set()
        for each in self.work:
            each.result()
        self.pool.shutdown()


@pytest.mark.long
def test_a_reader_is_reloaded_without_losing_requests(folder):
    with process(reader=str(folder), QUOTH_TOKEN="s3cret") as server:
        before = server.get("/v1/reader", **TOKEN)[2]["hash"]
        crowd = Crowd(server, TOKEN)
        change_weights(folder)
        code, _, found = server.post("/v1/reader/reload", {}, **TOKEN)
        time.sleep(0.3)
        crowd.stop()
        assert code == 200
        assert found["hash"] != before
        assert set(crowd.codes) == {200}
        assert set(crowd.hashes) == {before, found["hash"]}
        assert crowd.hashes[-1] == found["hash"]
        assert server.post("/v1/reader/reload?reader=none", {}, **TOKEN)[0] == 404
        assert server.post("/v1/reader/reload", {})[0] == 401


@pytest.mark.long
def test_a_reader_that_cannot_be_reloaded_stays_in_use(folder):
    with process(reader=str(folder), QUOTH_TOKEN="s3cret") as server:
        shutil.move(folder, folder.with_name("gone"))
        code, _, found = server.post("/v1/reader/reload", {}, **TOKEN)
        assert (code, found["error"]["code"]) == (500, "reader_failed")
        assert str(folder) not in found["error"]["message"]
        assert server.post("/v1/answer", ANSWER, **TOKEN)[0] == 200
        until = time.monotonic() + 10
        while not any(b"kept the old reader" in line for line in server.log):
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.mark.long
def test_reloading_over_http_needs_a_token():
    with process() as server:
        code, _, found = server.post("/v1/reader/reload", {})
        assert (code, found["error"]["code"]) == (403, "needs_token")


@pytest.mark.long
def test_a_server_reloads_its_reader_on_sighup(folder):
    with process(reader=str(folder)) as server:
        before = server.get("/v1/reader")[2]["hash"]
        crowd = Crowd(server, {})
        change_weights(folder)
        server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 30
        while server.get("/v1/reader")[2]["hash"] == before:
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.2)
        crowd.stop()
        assert set(crowd.codes) == {200}
        assert len(set(crowd.hashes)) == 2
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0


class BrokenEngine(SlowEngine):
    """An engine that loads, but cannot run a batch."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def run(self, batch):
        raise self.error


def served(engine, reload=None):
    return ServedReader(slow_reader(engine), "slow", "0" * 16, {}, reload=reload)


@asynccontextmanager
async def opened(first):
    readers = Readers(
        {"slow": first}, lambda each: QueuedReader.of(each, ServeSettings(), Metrics(), Tracing())
    )  # fmt: skip
    await readers.open()
    try:
        yield readers
    finally:
        await readers.close()


def workers():
    """Return the threads of readers."""
    return {thread for thread in threading.enumerate() if thread.name.startswith(("engine", "answer"))}


@pytest.mark.parametrize("error", [ReaderError("it cannot run"), RuntimeError("it cannot run")])
def test_nothing_remains_of_a_reader_whose_reload_fails(error):
    async def reload():
        async with opened(served(SlowEngine(), lambda: served(BrokenEngine(error)))) as readers:
            before, tasks = workers(), asyncio.all_tasks()
            old = readers.first
            with pytest.raises(ApiError) as caught:
                await readers.reload(None)
            assert (caught.value.status_code, caught.value.problem.code) == (500, "reader_failed")
            assert readers.first is old
            assert (workers(), asyncio.all_tasks()) == (before, tasks)

    asyncio.run(reload())


def test_a_replaced_reader_finishes_its_work_in_threads_before_it_stops():
    async def close():
        queued = QueuedReader.of(served(SlowEngine()), ServeSettings(), Metrics(), Tracing())
        await queued.open()

        async def search_then_read():
            await queued.answerer.in_thread(partial(time.sleep, 0.05))
            return await queued.answerer.in_thread(lambda: "read")

        requests = [asyncio.create_task(search_then_read()) for _ in range(9)]
        await asyncio.sleep(0)
        await queued.close()
        assert await asyncio.gather(*requests) == ["read"] * 9

    asyncio.run(close())


def test_a_reader_that_stops_does_not_block_the_event_loop():
    async def close():
        queued = QueuedReader.of(served(SlowEngine()), ServeSettings(), Metrics(), Tracing())
        await queued.open()
        started, end = threading.Event(), threading.Event()

        def late(stop):
            started.set()
            end.wait(5)

        request = asyncio.create_task(queued.answerer.verify(late))
        await asyncio.to_thread(started.wait)
        request.cancel()  # nobody waits any more, but the thread goes on
        closing = asyncio.create_task(queued.close())
        await asyncio.sleep(0.2)
        assert not closing.done()
        end.set()
        await closing

    asyncio.run(close())


def test_a_reader_without_a_source_cannot_be_reloaded():
    async def reload():
        async with opened(served(SlowEngine())) as readers:
            with pytest.raises(ApiError, match="the reader slow must have a source") as caught:
                await readers.reload("slow")
            assert (caught.value.status_code, caught.value.problem.code) == (409, "no_source")
            assert caught.value.headers is None

    asyncio.run(reload())


def test_a_server_whose_reader_cannot_answer_logs_why_closes_everything_and_ends(tmp_path, capsys):
    before, settings = workers(), ServeSettings()
    app = create_app(served(BrokenEngine(ReaderError("it cannot run"))), settings, tmp_path / "texts.sqlite")
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(SystemExit) as end:
        uvicorn.Server(server_config(app, settings)).run([listener])
    assert end.value.code == uvicorn.config.STARTUP_FAILURE
    assert "it cannot run" in capsys.readouterr().err
    assert workers() == before
    assert not list(tmp_path.glob("*-wal")), "the databases must be closed"


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_whose_reader_cannot_answer_exits_with_a_sentence(tmp_path, workers):
    onnx = pytest.importorskip("onnx")
    folder = tiny_layout("one", tmp_path / "reader")
    network = onnx.load(folder / "model.onnx")
    [weights] = [each for each in network.graph.initializer if each.name.endswith("word_embeddings.weight")]
    few = onnx.numpy_helper.to_array(weights)[:8]  # most tokens have no embedding
    weights.CopyFrom(onnx.numpy_helper.from_array(few, weights.name))
    onnx.save(network, folder / "model.onnx")
    words = [sys.executable, "-m", "quoth", "serve", "--port", "0", "--engine", "onnxruntime", "--reader", folder]
    done = subprocess.run(
        [*words, "--workers", str(workers)], capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    assert done.returncode == 1
    assert "model.onnx: cannot run" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("quoth: the readers must answer a question before the server")
