"""Sixty faulty files: repair restores the clean questions, and a reader can be trained on the result."""

import pytest

from quoth.data import inspect, read_examples
from quoth.data.repair import drop_unrepaired, repair
from quoth.data.write import write_rows
from quoth.text import normalize_answer
from support.faults import clean, files

FILES = files()
# What may be lost: an answer that occurs several times, of which the file does not say which is meant.
AMBIGUOUS = 0.12


@pytest.fixture(scope="module")
def right():
    return {each.question: each for each in clean()}


def repaired(name, folder):
    """Write a file, repair it, and return where the result is, and what was repaired."""
    file, out = folder / name, folder / "out.json"
    file.write_bytes(FILES[name](clean()))
    inspected = inspect(file)
    found = repair(inspected.rows)
    write_rows(drop_unrepaired(found, inspected.problems).rows, out)
    return out, found


def test_there_are_sixty_files():
    assert len(FILES) >= 60


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_repaired_to_the_clean_questions(name, tmp_path, right):
    out, _ = repaired(name, tmp_path)
    examples = read_examples(out)
    wanted = [each for each in right.values() if each.golds or not name.startswith("cmrc")]
    assert len(examples) >= (1 - AMBIGUOUS) * len(wanted)
    assert len({each.id for each in examples}) == len(examples)
    moved = 0
    for each in examples:
        clean_one = right[each.question]
        assert each.context == clean_one.context
        assert bool(each.golds) == bool(clean_one.golds)
        for gold, meant in zip(each.golds, clean_one.golds, strict=True):
            assert normalize_answer(gold.text) == normalize_answer(meant.text)
            moved += gold.start != meant.start
    assert moved == 0
    again = repair(inspect(out).rows)
    assert again.changes == []


@pytest.mark.long
@pytest.mark.torch
@pytest.mark.parametrize("name", FILES)
def test_a_reader_is_trained_on_each(name, tmp_path, tmp_path_factory):
    from quoth.training import train
    from support import towns
    from support.readers import TINY

    base = towns.base(tmp_path_factory.mktemp("base"), TINY / "wordpiece")
    out, _ = repaired(name, tmp_path)
    settings = {"max_tokens": 96, "overlap": 16, "batch_size": 4, "precision": "float32", "tracking": False}
    result = train(str(out), out=tmp_path / "reader", base=str(base), max_steps=20, threads=1, **settings)
    assert result.step == 20
