"""Many, large, slow and dangerous files at once: bounded in memory, on disk and in time."""

import concurrent.futures
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quoth.documents import DocumentLimits, Stop, read_document
from quoth.documents.pool import Pool
from quoth.errors import DocumentError, DocumentTooLargeError
from support.files import pdf
from support.serving import QUESTION, TEXT, children_of, form, process

pytestmark = [pytest.mark.long, pytest.mark.serve]

MIB = 1 << 20
PAGE = b"<html><body>" + b"<p>A gull flew over the tower.</p>\n" * 100


def upload(server, name, data, **headers):
    body, kind = form(name, data)
    return server.call("POST", "/v1/texts", body, {"Content-Type": kind, **headers}, timeout=120)


def memory(server):
    facts = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+)", facts)[1]) * 1024


def cpu_seconds(process_id):
    """Return the CPU time of a process, in seconds; 0 after its end."""
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_many_large_files_are_held_on_disk_within_a_budget():
    data = PAGE + b" " * (8 * MIB)
    with process("--uploads-bytes", 20 * MIB, "--file-bytes", 9 * MIB) as server:
        upload(server, "a.html", PAGE)
        before = memory(server)
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            found = list(pool.map(lambda _: upload(server, "a.html", data), range(24)))
        codes = [code for code, _, _ in found]
        assert set(codes) == {200, 503}
        assert codes.count(200) >= 2
        for code, headers, body in found:
            if code == 503:
                assert body["error"]["code"] == "overloaded"
                assert int(headers["Retry-After"]) >= 1
        # Two files are read at a time, with what the pipe to the parser and the form hold of them.
        assert memory(server) - before < 8 * 8 * MIB
        server.wait_for("quoth_uploads_bytes", 0)
        server.wait_for('quoth_overloaded_total{reason="uploads"}', codes.count(503))
        assert upload(server, "a.html", data)[0] == 200


def test_a_file_that_needs_too_much_memory_says_so_and_harms_no_other():
    with process("--parser-bytes", 300 * MIB) as server:
        for _ in range(2):
            code, _, found = upload(server, "dense.html", b"<p>a" * 4_000_000)
            assert (code, found["error"]["code"]) == (413, "file_too_large")
            assert "memory" in found["error"]["message"]
            assert upload(server, "a.html", PAGE)[0] == 200


def test_a_parser_that_used_much_memory_is_replaced():
    pool = Pool(400 * MIB, 1)
    limits = DocumentLimits(file_bytes=64 * MIB, characters=10**9, memory_bytes=400 * MIB)
    try:
        read_document(PAGE, "a.html", limits, pool=pool)
        (first,) = pool.processes()
        read_document(PAGE, "a.html", limits, pool=pool)
        assert pool.processes() == [first]
        read_document(b"<p>a gull flew " * 400_000, "b.html", limits, pool=pool)
        read_document(PAGE, "a.html", limits, pool=pool)
        assert pool.processes() != [first]
        with pytest.raises(DocumentTooLargeError, match=r"419 MB of memory"):
            read_document(b"<p>a" * 5_000_000, "c.html", limits, pool=pool)
    finally:
        pool.close()


def test_a_file_waits_for_a_parser_no_longer_than_the_deadline():
    slow = pdf(["a key is here"] * 80_000)
    with process("--deadline-s", "3") as server, concurrent.futures.ThreadPoolExecutor(6) as pool:
        upload(server, "a.html", PAGE)

        def timed(_):
            before = time.monotonic()
            return upload(server, "slow.pdf", slow)[0], time.monotonic() - before

        found = list(pool.map(timed, range(6)))
        assert {code for code, _ in found} <= {200, 413, 504}
        assert 504 in {code for code, _ in found}
        assert max(seconds for _, seconds in found) < 6
        # Parsers of files that came too late have stopped.
        before = time.monotonic()
        assert upload(server, "a.html", PAGE)[0] == 200
        assert time.monotonic() - before < 3


def test_a_parser_stops_when_its_client_leaves():
    slow = pdf(["a key is here"] * 80_000)
    body, kind = form("slow.pdf", slow)
    lines = ("POST /v1/texts HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", f"Content-Length: {len(body)}")
    head = "\r\n".join([*lines, "", ""])
    with process("--deadline-s", "120") as server:
        # Both parsers are started, and as many files wait as are read.
        assert upload(server, "a.html", PAGE)[0] == 200
        clients = [server.raw(head.encode() + body) for _ in range(4)]
        until = time.monotonic() + 60
        while len(busy := [child for child in children_of(server.process.pid) if cpu_seconds(child) > 1.5]) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        for client in clients:
            client.close()
        left = time.monotonic()
        while set(busy) & set(children_of(server.process.pid)):
            assert time.monotonic() < left + 5
            time.sleep(0.02)
        # The files that waited are not read either.
        assert upload(server, "a.html", PAGE)[0] == 200
        assert time.monotonic() - left < 8
        server.wait_for("quoth_uploads_bytes", 0)
        assert server.metric("quoth_parsing_seconds_count") <= 6


def test_a_file_that_was_given_up_is_not_read():
    stop = Stop()
    stop.set()
    pool = Pool(400 * MIB, 1)
    try:
        with stop.applies(), pytest.raises(DocumentError, match="nobody waits"):
            read_document(PAGE, "a.html", pool=pool)
        assert read_document(PAGE, "a.html", pool=pool).text.startswith("A gull")
    finally:
        pool.close()


def test_a_full_disk_is_no_error_of_the_server(tmp_path):
    """A file system of 4 MiB as the folder for temporary files, in a mount namespace of its own."""
    (tmp_path / "tmp").mkdir()
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path / "tmp")]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let users mount a file system")
    wrapper = tmp_path / "quoth-python"
    wrapper.write_text(f'#!/bin/sh\n{" ".join(probe[2:])} || exit 9\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    with process(python=["unshare", "-rm", str(wrapper)], TMPDIR=str(tmp_path / "tmp")) as server:
        code, headers, found = upload(server, "a.html", PAGE + b" " * (8 * MIB))
        assert (code, found["error"]["code"]) == (503, "overloaded")
        assert int(headers["Retry-After"]) >= 1
        server.wait_for('quoth_overloaded_total{reason="disk"}', 1)
        assert server.post("/v1/answer", {"question": QUESTION, "context": TEXT})[0] == 200
        assert list((tmp_path / "tmp").iterdir()) == []
