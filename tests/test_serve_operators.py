"""Functions for operators: request ids and logs, metrics, addresses, stored texts, and several workers."""

import concurrent.futures
import gzip
import http.client
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from quoth.errors import ConfigError
from quoth.serve.run import serve
from quoth.serve.settings import ServeSettings
from quoth.serve.worker import freeze_garbage_collector
from support.serving import (
    ANSWER,
    QUESTION,
    TEXT,
    TINY,
    LoopProbe,
    SlowEngine,
    command_of,
    form,
    process,
    read,
    thread,
    workers_of,
)

pytestmark = [pytest.mark.serve, pytest.mark.long]


def test_a_request_has_an_id_in_the_response_and_in_the_log_without_texts():
    secret = "xyzzy-plugh"
    with process("--access-log", "--log-format", "json") as server:
        given = server.post("/v1/answer", {"question": secret, "context": secret}, **{"X-Request-ID": "mine-1"})[1]
        assert given["X-Request-ID"] == "mine-1"
        made = server.get(f"/{secret}?{secret}", **{"X-Request-ID": f"no {secret}!"})[1]["X-Request-ID"]
        assert len(made) == 32
        server.get(f"/v1/texts/{'0' * 64}", **{"User-Agent": secret})
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
    assert secret.encode() not in b"".join(server.log)
    lines = [json.loads(line) for line in server.log if line.startswith(b"{")]
    (one,) = [line for line in lines if line.get("request_id") == "mine-1"]
    assert (one["method"], one["endpoint"], one["status"], one["logger"]) == (
        "POST",
        "/v1/answer",
        "200",
        "quoth.access",
    )
    assert one["received"] > 30
    assert one["sent"] > 100
    assert one["client"] == "127.0.0.1"
    (other,) = [line for line in lines if line.get("request_id") == made]
    assert (other["endpoint"], other["status"]) == ("other", "404")


def test_the_client_behind_a_trusted_proxy_is_logged():
    for flags, client in ((("--trusted-proxies", "127.0.0.1"), "192.0.2.7"), ((), "127.0.0.1")):
        with process("--access-log", "--log-format", "json", *flags) as server:
            server.get("/v1/reader", **{"X-Forwarded-For": "192.0.2.7", "X-Request-ID": "mine"})
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0
        lines = [json.loads(line) for line in server.log if line.startswith(b"{")]
        assert [line["client"] for line in lines if line.get("request_id") == "mine"] == [client]


def test_metrics_include_the_process_the_queue_and_answers():
    with process() as server:
        server.post("/v1/answer", {**ANSWER, "null_threshold": -1e9})
        server.post("/v1/answer", ANSWER)
        data, kind = form("a.html", b"<p>A gull flew in.</p>")
        server.call("POST", "/v1/texts", data, {"Content-Type": kind})
        assert server.metric("process_resident_memory_bytes") > 10_000_000
        assert server.metric("process_open_fds") > 3
        assert server.metric("quoth_queue_seconds_count") == 2
        assert server.metric("quoth_parsing_seconds_count") == 1
        assert server.metric("quoth_questions_total") == 2
        assert server.metric("quoth_no_answer_total") >= 1


def test_large_responses_are_compressed_for_clients_that_accept_it():
    with process() as server:
        handle = server.post("/v1/texts", {"text": TEXT * 1_000})[2]["handle"]
        connection = http.client.HTTPConnection(*server.address)
        connection.request("GET", f"/v1/texts/{handle}", headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        assert response.headers["Content-Encoding"] == "gzip"
        content = response.read()
        connection.close()
        assert len(content) < len(TEXT) * 100
        assert json.loads(gzip.decompress(content))["text"] == TEXT * 1_000
        assert "Content-Encoding" not in server.get(f"/v1/texts/{handle}")[1]
        assert "Content-Encoding" not in server.get("/healthz", **{"Accept-Encoding": "gzip"})[1]


def test_flags_can_be_set_by_environment_variables():
    with process(
        QUOTH_SERVE_ROWS="2", QUOTH_SERVE_GZIP="false", QUOTH_SERVE_ALLOWED_HOST="a.example b.example"
    ) as server:
        assert server.get("/v1/reader")[2]["limits"]["rows"] == 2
        assert server.get("/v1/reader", Host="b.example")[0] == 200


def test_a_server_below_a_prefix():
    with process("--root-path", "/qa") as server:
        assert server.url.endswith("/qa")
        server.url = server.url.removesuffix("/qa")
        # As from a proxy that removes the prefix.
        assert server.get("/v1/reader")[0] == 200
        assert server.get("/openapi.json")[2]["servers"] == [{"url": "/qa"}]
        assert server.post("/v1/answer", ANSWER)[0] == 200
        assert server.get("/page/app.js")[0] == 200
        assert server.metric('quoth_requests_total{endpoint="/v1/answer",method="POST",status="200"}') == 1


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def started(*flags):
    words = [
        sys.executable,
        "-m",
        "quoth",
        "serve",
        "--port",
        "0",
        "--threads",
        "1",
        "--reader",
        TINY,
        *map(str, flags),
    ]
    running = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    line = ""
    while "Listening on" not in line:
        line = running.stderr.readline()
        assert line
    return running, line.split()[-1]


def ended(running):
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=60)
    return running.returncode


def test_a_unix_socket():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/quoth.sock"
        with closing(socket.socket(socket.AF_UNIX)) as stale:
            stale.bind(path)  # of a server that was killed
        running, url = started("--unix-socket", path)
        try:
            assert url == f"unix:{path}"
            assert stat.S_IMODE(Path(path).stat().st_mode) == 0o660
            with closing(UnixConnection(path)) as connection:
                connection.request("POST", "/v1/answer", json.dumps(ANSWER), {"Content-Type": "application/json"})
                assert read(connection.getresponse())[0] == 200
        finally:
            assert ended(running) == 0
        assert not Path(path).exists()


@pytest.fixture
def certificate(tmp_path):
    """The flags of a server with a certificate for localhost, in cert.pem."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    return ["--tls-certificate", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem"]


def test_connections_without_a_tls_handshake_are_closed_for_others_and_time_out(certificate, tmp_path):
    running, url = started(*certificate, "--connections", "4", "--read-s", "3")
    try:
        trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        port = int(url.rsplit(":", 1)[1])
        with ExitStack() as stack:
            idle = [stack.enter_context(socket.create_connection(("localhost", port), 30)) for _ in range(12)]
            idle[-1].sendall(b"GET / HTTP/1.1\r\n\r\n")  # not TLS: closed at once
            for closed in idle[:8]:
                assert closed.recv(1) == b"", "only four may stay open"
            with closing(http.client.HTTPSConnection("localhost", port, context=trusted, timeout=30)) as connection:
                for _ in range(2):
                    connection.request("POST", "/v1/answer", json.dumps(ANSWER), {"Content-Type": "application/json"})
                    assert read(connection.getresponse())[0] == 200
            began = time.monotonic()
            for late in idle[8:]:
                with suppress(ConnectionResetError):
                    late.recv(1)
            assert time.monotonic() - began < 10, "a handshake has the time limit of headers"
        last = socket.create_connection(("localhost", port), 30)
    finally:
        assert ended(running) == 0, "an open handshake does not delay the end"
    with closing(last), suppress(ConnectionResetError):
        assert last.recv(1) == b""


def test_tls(certificate, tmp_path):
    running, url = started(*certificate)
    try:
        assert url.startswith("https://")
        trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        port = int(url.rsplit(":", 1)[1])
        with closing(http.client.HTTPSConnection("localhost", port, context=trusted, timeout=30)) as connection:
            connection.request("GET", "/v1/reader", headers={"Origin": f"https://localhost:{port}"})
            assert read(connection.getresponse())[0] == 200
    finally:
        assert ended(running) == 0


def test_a_stored_text_is_deleted_or_expires_and_says_so():
    with process("--text-s", "1") as server:
        first = server.post("/v1/texts", {"text": "A gull flew."})[2]["handle"]
        assert server.call("DELETE", f"/v1/texts/{first}")[0] == 204
        code, _, found = server.get(f"/v1/texts/{first}")
        assert (code, found["error"]["code"]) == (404, "text_not_found")
        assert server.call("DELETE", f"/v1/texts/{first}")[0] == 404
        second = server.post("/v1/texts", {"text": "A gull flew in."})[2]["handle"]
        time.sleep(1.5)
        code, _, found = server.post("/v1/answer", {"question": QUESTION, "text": second})
        assert (code, found["error"]["code"]) == (404, "text_expired")
        assert "has expired" in found["error"]["message"]


def memory_of(process_id):
    text = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    return int(text.split("VmRSS:")[1].split()[0]) * 1_024


def gone(processes, seconds=30):
    until = time.monotonic() + seconds
    while any(command_of(each) for each in processes):
        assert time.monotonic() < until, processes
        time.sleep(0.1)


def test_workers_share_texts_and_are_replaced_and_end_with_their_supervisor(tmp_path):
    with process("--workers", "2", TMPDIR=str(tmp_path)) as server:
        assert memory_of(server.process.pid) < 60_000_000
        workers = workers_of(server.process.pid)
        assert len(workers) == 2
        # A text that one worker stored is known to the other.
        handles = [server.post("/v1/texts", {"text": f"{TEXT} {number}"})[2]["handle"] for number in range(20)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asked = [{"question": QUESTION, "text": handle} for handle in handles] * 3
            assert {code for code, _, _ in pool.map(lambda each: server.post("/v1/answer", each), asked)} == {200}
        files = list(tmp_path.glob("quoth-serve-*/*"))
        assert files
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
        os.kill(workers[0], signal.SIGKILL)
        until = time.monotonic() + 60
        while not any(f"worker {workers[0]} was ended by signal 9".encode() in line for line in server.log):
            assert time.monotonic() < until, server.log
            time.sleep(0.1)
        now = workers_of(server.process.pid)
        assert server.post("/v1/answer", {"question": QUESTION, "text": handles[0]})[0] == 200
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        try:
            gone(now)
        finally:  # otherwise those that remain would keep the log open
            for left in filter(command_of, now):
                os.kill(left, signal.SIGKILL)
        with pytest.raises(ConnectionRefusedError):
            server.raw()


def test_texts_are_deleted_at_shutdown(tmp_path):
    with process("--workers", "2", TMPDIR=str(tmp_path)) as server:
        server.post("/v1/texts", {"text": TEXT})
        assert list(tmp_path.glob("quoth-serve-*"))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    assert not list(tmp_path.glob("quoth-serve-*"))


def test_workers_are_replaced_on_sighup_without_losing_requests():
    with process("--workers", "2") as server:
        before = workers_of(server.process.pid)
        codes, end = [], time.monotonic() + 60
        server.process.send_signal(signal.SIGHUP)
        while set(workers_of(server.process.pid)) & set(before) or len(workers_of(server.process.pid)) != 2:
            codes.append(server.post("/v1/answer", ANSWER)[0])
            assert time.monotonic() < end
        assert set(codes) == {200}


def test_a_reader_that_workers_cannot_load_is_reported_once():
    words = [sys.executable, "-m", "quoth", "serve", "--port", "0", "--reader", "nowhere", "--workers", "2"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (1, 2)
    assert done.stderr.count("nowhere: must be the folder of a reader") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/v1/answers", {"questions": [QUESTION] * 500, "context": TEXT, "top_k": 100}),
        ("/v1/answers", {"rows": [{"question": 1, "contexts": "x"}] * 500}),
        ("/v1/answers", {"rows": [{"question": QUESTION, "context": "a " * 40}] * 500, "top_k": 100}),
        ("/v1/answer", {"question": QUESTION, "context": TEXT * 1_500}),
        ("/v1/explain", {"question": QUESTION, "context": TEXT * 300, "top_k": 100}),
        ("/v1/verify", {"quotes": ["a cat sat"] * 500, "context": TEXT * 1_000}),
        ("/v1/texts", {"text": "Grüße 🐦 " * 50_000}),
    ],
)
def test_nothing_holds_the_event_loop_for_50_ms(path, document):
    probe = []

    def around(app):
        probe.append(LoopProbe(app))
        return probe[0]

    with thread(SlowEngine(), around, queue_tokens=5_000_000, deadline_s=300, batch_tokens=16_384) as server:
        server.post("/v1/answer", ANSWER)
        freeze_garbage_collector()
        probe[0].longest = 0.0
        code = server.call("POST", path, json.dumps(document), None, 300)[0]
        assert code == 200
        assert probe[0].longest < 0.05


def test_contradictory_settings_are_rejected():
    for flags, what in (
        ({"body_bytes": 10, "bodies_bytes": 5}, "--bodies-bytes must be at least --body-bytes"),
        ({"tls_key": "k"}, "--tls-key needs --tls-certificate"),
        ({"root_path": "qa"}, "--root-path must start with /"),
        ({"log_level": "loud"}, "--log-level must be one of"),
        ({"allowed_host": ("http://a.example",)}, "--allowed-host must be a host name or an address, without scheme"),
        ({"allowed_host": ("a.example:8000",)}, "--allowed-host must be a host name or an address, without scheme"),
        ({"allowed_host": ("10.0.0.0/8",)}, "--allowed-host must be a host name or an address, without scheme"),
        ({"allowed_host": "a.example"}, "--allowed-host must be a tuple of texts, but is 'a.example'"),
        ({"allowed_host": (5,)}, "--allowed-host must be a tuple of texts"),
        ({"cors": None}, "--cors must be a tuple of texts, but is None"),
        ({"cors": ("https://a.example/",)}, "--cors must be an origin without a path"),
        ({"cors": ("a.example",)}, "--cors must be an origin without a path"),
        ({"trusted_proxies": "10.0.0.1, 10.0.0.0/33"}, "--trusted-proxies must be addresses or networks"),
        ({"trusted_proxies": 5}, "--trusted-proxies must be of type str, but is 5"),
        ({"root_path": 5}, "--root-path must be of type str, but is 5"),
        ({"token": "a "}, "the token must be printable ASCII"),
        ({"token": 5}, "the token must be text, but is of type int"),
    ):
        with pytest.raises(ConfigError, match=what):
            ServeSettings(**flags)


def test_names_that_requests_can_match_are_accepted():
    ServeSettings(
        allowed_host=("a.example", "*.b.example", "*", "::1", "10.0.0.7", "my_pod"),
        cors=("*", "http://localhost:3000", "https://[::1]:8443", "chrome-extension://abc"),
        trusted_proxies="10.0.0.1, 10.1.0.0/16,fd00::/8",
    )


def test_certificates_that_cannot_be_used_are_reported_before_the_server_listens(tmp_path):
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "1", "-subj", "/CN=localhost"]
    for name, more in (("a", ["-nodes"]), ("b", ["-nodes"]), ("c", ["-passout", "pass:secret"])):
        files = ["-keyout", f"{name}-key.pem", "-out", f"{name}.pem"]
        subprocess.run([*made, *more, *files], cwd=tmp_path, check=True, capture_output=True)
    for certificate, key, reason in (
        ("none.pem", "a-key.pem", "no such file"),
        ("a.pem", "b-key.pem", "key values mismatch"),
        ("c.pem", "c-key.pem", "bad decrypt|password"),
        ("a-key.pem", "a-key.pem", "PEM|pem"),
    ):
        settings = ServeSettings(tls_certificate=str(tmp_path / certificate), tls_key=str(tmp_path / key))
        with pytest.raises(ConfigError, match=f"(?i){certificate} --tls-key .*{key}: must be PEM files.*({reason})"):
            serve(TINY, settings, lambda line: pytest.fail(line))
