"""The guide "Your own data": its files are as the tool makes them, repair works, and every command runs."""

import contextlib
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

import messy
from quoth.data import read_examples
from quoth.text import normalize_answer

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs" / "guides" / "own-data.md").read_text(encoding="utf-8")
DATA = ROOT / "examples" / "data"


def test_the_files_of_the_guide_are_as_the_tool_makes_them(tmp_path):
    shutil.copy(DATA / "sample.json", tmp_path)
    messy.main(tmp_path)
    for name in ("messy.csv", "ana.jsonl", "ben.jsonl"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name


def test_the_repair_finds_the_sample_in_the_spreadsheet(quoth, tmp_path):
    words = ("data", "repair", DATA / "messy.csv", "--encoding", "cp1252", "-o", tmp_path / "mine.json", "--drop")
    assert quoth(*words)[0] == 0
    mine = {each.question: each for each in read_examples(tmp_path / "mine.json")}
    sample = {each.question: each for each in read_examples(DATA / "sample.json")}
    assert len(mine) == len(sample) - 2, "two answers have a typing error"
    for question, example in mine.items():
        wanted = sample[question].golds[:1]
        texts = [messy.typeset(gold.text) for gold in wanted]
        starts = [gold.start for gold in wanted]
        assert [gold.start for gold in example.golds] == starts
        assert [normalize_answer(gold.text) for gold in example.golds] == list(map(normalize_answer, texts))
        assert example.title == sample[question].title


@pytest.mark.long
@pytest.mark.torch
@pytest.mark.filterwarnings("default")
def test_every_command_of_the_guide_runs(quoth, tmp_path):
    """In order, in one folder; the check finds problems, and all others succeed."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", GUIDE, re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("quoth ")]
    assert [words[0] for words in commands].count("data") == 6
    with contextlib.chdir(tmp_path):
        for words in commands:
            status, out, err = quoth(*words)
            assert status == (1 if words[:2] == ["data", "check"] else 0), (words, err)
    for page, says in (("training.html", "<h2>Training</h2>"), ("report.html", "Comparison with another reader")):
        assert says in (tmp_path / page).read_text(encoding="utf-8")
    assert "640" in out
    made = json.loads((tmp_path / "reader" / "quoth.json").read_text(encoding="utf-8"))["data"]
    assert {each["role"] for each in made if not each.get("of")} == {"training", "choosing", "calibrating"}
