"""Tables on Ray: real actors of a local cluster with two cores, one of which is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from pyarrow import parquet

from support.readers import TINY
from support.tables import answer, do, environment, result, shards, start, table

pytestmark = [pytest.mark.torch, pytest.mark.long]
EXACT = ["n", "question", "context", "answer", "start", "end", "windows", "reason", "error_code", "error"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    pytest.importorskip("ray")
    path = tmp_path_factory.mktemp("ray") / "in.parquet"
    parquet.write_table(table(3000, bad=100), path)
    return path


@pytest.fixture(scope="module")
def expected(source):
    folder = source.parent / "local"
    do(source, folder, rows_per_shard=150)
    return result(folder)


def same(found, expected):
    assert found.select(EXACT).equals(expected.select(EXACT))
    for name in ("probability", "score"):
        one, other = (part.column(name).drop_null().to_pylist() for part in (found, expected))
        assert one == pytest.approx(other, abs=1e-3)


def actors(driver, name="ShardActor"):
    """Return the process ids of the actors of a cluster that a process started, by their process names."""
    found = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in found.stdout.splitlines()]
    family, grown = {driver}, True
    while grown:
        more = {int(pid) for pid, parent, *_ in rows if int(parent) in family} - family
        family |= more
        grown = bool(more)
    return [int(pid) for pid, _, *args in rows if int(pid) in family and name in "".join(args)]


def started(words, output):
    """Start a job, and wait for its first two shards."""
    process = start(*words)
    until = time.monotonic() + 240
    while process.poll() is None and len(shards(output)) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    return process


def test_a_killed_actor_neither_loses_nor_duplicates_rows(source, expected, tmp_path):
    output = tmp_path / "out"
    words = (source, "-o", output, "--ray", "local", "--workers", 2, "--rows-per-shard", 150)
    process = started(words, output)
    victims = actors(process.pid)
    assert victims
    os.kill(victims[0], signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert len(shards(output)) == 20
    same(result(output), expected)
    assert "shards are already done" in answer(*words)


def test_sigterm_lets_shards_finish_and_the_same_command_resumes(source, expected, tmp_path):
    output = tmp_path / "out"
    words = (source, "-o", output, "--ray", "local", "--workers", 2, "--rows-per-shard", 150)
    process = started(words, output)
    process.terminate()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 143, err
    assert "of 20 shards. Run the same command again to resume." in err
    written = shards(output)
    assert 2 <= len(written) < 20
    assert not list(output.glob(".part*"))
    assert "shards are already done" in answer(*words)
    assert {name: shards(output)[name] for name in written} == written
    same(result(output), expected)


def test_a_path_that_actors_cannot_access_is_rejected_at_the_start(source, tmp_path):
    # A file descriptor path, which is valid only in the process of the command.
    handle = os.open(tmp_path, os.O_RDONLY)
    os.dup2(handle, 900, inheritable=True)
    try:
        words = ("--ray", "local", "--workers", 1)
        process = start(source, "-o", "/proc/self/fd/900/out", *words, pass_fds=[900])
        out, err = process.communicate(timeout=120)
        parquet.write_table(table(3), tmp_path / "in.parquet")
        other = start("/proc/self/fd/900/in.parquet", "-o", tmp_path / "other", *words, pass_fds=[900])
        _, other_err = other.communicate(timeout=120)
    finally:
        os.close(900)
        os.close(handle)
    assert process.returncode == other.returncode == 2, err + out + other_err
    assert "quoth: /proc/self/fd/900/out: must be reachable from every node of the cluster, but is not from" in err
    assert "quoth: /proc/self/fd/900/in.parquet: must be reachable from every node of the cluster" in other_err
    assert shards(tmp_path / "out") == shards(tmp_path / "other") == {}


def test_a_wrong_address_is_reported_in_one_sentence(source, tmp_path):
    for address, why in (("127.0.0.1:9", "no server answers there"), ("cluster", "has no host and port")):
        process = start(source, "-o", tmp_path / "out", "--ray", address)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (2, "")
        assert err.startswith(f"quoth: --ray {address}: must be the address of a Ray cluster, auto or local, but {why}")
        assert len(err.splitlines()) == 1


DATASET = """
import sys
import pyarrow.parquet, ray, ray.data
from quoth.tables import ReaderChoice, TableSettings
from quoth.tables.ray import answer

ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False)
ray.data.DataContext.get_current().enable_progress_bars = False
source, reader, output = sys.argv[1:]
settings = TableSettings(columns=("n",), top_k=2, reader=ReaderChoice(reader, threads=1))
data = ray.data.read_parquet(source, override_num_blocks=20)
answered = answer(data, settings, workers=2, num_cpus=1, batch_size=50)
for number, batch in enumerate(answered.iter_batches(batch_size=50, batch_format="pyarrow", prefetch_batches=0)):
    pyarrow.parquet.write_table(batch, f"{output}/{number:04}.parquet")
    if number == 0:
        print("begun", flush=True)
"""


def test_a_data_set_is_answered_though_an_actor_is_killed(source, expected, tmp_path):
    code = DATASET
    command = [sys.executable, "-W", "ignore", "-c", code, str(source), str(TINY / "wordpiece"), str(tmp_path)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "begun\n" in iter(process.stdout.readline, "")  # Ray may print messages, too
    victims = actors(process.pid, "TableActor")
    assert victims
    os.kill(victims[0], signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    found = result_of(tmp_path)
    assert found.column("n").to_pylist() == list(range(3000))
    for name in ("answer", "start", "end", "error_code"):
        assert found.column(name).to_pylist() == expected.column(name).to_pylist()
    assert {len(row) for row in found.column("answers").to_pylist() if row is not None} == {2}


def result_of(folder):
    return parquet.read_table(folder).sort_by("n")
