"""Training of the shipped reader: every stage of ``make reader``, with a small encoder and little data."""

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from quoth.data import write_squad
from quoth.reader import Reader
from support import towns

pytestmark = [pytest.mark.torch, pytest.mark.long]
HERE = Path(__file__).parent


def more_data(folder, examples):
    """Write the data of the stage that learns to abstain: unanswerable questions, other sources, and the dev sets."""
    (folder / "qa").mkdir()
    for name in ("squad-v1.1-dev", "squad-v2.0-dev"):
        write_squad(
            [replace(examples[0], context="Nothing of this text is anywhere else .", golds=())],
            folder / "squad" / f"{name}.json",
        )
    sources = {
        "squad2-train-unanswerable": [replace(each, id=f"{each.id}-not", golds=()) for each in examples],
        **{
            name: [replace(each, id=f"{name}-{each.id}", title=name) for each in towns.examples(20, seed=len(name))]
            for name in ("qed-nq", "tydiqa-goldp-en", "fairytaleqa-spans", "qamr")
        },
    }
    for name, some in sources.items():
        write_squad(some, folder / "qa" / f"{name}.json")
        with gzip.open(folder / "qa" / f"{name}.json.gz", "wb") as packed:
            packed.write((folder / "qa" / f"{name}.json").read_bytes())


def test_all_stages_produce_a_calibrated_reader(tmp_path):
    import torch
    from safetensors.torch import load_file

    squad = tmp_path / "data" / "squad"
    squad.mkdir(parents=True)
    examples = [replace(each, title=f"Towns {index % 5}") for index, each in enumerate(towns.examples(60))]
    write_squad(examples, squad / "squad-v1.1-train.json")
    (squad / "held-out-titles.txt").write_text("Towns 0\nTowns 3\n", encoding="utf-8")
    more_data(tmp_path / "data", examples)
    base = towns.base(tmp_path / "base", HERE / "tiny" / "wordpiece", positions=512)
    command = [sys.executable, HERE.parent / "tools" / "make_reader.py", "--max-steps", "2", "--base", base]
    command += ["--teacher-base", base]
    command += ["--data", squad.parent, "--runs", tmp_path / "runs", "--ship-to", tmp_path / "tree"]

    first = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("$ quoth train") == 8

    shipped = tmp_path / "tree" / "src" / "quoth" / "shipped"
    manifest = json.loads((shipped / "quoth.json").read_text(encoding="utf-8"))
    assert manifest["precision"] == "int8"
    assert manifest["calibration"]["questions"] > manifest["calibration"]["unanswerable"] > 0
    reader = Reader.load(shipped, threads=1)
    roles = {each.role for each in reader.made_from if each.data.seen and not each.of}
    assert roles == {"training", "choosing", "calibrating", "gating"}
    trained_on = [each.data.seen for each in reader.made_from if each.role == "training" and each.data.seen]
    first = [each for each in examples if each.title not in ("Towns 0", "Towns 3")]
    assert max(seen.overlap(first).questions for seen in trained_on) == len(first), "that of the first stage is kept"
    assert reader.settings.decode.null_bias == manifest["calibration"]["null_bias"]

    checkpoint = tmp_path / "tree" / "readers" / "shipped"
    weights = load_file(checkpoint / "model.safetensors")
    trained = load_file(tmp_path / "runs" / "shipped-7" / "model.safetensors")
    assert {name: tensor.dtype for name, tensor in weights.items()} == dict.fromkeys(trained, torch.float16)
    example = examples[0]
    asked = [each.answer(example.question, example.context) for each in (reader, Reader.load(checkpoint, threads=1))]
    assert asked[0].answers[0].score == pytest.approx(asked[1].answers[0].score, abs=0.1)

    again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    assert again.returncode == 0, again.stderr
    assert "$ quoth train" not in again.stdout  # what is done is left alone
