"""Fingerprints of a reader's data."""

import pytest
from hypothesis import given

from quoth.data import read_examples
from quoth.data.provenance import DataSet, ExampleFingerprints, Overlap, Seen, from_bytes, to_bytes
from quoth.errors import ReaderError
from quoth.records import Example
from quoth.store import ReaderFolder, ReaderSettings, shipped_folder
from quoth.store.provenance import Used, warnings_of
from support.readers import tiny_folder
from support.texts import few, texts

ANA = Example("1", "Who kept it?", "Ana kept the light.", (), "One")


def test_seen_questions_and_contexts_are_detected():
    seen = Seen.of([ANA, Example("2", "Who baked?", "Ben baked.")])
    asked = [
        Example("x", "who  KEPT it?", "Ana kept\nthe light."),
        Example("y", "What did Ana keep?", "Ana kept the light."),
        Example("z", "Who kept it?", "Nobody kept it."),
    ]
    found = seen.overlap(asked)
    assert found == Overlap(questions=1, contexts=2, total=3)
    assert str(found) == "1 of 3 questions"
    assert str(seen.overlap(asked[1:])) == "the contexts of 1 of 2 questions"
    assert not seen.overlap(asked[2:])
    assert not seen.overlap([])


@few
@given(texts, texts, texts)
def test_fingerprints_can_be_written_and_read(question, context, other):
    examples = [Example("1", question, context), Example("2", other, context)]
    seen = Seen.of(examples) | Seen.of([ANA])
    back = from_bytes(to_bytes({"ab": seen, "cd": Seen.of([])}))
    assert list(back) == ["ab", "cd"]
    assert back["cd"].overlap(examples) == Overlap(0, 0, 2)
    back = back["ab"]
    assert back.overlap([*examples, ANA]).questions == 3
    assert back.key == seen.key
    assert (back.questions.tolist(), back.contexts.tolist()) == (seen.questions.tolist(), seen.contexts.tolist())


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04"])
def test_invalid_bytes_are_rejected(content):
    with pytest.raises(ValueError, match="must be an NPZ file of questions and contexts, but is not"):
        from_bytes(content)


def test_every_context_of_an_example_is_recognised():
    seen = Seen.of([Example("1", "Who?", ("Ana kept it.", "Ben kept it."))])
    asked = [Example("x", "Who?", "Ben kept it."), Example("y", "When?", ("Nobody.", "Ana kept it."))]
    assert seen.overlap(asked) == Overlap(1, 2, 2)


def test_a_large_data_set_takes_little(tmp_path):
    many = [Example(str(number), f"Who is {number}?", f"Text {number // 5}.") for number in range(100_000)]
    content = to_bytes({"a": Seen.of(many)})
    assert len(content) < 400_000


def test_a_damaged_file_is_named(tmp_path):
    folder = tiny_folder("wordpiece", tmp_path / "reader")
    used = [Used("training", DataSet.of("in memory", [ANA]))]
    opened = ReaderFolder.open_unchecked(folder).write_manifest(ReaderSettings(48, 16), {}, used=used)
    assert warnings_of(ReaderFolder.open(folder).used, [ANA], "dir/dev.json", purpose="so") == [
        "dev.json: 1 of 1 questions is in in memory, which this reader was trained on; so"
    ]
    (opened.path / "seen.npz").write_bytes(b"nothing")
    with pytest.raises(ReaderError, match=r"seen\.npz: must be an NPZ file .* Copy the whole"):
        _ = ReaderFolder.open(folder).used
    (opened.path / "seen.npz").unlink()
    assert ReaderFolder.open(folder).used[0].data.seen is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"questions": "many"}, r"data\[1\]\.questions must be of type int, but is 'many'"),
        ({"role": ["x"]}, r"data\[1\]\.role must be of type str, but is \['x'\]"),
        ({"of": {}}, r"data\[1\]\.of must be of type str, but is {}"),
    ],
)
def test_a_damaged_record_of_a_data_set_is_named(tmp_path, entry, message):
    whole = {"role": "training", **DataSet.of("in memory", [ANA]).to_dict()}
    with pytest.raises(ReaderError, match=rf"quoth\.json: {message}"):
        _ = ReaderFolder(tmp_path, {"data": [whole, {**whole, **entry}]}).used


@pytest.mark.data
@pytest.mark.long
def test_the_shipped_reader_recognizes_its_own_data_but_not_dev(squad_folder):
    used = shipped_folder().used
    train, dev = (list(read_examples(squad_folder / f"squad-v1.1-{part}.json")) for part in ("train", "dev"))
    titles = set((squad_folder / "held-out-titles.txt").read_text(encoding="utf-8").splitlines())
    trained, held_out = ([each for each in train if (each.title in titles) == inside] for inside in (False, True))
    for examples, roles in ((trained, {"training"}), (held_out, {"choosing", "gating", "calibrating"})):
        rows = ExampleFingerprints.of(examples)
        seen = [(each.role, each.data.seen.overlap(rows).questions) for each in used if each.data.seen]
        assert {role for role, questions in seen if questions == len(examples)} == roles
    assert warnings_of(used, dev, "dev.json", purpose="scores on them are higher") == []
