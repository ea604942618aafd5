"""Access control: hosts, origins and tokens, with real processes."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.serving import ANSWER, TINY, SlowEngine, children_of, form, process, thread

pytestmark = pytest.mark.serve

PAGES = "https://pages.example"
AUTHORIZED = {"Authorization": "Bearer s3cret"}


@pytest.fixture(scope="module")
def server():
    with process() as running:
        yield running


@pytest.fixture(scope="module")
def guarded():
    """A server with tokens; pages of another origin may use it."""
    secrets = {"QUOTH_TOKEN": "s3cret", "QUOTH_METRICS_TOKEN": "scrape", "AWS_SECRET_ACCESS_KEY": "aws"}
    with process("--cors", PAGES, **secrets) as running:
        yield running


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1", "127.1.2.3"])
def test_names_of_this_machine_are_allowed_hosts(server, host):
    assert server.post("/v1/answer", ANSWER, Host=host)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1", "[fe80::1]"]
)
def test_other_hosts_are_rejected_against_dns_rebinding(server, host):
    for path in ("/", "/v1/reader", "/metrics", "/page/app.js", "/openapi.json"):
        code, _, found = server.get(path, Host=host)
        assert (code, found["error"]["code"]) == (421, "host_not_allowed"), path
    assert server.post("/v1/answer", ANSWER, Host=host)[0] == 421
    for path in ("/healthz", "/readyz"):
        assert server.get(path, Host=host)[0] == 200


def test_two_host_headers_or_none_are_rejected(server):
    for lines in (b"", b"Host: localhost\r\nHost: evil.example\r\n"):
        with server.raw(b"GET /v1/reader HTTP/1.1\r\n" + lines + b"Connection: close\r\n\r\n") as connection:
            assert b" 400 " in connection.recv(100)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1"])
def test_pages_of_other_origins_are_rejected(server, origin):
    body = json.dumps({"inputs": ANSWER})
    code, _, found = server.call("POST", "/", body, {"Origin": origin})
    assert (code, found["error"]["code"]) == (403, "origin_not_allowed")
    data, kind = form("a.txt", b"text")
    assert server.call("POST", "/v1/texts", data, {"Origin": origin, "Content-Type": kind})[0] == 403
    assert server.get("/v1/reader", Origin=origin)[0] == 403


def test_the_page_of_the_server_may_send_requests(server):
    origin = server.url
    assert server.post("/v1/answer", ANSWER, Origin=origin, **{"Sec-Fetch-Site": "same-origin"})[0] == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_foreign_requests_without_an_origin_are_rejected_but_links_are_followed(server, site):
    assert server.get("/v1/reader", **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})[0] == 403
    assert server.get("/page/app.js", **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})[0] == 403
    for path in ("/", "/docs"):
        assert server.get(path, **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"})[0] == 200
    assert server.get("/v1/reader", **{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"})[0] == 200


def test_only_allowed_hosts_are_accepted():
    with thread(SlowEngine(), allowed_host=("qa.example.org", "*.example.net", "FD00:0::7")) as server:
        for host in (
            "qa.example.org",
            "QA.example.org:443",
            "a.example.net",
            "localhost",
            "[fd00::7]",
            "[fd00:0:0::7]:80",
        ):
            assert server.get("/v1/reader", Host=host)[0] == 200, host
        for host in ("example.net", "example.org", "evilexample.net"):
            assert server.get("/v1/reader", Host=host)[0] == 421, host
        page = {"Host": "qa.example.org", "Origin": "https://qa.example.org"}
        assert server.post("/v1/answer", ANSWER, **page)[0] == 200


def refused(*flags, **environment):
    """Start a server that must fail to start; return its error message."""
    words = [sys.executable, "-m", "quoth", "serve", "--port", "0", "--reader", TINY, *flags]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUOTH_")} | environment
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=kept)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def test_a_public_host_needs_a_token_or_host_names():
    assert "Set QUOTH_TOKEN or --token-file, or give --allowed-host NAME" in refused("--host", "0.0.0.0")
    with process("--host", "0.0.0.0", "--allowed-host", "qa.example.org") as server:
        assert any(b"QUOTH_TOKEN" in line for line in server.log)
        assert server.get("/v1/reader", Host="qa.example.org")[0] == 200
        assert server.get("/v1/reader", Host="10.0.0.9:8000")[0] == 421


@pytest.mark.long
def test_probes_by_the_ip_of_a_pod_work():
    (address,) = {info[4][0] for info in socket.getaddrinfo("127.0.0.2", 0, socket.AF_INET)}
    with process("--host", "0.0.0.0", "--allowed-host", "qa.example.org", QUOTH_TOKEN="s3cret") as server:
        server.address = (address, server.address[1])
        for path in ("/healthz", "/readyz"):
            assert server.get(path, Host="10.1.2.3:8000")[0] == 200
        # Prometheus uses the name or address of a pod, and a token.
        assert server.get("/metrics", Host="10.1.2.3:8000", Authorization="Bearer s3cret")[0] == 200
        assert server.get("/metrics", Host="10.1.2.3:8000")[0] == 421
        assert server.get("/v1/reader", Host="10.1.2.3:8000", Authorization="Bearer s3cret")[0] == 421


@pytest.mark.long
def test_with_a_token_any_host_name_is_accepted():
    with process("--host", "0.0.0.0", QUOTH_TOKEN="s3cret") as server:
        assert server.get("/v1/reader", Host="any.example", Authorization="Bearer s3cret")[0] == 200
        assert server.get("/v1/reader", Host="any.example")[0] == 401


@pytest.mark.parametrize("value", ["", " \t"])
def test_an_empty_token_is_an_error(value):
    assert "QUOTH_TOKEN: must be a token, but is empty" in refused(QUOTH_TOKEN=value)


def test_all_paths_except_the_open_ones_need_the_token(guarded):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}):
        for path in ("/v1/reader", "/metrics", "/v1/texts/" + "0" * 64):
            status, given, found = guarded.get(path, **headers)
            assert (status, found["error"]["code"]) == (401, "unauthorized")
            assert given["WWW-Authenticate"] == "Bearer"
        assert guarded.post("/v1/answer", ANSWER, **headers)[0] == 401
        assert guarded.post("/", {}, **headers)[0] == 401
    assert guarded.post("/v1/answer", ANSWER, **AUTHORIZED)[0] == 200
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
        assert guarded.get(path)[0] == 200
    assert guarded.get("/openapi.json")[2]["components"]["securitySchemes"]


def test_the_scheme_may_have_any_case(guarded):
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert guarded.get("/v1/reader", Authorization=f"{scheme} s3cret")[0] == 200
    for wrong in ("Basic s3cret", "Bearer s3cre", "Bearer s3crets", "Bearer", "s3cret", "Bearer é"):
        assert guarded.get("/v1/reader", Authorization=wrong.encode("latin-1"))[0] == 401


def test_tokens_of_a_file_are_rotated_without_a_restart(tmp_path):
    file = tmp_path / "tokens"
    file.write_text("# one a line\nfirst\nsecond\n")
    with process("--token-file", file) as server:

        def valid(*tokens):
            return [server.get("/v1/reader", Authorization=f"Bearer {token}")[0] == 200 for token in tokens]

        assert valid("first", "second", "third") == [True, True, False]
        fresh = tmp_path / "fresh"
        fresh.write_text("second\nthird\n")
        fresh.replace(file)
        until = time.monotonic() + 10
        while valid("first", "second", "third") != [False, True, True]:
            assert time.monotonic() < until
            time.sleep(0.1)
        file.write_text("\n")  # a mistake: the old ones stay valid, and the log says so
        time.sleep(1.5)
        assert valid("second") == [True]
        until = time.monotonic() + 10
        while not any(b"kept the old tokens" in line for line in server.log):  # a thread reads the log
            assert time.monotonic() < until
            time.sleep(0.1)


def test_a_file_without_tokens_is_rejected(tmp_path):
    assert "must be a file of tokens, but cannot be read" in refused("--token-file", str(tmp_path / "none"))
    (tmp_path / "empty").write_text("# none\n")
    assert "must have a token in each line" in refused("--token-file", str(tmp_path / "empty"))


def test_metrics_may_have_a_separate_token(guarded):
    for token in ("s3cret", "scrape"):
        assert guarded.get("/metrics", Authorization=f"Bearer {token}")[0] == 200
    assert guarded.get("/metrics")[0] == 401
    assert guarded.get("/v1/reader", Authorization="Bearer scrape")[0] == 401


def test_parsers_do_not_inherit_the_token(guarded):
    data, kind = form("a.html", b"<p>A gull flew in.</p>")
    assert guarded.call("POST", "/v1/texts", data, {"Content-Type": kind, **AUTHORIZED})[0] == 200
    inherited = [Path(f"/proc/{child}/environ").read_bytes() for child in children_of(guarded.process.pid)]
    assert inherited
    assert not any(b"s3cret" in each or b"scrape" in each or b"aws" in each for each in inherited)


def test_an_allowed_origin_may_send_requests(guarded):
    given = guarded.get("/v1/reader", Origin=PAGES, **AUTHORIZED)[1]
    assert given["Access-Control-Allow-Origin"] == PAGES
    elsewhere = guarded.get("/v1/reader", Origin="https://elsewhere.example", **AUTHORIZED)[1]
    assert "Access-Control-Allow-Origin" not in elsewhere


def test_rejections_have_the_headers_of_cors(guarded):
    preflight = {"Origin": PAGES, "Access-Control-Request-Method": "POST"}
    given = guarded.call("OPTIONS", "/v1/answer", headers=preflight)[1]
    assert given["Access-Control-Allow-Origin"] == PAGES
    for code, headers in (
        guarded.post("/v1/answer", ANSWER, Origin=PAGES)[:2],
        guarded.post("/v1/nothing", ANSWER, Origin=PAGES, **AUTHORIZED)[:2],
        guarded.post("/v1/answer", {}, Origin=PAGES, **AUTHORIZED)[:2],
        guarded.get("/v1/reader", Origin=PAGES, Host="evil.example")[:2],
    ):
        assert code in (401, 404, 421, 422)
        assert headers["Access-Control-Allow-Origin"] == PAGES
        assert "Retry-After" in headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in guarded.get("/v1/reader", Origin="https://evil.example")[1]
