"""Sweeps: the plan file, and a real sweep of tiny trials, also after a kill."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from quoth.cli import main
from quoth.data import write_squad
from quoth.errors import ConfigError, TrainingError
from quoth.training.sweep.plan import Choices, Range, SweepPlan
from support import towns
from support.readers import TINY

PLAN = {
    "trials": 3,
    "vary": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "batch_size": [8, 16]},
}


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return towns.base(tmp_path_factory.mktemp("base"), TINY / "wordpiece")


def sweep(base, out, plan=PLAN, data=None, **settings):
    from quoth.training import run_sweep

    common = {"max_tokens": 64, "overlap": 16, "precision": "float32", "threads": 1, "tracking": False}
    settings = {"dev": towns.examples(16, seed=1), "epochs": 1.0, **common, **settings}
    return run_sweep(SweepPlan.of(plan), data or towns.examples(32), out=out, base=str(base), **settings)


def values(result):
    return {row.name: dict(row.values) for row in result.rows}


@pytest.fixture(scope="session")
def swept(base, tmp_path_factory):
    return sweep(base, tmp_path_factory.mktemp("sweeps") / "plain")


def test_a_plan_is_read(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(
        "trials = 8\nseed = 3\nprune_after = 2\n[vary]\nwarmup = { low = 0, high = 0.5 }\n"
        "batch_size = { low = 8, high = 32, log = true }\nprecision = ['float32', 'bfloat16']\n"
    )
    vary = {
        "warmup": Range(0.0, 0.5),
        "batch_size": Range(8, 32, log=True),
        "precision": Choices(("float32", "bfloat16")),
    }
    assert SweepPlan.load(file) == SweepPlan(8, vary, seed=3, prune_after=2)


def test_all_problems_are_reported_at_once(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(
        "trails = 8\nseed = -1\n[vary]\nlearning_rat = [1e-4]\nwarmup = { low = 0.5, high = 0.2 }\n"
        "layer_decay = { low = 0.5, high = 1.5 }\nbatch_size = { low = 8.5, high = 32 }\n"
        "learning_rate = { low = 1e-4, high = 1e-3, lg = true }\nweight_decay = { low = 0.0, high = 1.0, log = true }\n"
        "precision = ['float31']\ncompile = { low = 0, high = 1 }\nrun_name = ['a']\nepochs = 3\n"
        "overlap = []\nmax_grad_norm = { low = 1 }\n"
    )
    with pytest.raises(ConfigError) as refused:
        SweepPlan.load(file)
    lines = [line.removeprefix(f"{file}: ") for line in str(refused.value).splitlines()]
    assert lines == [
        "trails is unknown; did you mean trials?",
        "seed must be at least 0, but is -1",
        "trials must be given: the number of trials",
        "vary: learning_rat is unknown; did you mean learning_rate?",
        "vary: warmup.low must be below high (0.2), but is 0.5",
        "vary: layer_decay must be from 0 to 1, but is 1.5",
        "vary: batch_size must be of type int, but is 8.5",
        "vary: learning_rate.lg is unknown; did you mean log?",
        "vary: weight_decay.low must be above 0 if log is true, but is 0.0",
        "vary: precision must be one of auto, float32, bfloat16, float16, but is 'float31'",
        "vary: compile must be a list of values, because it is not a number",
        "vary: run_name cannot be varied: it only affects tracking",
        "vary: epochs must be a list of values, or low and high, but is 3",
        "vary: overlap must list at least one value, but lists none",
        "vary: max_grad_norm must have low and high, but lacks high",
    ]


def test_an_optional_field_may_be_none():
    plan = SweepPlan.of({"trials": 2, "vary": {"patience": [1, None]}})
    assert plan.vary == {"patience": Choices((1, None))}


@pytest.mark.parametrize(
    ("text", "words"), [("trials = 2", "at least one field"), ("trials: 2", "must be TOML"), (None, "cannot be read")]
)
def test_an_invalid_plan_is_rejected(tmp_path, text, words):
    if text:
        (tmp_path / "sweep.toml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        SweepPlan.load(tmp_path / "sweep.toml")


def test_the_command_line_reports_problems_before_loading_anything(tmp_path, capsys):
    (tmp_path / "sweep.toml").write_text("trials = 0\n[vary]\nseeed = [1]\n")
    words = ["train", "no.json", "--base", "none", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as failed:
        main([*words, "--sweep", str(tmp_path / "sweep.toml")])
    assert failed.value.code == 2
    told = capsys.readouterr().err
    assert "trials must be at least 1, but is 0" in told
    assert "vary: seeed is unknown; did you mean seed?" in told


@pytest.mark.long
@pytest.mark.torch
def test_a_sweep_tries_values_and_returns_the_best_trial(swept):
    assert [row.state for row in swept.rows] == ["finished"] * 3
    assert [row.f1 for row in swept.rows] == sorted((row.f1 for row in swept.rows), reverse=True)
    assert swept.folder.name == swept.rows[0].name
    manifest = json.loads((swept.folder / "quoth.json").read_text())
    assert manifest["scores"]["dev"]["f1"] == swept.rows[0].f1
    tried = values(swept)
    assert len({each["learning_rate"] for each in tried.values()}) == 3
    for name, each in tried.items():
        config = json.loads((swept.folder.parent / name / "run.json").read_text())
        assert (config["learning_rate"], config["batch_size"]) == (each["learning_rate"], each["batch_size"])
        assert 1e-4 <= each["learning_rate"] <= 1e-2
        assert each["batch_size"] in (8, 16)
    assert (swept.folder.parent / "sweep.md").read_text() == swept.table
    assert swept.table.splitlines()[2].startswith(f"| {swept.rows[0].name} | ")


@pytest.mark.torch
def test_a_sweep_continues_only_with_resume_and_the_same_plan(swept, base):
    out = swept.folder.parent
    with pytest.raises(TrainingError, match="already contains a sweep"):
        sweep(base, out)
    other = {**PLAN, "vary": {**PLAN["vary"], "batch_size": [8, 32]}}
    with pytest.raises(TrainingError, match=r"another sweep: vary was .*\[8, 16\].* and is .*\[8, 32\]"):
        sweep(base, out, plan=other, resume=True)
    with pytest.raises(TrainingError, match=r"another sweep: epochs was 1\.0 and is 3\.0"):
        sweep(base, out, epochs=3.0, resume=True)
    with pytest.raises(TrainingError, match=r"questions was \[32, 16\] and is \[31, 16\]"):
        sweep(base, out, data=towns.examples(31), resume=True)
    assert values(sweep(base, out, resume=True)) == values(swept), "nothing is left to do"


@pytest.mark.torch
def test_a_bad_trial_is_pruned_and_a_failed_one_is_reported(base, tmp_path):
    plan = {"trials": 4, "seed": 1, "prune_after": 1, "vary": {"learning_rate": [1e-9, 5e-3, 1e9]}}
    result = sweep(base, tmp_path / "out", plan, epochs=4.0, seed=0)
    states = {row.values["learning_rate"]: row for row in result.rows}
    assert states[5e-3].state == "finished"
    assert states[1e-9].state in ("pruned", "finished")
    assert states[1e9].state == "failed"
    assert "lower learning_rate" in states[1e9].reason
    assert result.folder.name == result.rows[0].name
    assert "pruned" in result.table
    assert "failed: the loss diverged" in result.table


@pytest.mark.torch
def test_a_sweep_whose_trials_all_fail_reports_the_reasons(base, tmp_path):
    plan = {"trials": 2, "vary": {"learning_rate": [1e9]}}
    with pytest.raises(TrainingError, match="at least one trial must finish, but none did: trial-01 the loss diverged"):
        sweep(base, tmp_path / "out", plan)


@pytest.mark.torch
def test_a_sweep_needs_dev_data(base, tmp_path):
    with pytest.raises(ConfigError, match="--dev"):
        sweep(base, tmp_path / "out", dev=None)
    (tmp_path / "notes.txt").write_text("dear diary")
    with pytest.raises(TrainingError, match="contains other files"):
        sweep(base, tmp_path)


def start(base, folder, *more):
    """Start a sweep on the command line that is long enough to be killed."""
    write_squad(towns.examples(64), folder / "train.json")
    write_squad(towns.examples(16, seed=1), folder / "dev.json")
    (folder / "sweep.toml").write_text("trials = 3\n[vary]\nlearning_rate = { low = 1e-4, high = 1e-2, log = true }\n")
    words = ["train", "train.json", "--dev", "dev.json", "--sweep", "sweep.toml", "--base", str(base), "--no-tracking"]
    words += ["--max-tokens", "64", "--overlap", "16", "--batch-size", "8", "--epochs", "20", "--eval-steps", "20"]
    words += ["--precision", "float32", "--threads", "1", "--out", "out", *more]
    command = [sys.executable, "-m", "quoth", *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def whole(base, tmp_path_factory):
    """The folder of an uninterrupted sweep on the command line."""
    folder = tmp_path_factory.mktemp("whole")
    printed, told = start(base, folder).communicate(timeout=600)
    table = (folder / "out" / "sweep.md").read_text()
    assert table in told
    assert printed.strip() == f"out/{table.splitlines()[2].split()[1]}", "the best one's folder, and nothing else"
    return folder / "out"


@pytest.mark.torch
@pytest.mark.long
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_sweep_can_be_resumed(base, whole, tmp_path, kill):
    running = start(base, tmp_path)
    killed = tmp_path / "out"
    while not list((killed / "trial-02").glob("checkpoints/checkpoint-*")):
        assert running.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    os.kill(running.pid, kill)
    _, told = running.communicate(timeout=600)
    assert running.returncode == (-kill if kill == signal.SIGKILL else 128 + kill)
    assert kill == signal.SIGKILL or "stopped by SIGTERM" in told
    assert "Traceback" not in told
    first = (killed / "trial-01" / "quoth.json").stat().st_mtime_ns
    again = start(base, tmp_path, "--resume")
    again.communicate(timeout=600)
    assert again.returncode == 0
    assert (killed / "trial-01" / "quoth.json").stat().st_mtime_ns == first, "done stays done"
    for name in ("trial-01", "trial-02", "trial-03"):
        one, other = ((folder / name / "model.safetensors").read_bytes() for folder in (whole, killed))
        assert one == other, "as if it had never been killed"
