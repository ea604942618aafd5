"""Rows in memory as input, and answers in every output format."""

import csv
import gzip
import io
import json
import subprocess
import sys

import pytest

from quoth.cli import main
from quoth.data import read_examples, write_squad
from quoth.errors import ConfigError, DataError, PredictionsError
from quoth.evaluation import prediction_files, read_predictions
from quoth.records import Answer, Example, Gold, Prediction, Span

ANA = "Ana kept the light."
ROWS = [
    {"id": "1", "question": "Who?", "context": ANA, "answers": {"text": ["Ana"], "answer_start": [0]}},
    {"id": "2", "question": "Why?", "context": ANA, "answers": {"text": [], "answer_start": []}},
]
EXAMPLES = [Example("1", "Who?", ANA, (Gold("Ana", 0),)), Example("2", "Why?", ANA, ())]
FLAT = {
    "id": [1, 2],
    "question": ["Who?", "Why?"],
    "context": [ANA] * 2,
    "answer_text": ["Ana", None],
    "answer_start": [0, None],
}


def test_rows_are_read():
    assert read_examples(ROWS) == EXAMPLES
    assert read_examples(iter(ROWS)) == EXAMPLES


@pytest.mark.torch
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "datasets"])
def test_frames_are_read(library):
    module = pytest.importorskip(library)
    if library == "pandas" or library == "polars":
        frames = [module.DataFrame(ROWS), module.DataFrame(FLAT)]
    elif library == "pyarrow":
        frames = [module.Table.from_pylist(ROWS), module.table(FLAT)]
    else:
        frames = [module.Dataset.from_list(ROWS), module.Dataset.from_dict(FLAT)]
    for frame in frames:
        assert read_examples(frame) == EXAMPLES
    if library == "datasets":
        with pytest.raises(ConfigError, match="has the parts train; take one of them"):
            read_examples(module.DatasetDict({"train": frames[0]}))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, "source must be a path, .* but is null"),
        (7, "source must be a path, .* but is 7"),
        (ROWS[0], "but is one mapping; put it in a list"),
    ],
)
def test_unsupported_sources_are_reported(source, sentence):
    with pytest.raises(ConfigError, match=sentence):
        read_examples(source)


def test_problems_of_rows_are_reported():
    with pytest.raises(DataError) as caught:
        read_examples([ROWS[0], "Who?", {**ROWS[1], "question": ""}])
    assert list(caught.value.problems) == [
        'the list: row 2: must be a mapping, but is "Who?"',
        "the list: row 3, id 2: question must not be empty",
    ]


PREDICTIONS = [
    Prediction(Example("1", "Who?", "=Ana"), (Answer("=Ana", Span(0, 4), 4.0, 0.75),), 0.5, False, None, 1, 0.1),
    Prediction(Example("2", "Why?", ANA), (Answer("light", Span(13, 18), 1.0, 0.25),), 3.0, True, "No.", 1, 0.9),
    Prediction(Example("3", "Why?", ""), (), None, True, "The context is empty."),
]
TEXTS = {"1": "=Ana", "2": "", "3": ""}


def write(path, **options):
    with prediction_files(path, **options) as add:
        for each in PREDICTIONS:
            add(each)
    return path


@pytest.mark.parametrize(
    "name", ["a", "a.json", "a.json.gz", "a.jsonl", "a.NDJSON.gz", "a.csv", "a.tsv", "a.csv.gz", "run.1/a.json"]
)
def test_answers_are_written_in_the_format_of_the_name(tmp_path, name):
    (tmp_path / "run.1").mkdir()
    path = write(tmp_path / name)
    assert path.read_bytes().startswith(b"\x1f\x8b") == name.endswith(".gz")
    assert read_predictions(path) == TEXTS


def test_rows_of_answers_have_spans_and_probabilities(tmp_path):
    packed = write(tmp_path / "a.csv.gz").read_bytes()
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(packed).decode())))
    assert [row["prediction_text"] for row in rows] == ["=Ana", "", ""]
    assert [(row["start"], row["end"], row["null_odds"]) for row in rows] == [
        ("0", "4", "-3.5"),
        ("", "", "2.0"),
        ("", "", ""),
    ]
    first, second, _ = map(json.loads, write(tmp_path / "a.jsonl").read_text().splitlines())
    assert (first["probability"], first["no_answer"], second["null_probability"]) == (0.75, False, 0.9)
    assert write(tmp_path / "b.csv", excel_safe=True).read_text().splitlines()[1].startswith("1,'=Ana,")


@pytest.mark.torch
def test_answers_are_written_as_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(write(tmp_path / "a.parquet")).to_pylist()
    assert {row["id"]: row["prediction_text"] for row in rows} == TEXTS
    assert (rows[0]["start"], rows[1]["start"]) == (0, None)


@pytest.mark.parametrize("name", ["a.txt", "a.xlsx", "a.parquet.gz", "a.pkl.gz"])
def test_an_unsupported_extension_is_rejected(tmp_path, name):
    with pytest.raises(ConfigError, match=r"must end in one of \.json|remove \.gz from the name"):
        write(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl", '{"id": "1", "text": "Ana"}\n{"id"\n', "line 2 must be JSON"),
        ("a.jsonl", '{"id": "1", "said": "Ana"}\n', "each entry must have an id and a prediction_text"),
        ("a.csv", "id,said\n1,Ana\n", "each entry must have an id and a prediction_text"),
        ("a.csv", 'id,text\n1,"Ana\n', "must be a table of ids and texts"),
    ],
)
def test_unreadable_predictions_are_reported(tmp_path, name, content, sentence):
    (tmp_path / name).write_text(content)
    with pytest.raises(PredictionsError, match=sentence):
        read_predictions(tmp_path / name)


def test_a_table_of_another_system_is_read(tmp_path):
    (tmp_path / "a.csv").write_text("id;text;score\n1;Ana;0.9\n2;;0.1\n")
    assert read_predictions(tmp_path / "a.csv") == {"1": "Ana", "2": ""}
    (tmp_path / "a.csv").write_text(f'id;text;"a, b, c, d"\n1;Ana;{"x" * 140_000}\n')
    assert read_predictions(tmp_path / "a.csv") == {"1": "Ana"}


@pytest.fixture
def data(tmp_path):
    write_squad([Example("1", "Who kept the light?", ANA), Example("2", "x " * 600, ANA)], tmp_path / "d.json")
    return tmp_path / "d.json"


def quoth(*words):
    command = [sys.executable, "-m", "quoth", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_predict_skips_unreadable_questions_and_writes_to_stdout(data, tmp_path):
    done = quoth("predict", data, "-o", tmp_path / "a.jsonl")
    assert (done.returncode, "question 2" in done.stderr) == (1, True)
    assert not (tmp_path / "a.jsonl").exists()
    done = quoth("predict", data, "-o", "-", "--on-error", "skip")
    assert done.returncode == 0
    (row,) = map(json.loads, done.stdout.splitlines())
    assert (row["id"], row["prediction_text"]) == ("1", "Ana")
    assert "skipped: " in done.stderr
    assert "1 question answered: stdout" in done.stderr


@pytest.mark.long
def test_predict_skips_rows_of_a_file_that_are_invalid(tmp_path):
    rows = [{"id": "1", "question": "Who?", "context": "Ana kept it."}, {"id": "2", "question": "", "context": "x"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"id": "3"}]))
    done = quoth("predict", tmp_path / "a.jsonl", "-o", "-", "--on-error", "skip")
    assert done.returncode == 0
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["1"]
    assert "skipped: " in done.stderr
    assert "line 2, id 2: question must not be empty" in done.stderr
    assert "1 question answered: stdout" in done.stderr


@pytest.mark.parametrize("words", [["-o", "a.txt"], ["-o", "a.json", "--on-error", "ignore"]])
def test_predict_rejects_wrong_use_before_loading_a_reader(data, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["predict", str(data), *words, "--reader", "none"])
    assert stopped.value.code == 2
    assert "must" in capsys.readouterr().err
