"""Tables in an object store: input and output on a real local S3 server (moto)."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress

import pyarrow as pa
import pytest
from pyarrow import csv, dataset, fs, parquet

from quoth.errors import ConfigError, DataError
from quoth.tables import TableSettings
from quoth.tables.job import Job, inspect_job
from quoth.tables.job.folder import Folder
from quoth.tables.job.lock import locked
from quoth.tables.job.merge import merge
from quoth.tables.sources import Cursor, find_files, scan
from support.tables import READER, SETTINGS, answer, do, environment, shards, start, table

pytestmark = pytest.mark.torch


class Bucket:
    """A bucket on a server."""

    def __init__(self, host, port):
        self.system = fs.S3FileSystem(endpoint_override=f"{host}:{port}", scheme="http", allow_bucket_creation=True)
        self.query = f"?endpoint_override={host}:{port}&scheme=http"
        self.system.create_dir("texts")

    def url(self, name):
        return f"s3://texts/{name}{self.query}"

    def put(self, name, content):
        if isinstance(content, pa.Table):
            parquet.write_table(content, f"texts/{name}", filesystem=self.system)
            return
        with self.system.open_output_stream(f"texts/{name}") as file:
            file.write(content)

    def shards(self, folder):
        """The bytes of each shard of a job."""
        infos = self.system.get_file_info(fs.FileSelector(f"texts/{folder}", allow_not_found=True))
        names = sorted(info.base_name for info in infos if info.base_name.endswith(".parquet"))
        return {name: self.system.open_input_file(f"texts/{folder}/{name}").read() for name in names}


@pytest.fixture
def bucket(monkeypatch):
    moto = pytest.importorskip("moto.server")
    for name, value in (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # The servers of one process share their content.
    urllib.request.urlopen(f"http://{host}:{port}/moto-api/reset", data=b"").close()
    try:
        yield Bucket(host, port)
    finally:
        server.stop()


def test_an_object_store_is_read_like_a_folder(bucket):
    given = table(300)
    bucket.put("in/a.parquet", given.slice(0, 100))
    bucket.put("in/b.parquet", given.slice(100, 100))
    bucket.put("c.jsonl", "".join(json.dumps(row) + "\n" for row in given.slice(200).to_pylist()).encode())
    for name, rows in (("in", 200), ("in/a.parquet", 100), ("in/*.parquet", 200), ("c.jsonl", 100)):
        found = scan(find_files([bucket.url(name)]), TableSettings(), 64)
        cursor = Cursor(found, TableSettings())
        assert (found.rows, found.files[0].location.path.startswith("s3://texts/")) == (rows, True)
        first = 200 if name == "c.jsonl" else 0
        read = pa.concat_tables(part.table for part in cursor.read(50, 100, 64))
        assert read.equals(given.slice(first + 50, 50))
    with pytest.raises(ConfigError, match="there is no such file"):
        find_files([bucket.url("nothing")])
    bucket.put("c.jsonl", b"{}")
    with pytest.raises(DataError, match="must not change"):
        list(cursor.read(50, 100, 64))


@pytest.mark.long
def test_an_object_store_has_the_same_shards_as_a_folder(bucket, tmp_path):
    given = table(450, bad=40)
    bucket.put("in/a.parquet", given)
    source, output = bucket.url("in"), bucket.url("out")
    do(source, tmp_path / "out")
    expected = shards(tmp_path / "out")
    do(source, output)
    assert bucket.shards("out") == expected
    # The same command goes on, and writes nothing again.
    bucket.system.delete_file("texts/out/part-000003.parquet")
    bucket.put("out/part-000001.parquet", expected["part-000001.parquet"][:-50])
    assert do(source, output).rows_now == 200
    assert bucket.shards("out") == expected
    # Other settings are refused, and so is a folder that holds something else.
    with pytest.raises(ConfigError, match=r"s3://texts/out\?.*rows_per_shard was 100, but is 90"):
        do(source, output, rows_per_shard=90)
    with pytest.raises(
        ConfigError, match=r"s3://texts/in\?.*: must be a new or empty folder.* but contains a\.parquet"
    ):
        do(bucket.url("in/a.parquet"), bucket.url("in"))
    with pytest.raises(ConfigError, match="must not contain a key"):
        do(source, "s3://key:secret@texts/out")
    # It is read as a folder of Parquet files, and joined there.
    joined = merge(inspect_job(Job((source,), output, SETTINGS, 100)).plan, "jsonl")
    assert joined == bucket.url("out/_answers.jsonl")
    files = dataset.dataset("texts/out", filesystem=bucket.system, format="parquet").files
    assert files == [f"texts/out/{name}" for name in expected]
    assert parquet.read_table("texts/out", filesystem=bucket.system, use_threads=False).num_rows == 450
    assert len(bucket.system.open_input_file("texts/out/_answers.jsonl").read().splitlines()) == 450
    assert inspect_job(Job((bucket.url("out"),), tmp_path / "again", SETTINGS_OF_OUTPUT)).plan.table.rows == 450


SETTINGS_OF_OUTPUT = TableSettings(columns=("n",), reader=SETTINGS.reader)


def wait_until(process, happened):
    """Wait for a condition while a process runs."""
    until = time.monotonic() + 100
    while not happened():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.long
def test_a_job_that_is_killed_does_not_keep_the_lock_of_an_object_store(bucket, tmp_path):
    bucket.put("in.parquet", table(6000))
    source, output = bucket.url("in.parquet"), bucket.url("out")
    words = (source, "-o", output, "--rows-per-shard", 100, "--workers", 2)
    process = start(*words, start_new_session=True)
    try:
        wait_until(process, lambda: Folder.of(output).exists("_quoth/lock"))
        # While it works, no other job may. This is seen when the lock is renewed: after three seconds at most.
        with pytest.raises(ConfigError, match=r"another one uses it .it renews"):
            do(source, output)
        wait_until(process, lambda: bucket.shards("out"))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    written = bucket.shards("out")
    answer(*words)
    found = bucket.shards("out")
    assert {name: found[name] for name in written} == written
    do(source, tmp_path / "out")
    assert found == shards(tmp_path / "out")
    assert not Folder.of(output).exists("_quoth/lock")


@pytest.mark.long
def test_of_two_concurrent_jobs_in_an_object_store_one_continues(bucket):
    folder = Folder.of(bucket.url("out"))
    outcomes = []

    def job():
        try:
            with locked(folder):
                time.sleep(3)
                outcomes.append("worked")
        except ConfigError:
            outcomes.append("refused")

    threads = [threading.Thread(target=job) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused", "worked"]


@pytest.fixture
def google():
    """The options of a URL of a local server of Google's store, with the bucket ``texts``.

    It has a process of its own, because some calls of pyarrow wait for it without releasing Python's lock.
    """
    pytest.importorskip("gcp_storage_emulator")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "gcp_storage_emulator", "start", "--port", str(port), "--in-memory", "--default-bucket", "texts"]
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield f"?endpoint_override=127.0.0.1:{port}&scheme=http"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.long
def test_googles_store_has_the_same_shards_as_a_folder(google, tmp_path):
    root, given = "gs://anonymous@texts", table(450, bad=40)
    system, _ = fs.FileSystem.from_uri(f"{root}/{google}")
    for place in range(2):
        parquet.write_table(given.slice(225 * place, 225), f"texts/in/{place}.parquet", filesystem=system)
    for name in ("lines.csv", "lines.csv.gz"):
        with system.open_output_stream(f"texts/{name}") as file:  # compressed by its name
            csv.write_csv(given, file)
    source, output = f"{root}/in{google}", f"{root}/out{google}"
    do(source, tmp_path / "out")
    do(f"{root}/in/*.parquet{google}", output)
    found = [info for info in system.get_file_info(fs.FileSelector("texts/out")) if info.path.endswith(".parquet")]
    assert {info.base_name: system.open_input_file(info.path).read() for info in found} == shards(tmp_path / "out")
    assert do(f"{root}/in/*.parquet{google}", output).rows_now == 0
    for name in ("lines.csv", "lines.csv.gz"):
        lines = scan(find_files([f"{root}/{name}{google}"]), TableSettings(), 100)
        read = pa.concat_tables(part.table for part in Cursor(lines, TableSettings()).read(150, 450, 64))
        assert read.column("context").to_pylist() == given.column("context").to_pylist()[150:]
    with pytest.raises(ConfigError, match="must not contain a key"):
        find_files([f"gs://key@texts/in{google}"])


@pytest.mark.long
def test_an_unreachable_store_is_reported_in_one_sentence(tmp_path):
    parquet.write_table(table(3), tmp_path / "in.parquet")
    where = "s3://texts/out?endpoint_override=127.0.0.1:9&scheme=http"
    command = [sys.executable, "-m", "quoth", "answer", str(tmp_path / "in.parquet"), "-o", where, *READER]
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**environment(), **keys}
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
