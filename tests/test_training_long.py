"""Training in real processes: killed at any moment, resumed, and the same in the end."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import little
from quoth.data import write_squad

pytestmark = [pytest.mark.torch, pytest.mark.long]
TINY = Path(__file__).parent / "tiny"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    little.base(folder / "base", TINY / "wordpiece")
    write_squad(little.examples(400), folder / "train.json")
    write_squad(little.examples(40, seed=1), folder / "dev.json")
    return folder


def command(work, out, *more):
    return [
        *(sys.executable, "-m", "quoth", "train", str(work / "train.json"), "--dev", str(work / "dev.json")),
        *("--base", str(work / "base"), "--out", str(out), "--epochs", "3", "--batch-size", "8", "--seed", "5"),
        *("--max-tokens", "64", "--overlap", "16", "--save-steps", "5", "--eval-steps", "50", "--threads", "1"),
        *("--precision", "float32", "--hidden-dropout", "0.1", "--no-tracking", *more),
    ]


def steps(out):
    """The steps of the checkpoints that are there, whole or not."""
    return [int(path.name.rpartition("-")[2]) for path in (out / "checkpoints").glob("checkpoint-*")]


def test_killed_again_and_again_and_resumed_the_weights_are_the_same(work):
    """Every kill is a SIGKILL, some of them in the middle of a checkpoint: a few milliseconds after its folder came."""
    subprocess.run(command(work, work / "whole"), check=True, capture_output=True)
    out = work / "killed"
    for further in (0, 15, 20, 45, 30):
        before = max(steps(out), default=0)
        process = subprocess.Popen(command(work, out, "--resume"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 120
        while max(steps(out), default=0) < min(before + 5 + further, 145):
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = subprocess.run(command(work, out, "--resume"), check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(out)
    from safetensors.numpy import load_file

    whole, killed = (load_file(folder / "model.safetensors") for folder in (work / "whole", out))
    assert all(np.array_equal(whole[name], killed[name]) for name in whole)
    scores = [json.loads((folder / "quoth.json").read_text())["scores"] for folder in (work / "whole", out)]
    assert scores[0] == scores[1]


def test_a_second_run_into_the_same_folder_is_refused_without_a_traceback(work):
    again = subprocess.run(command(work, work / "whole"), capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert again.stderr.strip().splitlines()[-1].startswith(f"quoth: {work / 'whole'}: holds a run already.")
    assert "Traceback" not in again.stderr
