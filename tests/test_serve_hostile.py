"""Clients that fill memory, take slots, or do not read: their data is limited, and other clients are still served."""

import contextlib
import http.client
import json
import re
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from support.serving import (
    ANSWER,
    QUESTION,
    TEXT,
    TINY,
    SlowEngine,
    form,
    lives,
    process,
    request,
    status,
    thread,
)

pytestmark = [pytest.mark.long, pytest.mark.serve]

CHUNKED = (
    b"POST /v1/answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
)


def memory(server, name="VmHWM"):
    facts = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"{name}:\s+(\d+)", facts)[1]) * 1024


@pytest.fixture(scope="module")
def server():
    with process("--read-s", "5") as running:
        yield running


def flood(connection, block, seconds):
    """Send a block repeatedly; return the number of bytes sent before the connection was closed or time was up."""
    sent, end = 0, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            connection.sendall(block)
            sent += len(block)
    except OSError:
        pass
    return sent


@pytest.mark.parametrize(
    ("start", "block"),
    [
        (CHUNKED + b"0\r\n", b"".join(b"x%d: yyyy\r\n" % number for number in range(4_000))),  # trailers
        (CHUNKED + b"0\r\nx: ", b"y" * 50_000),  # one endless trailer
        (CHUNKED + b"1;", b"z" * 50_000),  # an endless chunk extension
        (CHUNKED + b"1\r\n \r\n1;" + b"z" * 10, b"z" * 50_000),
        (request("/v1/answer", ANSWER) + b"GET /healthz HTTP/1.1\r\nX: ", b"x" * 50_000),  # a second, endless head
        (b"GET /" + b"a" * 100, b"a" * 50_000),  # an endless URL
        (b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2_000),  # thousands of requests at once
    ],
)
def test_whatever_a_client_sends_is_bounded_before_it_is_kept(server, start, block):
    assert lives(server)
    before = memory(server)
    with server.raw(start) as connection:
        flood(connection, block, 3)
        assert memory(server) - before < 25_000_000
    assert lives(server)


def test_trailers_are_allowed_and_ignored(server):
    body = json.dumps(ANSWER).encode()
    chunk = b"%x\r\n" % len(body) + body + b"\r\n"
    with server.raw(
        CHUNKED.split(b"2\r\n{}")[0] + chunk + b"0\r\nHost: evil.example\r\nX-Sum: 1\r\n\r\n"
    ) as connection:
        assert status(connection)[0] == 200


def test_headers_that_are_too_large_get_an_error_in_json(server):
    with server.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000 + b"\r\n\r\n") as connection:
        code, headers, found = status(connection)
    assert (code, found["error"]["code"]) == (431, "head_too_large")
    assert headers["Connection"] == "close"


def test_invalid_http_gets_an_error_in_json(server):
    with server.raw(b"BREW /pot\x00 HTTP/1.1\r\n\r\n") as connection:
        code, headers, found = status(connection)
    assert (code, found["error"]["code"]) == (400, "bad_request")
    assert headers["Quoth-Version"]


def test_a_client_that_does_not_read_is_disconnected():
    with process("--send-s", "1", "--rows", "500") as server:
        many = {"questions": [QUESTION] * 500, "context": TEXT, "top_k": 100}
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        small.settimeout(60)
        small.connect(server.address)
        small.sendall(request("/v1/answers", many))
        assert select.select([small], [], [], 60)[0]  # the response has begun
        time.sleep(3)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := small.recv(65_536):
                received += piece
        small.close()
        head, _, body = received.partition(b"\r\n\r\n")
        assert len(body) < int(re.search(rb"content-length: (\d+)", head.lower())[1])


def test_a_slow_but_steady_reader_gets_everything():
    with process("--send-s", "1") as server:
        kept = server.post("/v1/texts", {"text": "A gull flew over the tower. " * 17_000})[2]["handle"]
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.settimeout(60)
        slow.connect(server.address)
        slow.sendall(f"GET /v1/texts/{kept} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        found = b""
        while piece := slow.recv(8_192):
            found += piece
            time.sleep(0.02)
        slow.close()
        assert len(json.loads(found.split(b"\r\n\r\n", 1)[1])["text"]) == 17_000 * 28


def test_refused_requests_hold_no_slot():
    with process("--requests", "4", QUOTH_TOKEN="s3cret") as server:
        head = b"POST /v1/answer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        refused = [server.raw(head) for _ in range(40)]  # each is read for five seconds after its 401
        assert lives(server, Authorization="Bearer s3cret")
        assert server.get("/page/app.js")[0] == 200
        assert b" 401 " in refused[0].recv(100)
        for connection in refused:
            connection.close()


def test_slow_bodies_hold_no_slot():
    with process("--requests", "3", "--read-s", "8") as server:
        slow = [server.raw(request("/v1/answer", ANSWER)[:-5]) for _ in range(30)]
        body, kind = form("a.html", b"<p>A gull flew in.</p>")
        head = (
            f"POST /v1/texts HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        slow += [server.raw(head.encode() + body[:-5]) for _ in range(10)]
        assert all(lives(server) for _ in range(5))
        assert server.metric("quoth_requests_held") == 0
        slow[0].sendall(request("/v1/answer", ANSWER)[-5:])
        assert status(slow[0])[0] == 200
        for connection in slow:
            connection.close()


def test_the_page_and_health_are_served_while_all_slots_are_taken():
    engine = SlowEngine()
    with thread(engine, requests=3) as server:
        engine.free.clear()
        held = [server.raw(request("/v1/answer", ANSWER)) for _ in range(3)]
        server.wait_for("quoth_requests_held", 3)
        for path in ("/", "/page/app.js", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"):
            assert server.get(path)[0] == 200, path
        assert server.post("/v1/answer", ANSWER)[0] == 503
        server.wait_for('quoth_overloaded_total{reason="requests"}', 1)
        engine.free.set()
        for connection in held:
            assert status(connection)[0] == 200
            connection.close()


def test_idle_connections_make_room_for_new_ones():
    with process("--connections", "20") as server:
        idle = [server.raw() for _ in range(60)]
        before = time.monotonic()
        assert lives(server)
        assert server.get("/healthz")[0] == 200
        assert time.monotonic() - before < 2
        # The oldest are closed.
        until = time.monotonic() + 10
        while len(closed := select.select(idle, [], [], 0)[0]) < 40:
            assert time.monotonic() < until, len(closed)
            time.sleep(0.05)
        assert set(idle[:40]) <= set(closed)
        assert len(closed) < 45
        assert idle[-1] not in closed
        for connection in idle:
            connection.close()


def test_a_connection_whose_request_has_a_slot_is_not_closed_for_others():
    engine = SlowEngine()
    with thread(engine, connections=5) as server:
        engine.free.clear()
        with server.raw(request("/v1/answer", ANSWER)) as working:
            server.wait_for("quoth_requests_held", 1)
            idle = [server.raw() for _ in range(20)]
            engine.free.set()
            assert status(working)[0] == 200
            for connection in idle:
                connection.close()


def test_more_sockets_than_files_are_reported_at_the_start_and_do_not_block():
    words = f"ulimit -n 1024; exec {sys.executable} -m quoth serve --port 0 --threads 1 --reader {TINY}"
    with subprocess.Popen(["bash", "-c", words], stderr=subprocess.PIPE) as running:
        try:
            lines = []
            while not lines or b"Listening on" not in lines[-1]:
                lines.append(running.stderr.readline())
                assert lines[-1], lines
            assert any(b"ulimit -n" in line for line in lines)
            port = int(lines[-1].rsplit(b":", 1)[1])
            threading.Thread(target=running.stderr.read, daemon=True).start()
            idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(1_200)]
            for path in ("/healthz", "/v1/reader"):
                before = time.monotonic()
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                connection.request("GET", path)
                assert connection.getresponse().status == 200
                connection.close()
                assert time.monotonic() - before < 3
            for one in idle:
                one.close()
        finally:
            running.kill()


def test_bodies_together_are_bounded():
    with process("--body-bytes", "100000", "--bodies-bytes", "250000", "--read-s", "3") as server:
        part = request("/v1/answer", {"question": QUESTION, "context": "a " * 49_000})[:-10]
        waiting = [server.raw(part) for _ in range(2)]
        until = time.monotonic() + 5
        while server.metric("quoth_bodies_bytes") < 190_000:
            assert time.monotonic() < until
        with server.raw(part) as third:
            code, headers, found = status(third)
        assert (code, found["error"]["code"]) == (503, "overloaded")
        assert int(headers["Retry-After"]) >= 1
        server.wait_for('quoth_overloaded_total{reason="bodies"}', 1)
        assert lives(server)
        for connection in waiting:
            connection.close()
        server.wait_for("quoth_bodies_bytes", 0)
