"""Training in real processes: killed, stopped, with a full disk, in two processes; the result is the same."""

import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from quoth.data import write_squad
from support import towns

# The tiny encoders are evaluated on their training data.
pytestmark = [pytest.mark.torch, pytest.mark.long, pytest.mark.filterwarnings("ignore::quoth.errors.OverlapWarning")]
TINY = Path(__file__).parent / "tiny"
KILLS = 20


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    towns.base(folder / "base", TINY / "wordpiece")
    write_squad(towns.examples(404), folder / "train.json")
    write_squad(towns.examples(40, seed=1), folder / "dev.json")
    return folder


def arguments(work, out, **settings):
    settings = {
        "base": work / "base",
        "out": out,
        "epochs": 3,
        "batch-size": 8,
        "seed": 5,
        "max-tokens": 64,
        "overlap": 16,
        "save-steps": 5,
        "eval-steps": 50,
        "threads": 1,
        "precision": "float32",
        "hidden-dropout": 0.1,
        "average": 0.9,
        **settings,
    }
    flags = [str(word) for name, value in settings.items() for word in (f"--{name}", value)]
    files = [str(work / "train.json"), "--dev", str(work / "dev.json")]
    return ["-m", "quoth", "train", *files, *flags, "--no-tracking"]


def train(*words, **options):
    command = [sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, **options)


@pytest.fixture(scope="module")
def whole(work):
    """An uninterrupted run."""
    done = train(*arguments(work, work / "whole"))
    assert done.returncode == 0, done.stderr
    return work / "whole"


def weights(folder):
    from safetensors.numpy import load_file

    return load_file(folder / "model.safetensors")


def assert_same(one, other):
    first, second = weights(one), weights(other)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    scores = [json.loads((folder / "quoth.json").read_text())["scores"] for folder in (one, other)]
    assert scores[0] == scores[1]


def newest(out):
    """Return the step of the newest checkpoint."""
    return max((int(path.name.rpartition("-")[2]) for path in (out / "checkpoints").glob("checkpoint-*")), default=0)


def start(work, out):
    words = [sys.executable, *arguments(work, out), "--resume"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_until(process, happened):
    """Return whether a condition was met before the process ended."""
    deadline = time.monotonic() + 120
    while not happened():
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    return True


def written_after(out, step):
    return lambda: newest(out) > step


def test_killed_at_twenty_moments_and_resumed_the_weights_are_the_same(work, whole):
    """Every third kill comes while a checkpoint is being written, the others at any time after the last one."""
    out, pick, inside = work / "killed", random.Random(7), 0
    parts = out / "checkpoints"
    for kill in range(KILLS):
        process = start(work, out)
        if kill % 3 == 0:
            inside += wait_until(process, lambda: any(parts.glob(".checkpoint-*.part")))
        elif wait_until(process, written_after(out, newest(out))):
            time.sleep(pick.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert inside >= KILLS // 3 - 2, "few kills came in the middle of a checkpoint: the run ended before them"
    done = train(*arguments(work, out), "--resume")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out)
    assert_same(whole, out)
    assert not list(parts.glob(".checkpoint-*.part")), "what a kill left half written is cleared away"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_saves_and_says_how_to_continue(work, whole, number):
    out = work / f"stopped-{number.name}"
    process = start(work, out)
    assert wait_until(process, lambda: newest(out) >= 10)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    last = errors.decode().strip().splitlines()[-1]
    assert last.startswith(f"quoth: stopped by {number.name} after step {newest(out)} of 192; a checkpoint was saved.")
    assert train(*arguments(work, out), "--resume").returncode == 0
    assert_same(whole, out)


def little_room():
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk_stops_the_run_and_keeps_the_last_checkpoint(work, whole):
    """The maximum size of files is limited, so that writes fail as on a full disk."""
    out = work / "full"
    process = start(work, out)
    assert wait_until(process, lambda: newest(out) >= 10)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    kept = newest(out)

    failed = train(*arguments(work, out), "--resume", preexec_fn=little_room)
    assert failed.returncode == 1
    assert (
        f"The last complete checkpoint is checkpoint-{kept}. Free disk space, then continue with --resume."
        in failed.stderr
    )
    assert "Traceback" not in failed.stderr
    assert newest(out) == kept
    assert train(*arguments(work, out), "--resume").returncode == 0
    assert_same(whole, out)


def test_a_full_disk_when_the_reader_is_written_is_reported(work, whole, tmp_path):
    out = tmp_path / "done"
    shutil.copytree(whole, out)
    failed = train(*arguments(work, out), "--resume", preexec_fn=little_room)
    assert failed.returncode == 1
    assert f"quoth: {out}: cannot write the reader: " in failed.stderr
    assert failed.stderr.endswith("Free disk space, then continue with --resume.\n")
    assert "Traceback" not in failed.stderr
    assert train(*arguments(work, out), "--resume").returncode == 0
    assert_same(whole, out)


def test_a_second_run_in_the_same_folder_is_rejected_without_a_traceback(work, whole):
    again = train(*arguments(work, whole))
    assert again.returncode == 1
    assert again.stderr.strip().splitlines()[-1].startswith(f"quoth: {whole}: already contains a run.")
    assert "Traceback" not in again.stderr


# Two processes


def free_port():
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return str(asked.getsockname()[1])


def losses(out):
    return {row["step"]: row["loss"] for row in json.loads((out / "history.json").read_text()) if "loss" in row}


def scores(out):
    return [row["eval_f1"] for row in json.loads((out / "history.json").read_text()) if "eval_f1" in row]


@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_two_processes_give_the_weights_of_one(work, launcher):
    """An epoch of 505 windows in steps of 8: the last one has one window, so one process has none."""
    settings = {"epochs": 1, "hidden-dropout": 0, "attention-dropout": 0, "save-steps": 1, "eval-steps": 25}
    one, two = work / "one", work / f"two-{launcher}"
    if not one.exists():
        done = train(*arguments(work, one, **settings))
        assert done.returncode == 0, done.stderr
    # On a CPU, accelerate starts one process unless it has MPI: its launcher for GPUs starts two on any machine.
    accelerate = [
        "--multi_gpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
    ]
    launch = {
        "torchrun": ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"],
        "accelerate": ["-m", "accelerate.commands.launch", *accelerate, "--main_process_port", free_port()],
    }[launcher]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = train(*launch, *arguments(work, two, **{**settings, "batch-size": 4}), env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(two), "one process says where the reader is"
    expected, found = losses(one), losses(two)
    assert expected.keys() == found.keys() == set(range(1, 65))
    assert max(abs(expected[step] - found[step]) for step in expected) < 1e-4
    assert scores(one) == pytest.approx(scores(two), abs=2.6), "one question of forty more or less"
    assert json.loads((two / "quoth.json").read_text())["trained_on"]["processes"] == 2
