"""Odd and hostile requests: many headers and values, changes of protocol, slow readers, a full disk, a late check."""

import http.client
import json
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from quoth.serve.jobs import Jobs
from quoth.serve.store import Texts
from quoth.serve.texts import Text
from quoth.serve.worker import freeze_garbage_collector
from quoth.verification import verify
from quoth.verification.difference import tokens_of
from support.serving import ANSWER, QUESTION, TEXT, LoopProbe, SlowEngine, form, lives, process, request, status, thread

pytestmark = pytest.mark.serve

MIB = 1 << 20


@pytest.fixture(scope="module")
def server():
    with process("--read-s", "5", "--deadline-s", "2", "--requests", "4", "--responses-bytes", "7000000") as running:
        yield running


@pytest.mark.parametrize(
    "host", ["[::1]evil.example", "127.0.0.1:evil", "[::1", "a@127.0.0.1", "localhost,evil.example", "localhost.", ""]
)
def test_an_invalid_host_is_not_taken_for_this_machine(server, host):
    assert server.post("/v1/answer", ANSWER, Host=host)[0] == 421


@pytest.mark.parametrize("origin", ["http://[::1", "null", "", "//", "http://", "http://localhost@evil.example"])
def test_an_invalid_origin_is_a_foreign_one(server, origin):
    code, _, found = server.post("/v1/answer", ANSWER, Origin=origin)
    assert (code, found["error"]["code"]) == (403, "origin_not_allowed")


def test_a_page_without_an_origin_is_foreign_where_any_host_is_allowed():
    with thread(SlowEngine(), allowed_host=("*",)) as running:
        assert running.post("/v1/answer", ANSWER, Host="", Origin="null")[0] == 403


def test_a_request_has_few_headers(server):
    many = b"GET /v1/reader HTTP/1.1\r\nHost: localhost\r\n" + b"a:\r\n" * 5_000 + b"\r\n"
    with server.raw(many) as connection:
        code, _, found = status(connection)
    assert (code, found["error"]["code"]) == (431, "head_too_large")
    assert "at most 128 headers" in found["error"]["message"]
    assert server.get("/healthz", **{f"x{number}": "1" for number in range(100)})[0] == 200


def test_an_offer_to_change_the_protocol_is_ignored(server):
    """Java's client sends one with every request, also with a body."""
    offer = "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"
    plain = request("/v1/answer", ANSWER)
    for data in (request("/v1/answer", ANSWER, *offer) + plain, plain + request("/v1/answer", ANSWER, *offer)):
        with server.raw(data) as connection:
            stream = connection.makefile("rb")
            for _ in range(2):
                assert b" 200 " in stream.readline()
                found = json.loads(stream.read(int(http.client.parse_headers(stream)["Content-Length"])))
                assert found["answers"]
    # A body that comes later is not taken for a request.
    data = request("/v1/answer", ANSWER, *offer)
    with server.raw(data[:-10]) as connection:
        time.sleep(0.1)
        connection.sendall(data[-10:])
        assert status(connection)[0] == 200
    with server.raw(b"CONNECT other.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n") as connection:
        assert status(connection)[0] == 400


def test_a_compressed_body_is_rejected(server):
    code, _, found = server.post("/v1/answer", ANSWER, **{"Content-Encoding": "gzip"})
    assert (code, found["error"]["code"]) == (415, "unknown_encoding")
    assert server.post("/v1/answer", ANSWER, **{"Content-Encoding": "identity"})[0] == 200


def filled(start, item, end):
    return start + b",".join([item] * ((4 * MIB - 100) // (len(item) + 1))) + end


HOSTILE = {
    "empty lists": ("/v1/answers", filled(b'{"context":"x","questions":[', b"[]", b"]}"), 413),
    "numbers": ("/v1/answers", filled(b'{"context":"x","questions":[', b"1", b"]}"), 413),
    "strings": ("/v1/verify", filled(b'{"context":"x","quotes":[', b'""', b"]}"), 413),
    "commas in a string": ("/v1/verify", filled(b'{"context":"x","quotes":["', b"a", b'"]}'), 413),
    "quotes in a string": ("/v1/answer", b'{"question":"a","context":"' + b'\\"' * 400_000 + b'"}', 200),
    "unknown fields": (
        "/v1/answer", b"{" + b",".join(b'"%x":1' % number for number in range(90_000)) + b"}", 422,
    ),
    "unknown fields of a row": (
        "/v1/answers", b'{"rows":[{' + b",".join(b'"%x":1' % number for number in range(90_000)) + b"}]}", 422,
    ),
    "numbers instead of contexts": (
        "/v1/answer", b'{"question":"a","contexts":[' + b",".join([b"1"] * 90_000) + b"]}", 422,
    ),
    "one field many times": ("/v1/answer", b"{" + b",".join([b'"context":"x"'] * 90_000) + b"}", 422),
    "a deep list": ("/v1/answer", b"[" * 90_000, 400),
    "a long number": ("/v1/answer", b'{"question":"a","context":"b","top_k":' + b"9" * 4_000_000 + b"}", 400),
    "a deep list of quotes": (
        "/v1/verify", json.dumps({"quotes": "[" * 15_000, "context": "x"}).encode(), 200,
    ),
}  # fmt: skip


@pytest.mark.long
def test_hostile_json_holds_neither_the_event_loop_nor_memory():
    probes = []

    def around(app):
        probes.append(LoopProbe(app))
        return probes[0]

    with thread(SlowEngine(), around, queue_tokens=5_000_000, deadline_s=120, batch_tokens=16_384) as running:
        lives(running)
        freeze_garbage_collector()
        for name, (path, body, expected) in HOSTILE.items():
            probes[0].longest = 0.0
            assert running.call("POST", path, body)[0] == expected, name
            assert probes[0].longest < 0.05, name
        # A body in millions of chunks.
        probes[0].longest = 0.0
        head = b"POST /v1/answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with running.raw(head + b"Transfer-Encoding: chunked\r\n\r\n") as connection:
            connection.sendall(b"1\r\n \r\n" * 500_000 + b"0\r\n\r\n")
            assert status(connection)[0] == 400
        assert probes[0].longest < 0.05


def slow_reader(server, data):
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.settimeout(30)
    connection.connect(server.address)
    connection.sendall(data)
    return connection


def test_slow_readers_hold_no_slot_and_their_responses_are_bounded(server):
    body = json.dumps({"text": "🐦" * 490_000}, ensure_ascii=False).encode()
    handle = server.call("POST", "/v1/texts", body)[2]["handle"]
    head = f"GET /v1/texts/{handle} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    slow = []
    for _ in range(20):  # 4 requests are allowed at a time, and 3 responses are within the limit
        slow.append(slow_reader(server, head))
        slow[-1].recv(1)
    server.wait_for("quoth_requests_held", 0, 5)
    assert lives(server)

    def complete(connection):
        found = b"x"
        try:
            while piece := connection.recv(65_536):
                found += piece
        except ConnectionResetError:
            return False
        return found.endswith(b"}")

    assert [complete(connection) for connection in slow[-2:]] == [True] * 2
    assert not any(complete(connection) for connection in slow[:10])
    for connection in slow:
        connection.close()


@pytest.mark.long
def test_a_check_of_quotes_ends_with_its_deadline_and_delays_no_file(server):
    words = [f"w{number * 7_919 % 997:x}" for number in range(100_000)]
    quotes = [" ".join(words[first : first + 3]) + f" q{first} " + "zzz " * 60 for first in range(400)]
    texts = {"quotes": quotes, "context": " ".join(words)[:490_000]}
    threads = [threading.Thread(target=server.post, args=("/v1/verify", texts)) for _ in range(3)]
    for one in threads:
        one.start()
    time.sleep(0.5)
    before = time.monotonic()
    body, kind = form("a.html", b"<p>A gull flew in.</p>")
    assert server.call("POST", "/v1/texts", body, {"Content-Type": kind})[0] == 200
    assert time.monotonic() - before < 2
    for one in threads:
        one.join()
    time.sleep(1)
    stat = Path(f"/proc/{server.process.pid}/stat")
    used = [sum(map(int, stat.read_text().split()[13:15])) for _ in (1, 2) if not time.sleep(1)]
    assert used[1] - used[0] < 30  # hundredths of a second, in one second


def test_long_quotes_are_rejected(server):
    code, _, found = server.post("/v1/verify", {"quotes": ["a " * 10_001], "context": TEXT})
    assert (code, found["error"]["code"]) == (413, "quote_characters_limit")


def test_a_check_can_be_stopped_and_keeps_no_text():
    asked = []

    def stop():
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(["A gull flew out.", "A gull sat down."], "A gull flew in.", before_each=stop)
    assert tokens_of.cache_info().currsize == 0
    assert verify("A gull flew out.", "A gull flew in.")[0].status == "near"
    assert tokens_of.cache_info().currsize == 0


def test_the_store_does_not_depend_on_the_time_of_day(tmp_path):
    """Whoever sets the clock neither removes texts and jobs, nor keeps them for longer."""
    texts, jobs = Texts(tmp_path / "texts.sqlite", MIB, 60), Jobs(tmp_path / "jobs.sqlite", MIB, 60)
    texts.put(Text.of("A gull flew in."))
    jobs.start(1, "{}", b"{}")
    for name, column in (("texts", "used"), ("jobs", "touched")):
        with sqlite3.connect(tmp_path / f"{name}.sqlite") as database:
            [[stored]] = database.execute(f"SELECT {column} FROM {name}").fetchall()
        assert abs(stored - time.monotonic()) < 60
    texts.close()
    jobs.close()


@pytest.mark.long
def test_a_full_disk_is_reported_and_stored_texts_can_be_read(tmp_path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    mount = f"mount -t tmpfs -o size=3m tmpfs {folder}"
    if subprocess.run(["unshare", "-rm", *mount.split()], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let users mount a file system")
    wrapper = tmp_path / "quoth-python"
    # The disk becomes full when the test creates a file.
    fill = f"(while [ ! -e {tmp_path}/now ]; do sleep 0.1; done; cat /dev/zero > {folder}/fill; : > {tmp_path}/full) &"
    wrapper.write_text(f'#!/bin/sh\n{mount} || exit 9\n{fill}\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    with process("--text-s", "50", python=["unshare", "-rm", str(wrapper)], TMPDIR=str(folder)) as running:
        handle = running.post("/v1/texts", {"text": TEXT})[2]["handle"]
        (tmp_path / "now").touch()
        until = time.monotonic() + 20
        while not (tmp_path / "full").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        for path, document in (
            ("/v1/texts", {"text": "b " * 200_000}),
            ("/v1/jobs", {"questions": [QUESTION], "context": "b " * 200_000}),
        ):
            code, headers, found = running.post(path, document)
            assert (code, found["error"]["code"]) == (503, "overloaded")
            assert int(headers["Retry-After"]) >= 1
        time.sleep(1.5)  # the lifetime of a text that is used is renewed if possible
        assert running.post("/v1/answer", {"question": QUESTION, "text": handle})[0] == 200
        assert running.get(f"/v1/texts/{handle}")[2]["text"] == TEXT
        assert any(b"SQLITE_FULL" in line for line in running.log)
