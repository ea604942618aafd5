"""Slices by the user's labels, and a folder of plots."""

import gzip
import json

import pytest

from quoth.cli import main
from quoth.data import read_examples, write_squad
from quoth.data.labels import read_labels
from quoth.errors import DataError
from quoth.evaluation import score
from quoth.records import Example, Gold
from support.readers import TINY

EXAMPLES = [
    Example("a", "Who kept it?", "Ana kept the light.", (Gold("Ana", 0),), "One"),
    Example("b", "Where?", "Ben is in Natal.", (Gold("Natal", 10),), "Two"),
    Example("c", "Who sank?", "Ben is in Natal.", (), "Two"),
]
EXPECTED = {"a": "person", "c": "none"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.tsv", "id\tlabel\tsource\na\tperson\tx\nc\tnone\ty\n"),
        ("kinds.tsv", "key\tkind, e.g. person, none\na\tperson\nc\tnone\n"),
        ("l.csv", "question,kind\na,person\nc,none\n"),
        ("l.json", json.dumps(EXPECTED)),
        ("L.CSV", "id;label;note\na;person;x, y, z\nb;;\nc;none\n"),
        ("long.csv", f"id,label,context\na,person,{'x' * 140_000}\nc,none,y\n"),
        ("l.jsonl", '{"id": "a", "label": "person", "note": "x\u2028y"}\n\n{"id": "c", "label": "none"}\n'),
    ],
)
def test_labels_are_read_from_each_kind_of_file(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_labels(str(tmp_path / name), "no such data") == EXPECTED
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    assert read_labels(str(tmp_path / f"{name}.gz"), "no such data") == EXPECTED


def test_questions_of_squad_are_no_labels(tmp_path):
    article = {"title": "T", "paragraphs": [{"qas": [{"id": "1", "label": "x"}]}]}
    (tmp_path / "l.json").write_text(json.dumps({"data": [article]}))
    with pytest.raises(DataError, match="T: a label must be a text or a number, but is a list"):
        read_labels(str(tmp_path / "l.json"), "no such data")


def test_labels_are_read_from_a_column_of_the_data(tmp_path):
    rows = [
        {"id": each.id, "question": each.question, "context": each.context, "kind": EXPECTED.get(each.id)}
        for each in EXAMPLES
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_labels("kind", tmp_path / "data.jsonl") == EXPECTED
    cells = [f"{row['id']};{row['question']};{row['context']};{row['kind'] or ''}\n" for row in rows]
    (tmp_path / "data.CSV").write_text("".join(["ID;Question;Context;kind\n", *cells]))
    assert read_labels("kind", tmp_path / "data.CSV") == EXPECTED


@pytest.mark.torch
def test_labels_are_read_from_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"id": each.id, "question": "Who?", "context": "Ana", "kind": EXPECTED.get(each.id)} for each in EXAMPLES]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet")
    assert read_labels("kind", tmp_path / "data.parquet") == EXPECTED
    labels = pa.table({"id": list(EXPECTED), "label": list(EXPECTED.values())})
    parquet.write_table(labels, tmp_path / "l.parquet")
    assert read_labels(str(tmp_path / "l.parquet"), "no such data") == EXPECTED
    (tmp_path / "l.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"l\.parquet: must be Parquet, but pyarrow"):
        read_labels(str(tmp_path / "l.parquet"), "no such data")


def test_a_source_that_is_neither_file_nor_column_is_rejected(tmp_path):
    write_squad(EXAMPLES, tmp_path / "data.json")
    with pytest.raises(DataError, match="kinds: must be a file with an id and a label in each row, or a column of"):
        read_labels("kinds", tmp_path / "data.json")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("l.json", b"{", "l.json: must be JSON, but: "),
        ("l.jsonl", b'{"id": "a", "label": "x"}\n{', "l.jsonl: line 2: must be JSON, but: "),
        ("l.csv", b"id,label\na,Zo\xeb\n", "l.csv: line 2, byte 5: must be UTF-8, but contains the byte 0xeb"),
        (
            "l.csv.gz",
            gzip.compress(b"id,label\na,x\n", mtime=0)[:-9],
            "l.csv.gz: must be a gzip file, but is damaged: ",
        ),
        ("l.json", b"[1, 2]", "l.json: must be a file with an id and a label in each row"),
    ],
)
def test_a_file_of_labels_that_cannot_be_read_is_reported(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_labels(str(tmp_path / name), "no such data")
    assert f"{tmp_path}/{message}" in str(caught.value)


def test_a_report_is_sliced_by_labels():
    report = score(EXAMPLES, {"a": "Ana", "b": "", "c": ""})
    parts = report.sliced_by(EXPECTED)
    assert {label: (part.total, part.exact) for label, part in parts.items()} == {"none": (1, 100), "person": (1, 100)}


@pytest.mark.torch
def test_evaluate_slices_by_a_file_and_draws_every_plot(tmp_path, capsys):
    write_squad(EXAMPLES, tmp_path / "data.json")
    (tmp_path / "kinds.tsv").write_text("id\tlabel\na\tperson\nc\tnone\n")
    command = ["evaluate", str(tmp_path / "data.json"), "--reader", str(TINY / "wordpiece")]
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--slices-by", str(tmp_path / "kinds.tsv"), "--plot", f"{tmp_path / 'plots'}/", "--json"])
    assert stopped.value.code == 0
    shown = capsys.readouterr()
    assert set(json.loads(shown.out)["slices"]["kinds.tsv"]) == {"person", "none"}
    names = sorted(file.name for file in (tmp_path / "plots").iterdir())
    assert names == ["null-threshold.svg", "reliability.svg", "risk-coverage.svg"]
    assert all(f"Plot: {tmp_path / 'plots' / name}" in shown.err for name in names)
    assert read_examples(tmp_path / "data.json")


@pytest.mark.torch
@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        ((), "null_threshold", "never"),
        (("--null-threshold", "0.5"), "null_threshold", 0.5),
        (("--min-probability", "1"), "min_probability", 1.0),
    ],
)
def test_the_report_states_the_threshold(tmp_path, capsys, words, key, value):
    write_squad(EXAMPLES, tmp_path / "data.json")
    with pytest.raises(SystemExit):
        main(["evaluate", str(tmp_path / "data.json"), "--reader", str(TINY / "wordpiece"), "--json", *words])
    document = json.loads(capsys.readouterr().out)
    assert document[key] == value
    assert document["NoAns_f1"] == (100 if key == "min_probability" else document["NoAns_f1"])
    assert document["HasAns_f1"] == (0 if key == "min_probability" else document["HasAns_f1"])
