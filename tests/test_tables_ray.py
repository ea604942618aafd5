"""Tables on Ray: real actors of a local cluster with two cores, of which one is killed."""

import os
import signal
import subprocess
import time

import pytest
from pyarrow import parquet

from support.tables import answer, do, result, shards, start, table

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


def actors(driver):
    """The process ids of the actors of a cluster that a process started; they name themselves."""
    found = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in found.stdout.splitlines()]
    family, grown = {driver}, True
    while grown:
        more = {int(pid) for pid, parent, *_ in rows if int(parent) in family} - family
        family |= more
        grown = bool(more)
    return [int(pid) for pid, _, *args in rows if int(pid) in family and "ShardActor" in "".join(args)]


def test_a_killed_actor_costs_no_row_and_doubles_none(source, expected, tmp_path):
    words = (source, "-o", tmp_path / "out", "--ray", "local", "--workers", 2, "--rows-per-shard", 150)
    process = start(*words)
    until = time.monotonic() + 120
    while process.poll() is None and len(shards(tmp_path / "out")) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    victims = actors(process.pid)
    assert victims
    os.kill(victims[0], signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert len(shards(tmp_path / "out")) == 20
    same(result(tmp_path / "out"), expected)
    assert "shards are done already" in answer(*words)
