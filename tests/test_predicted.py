"""Prediction files with null odds and probabilities are scored as the reader that wrote them."""

import json

import pytest

from quoth import Reader, evaluate
from quoth.errors import PredictionsError
from quoth.evaluation import Predicted, prediction_files, read_predicted, score
from quoth.records import Example, Gold
from support.readers import TINY

CONTEXT = "The keeper of the lighthouse was Ana Ribeiro, and she lit the lamp at nine."
QUESTIONS = [("Who kept it?", "Ana Ribeiro"), ("When?", "nine"), ("What was lit?", "lamp"), ("Of what?", "lighthouse")]
EXAMPLES = [
    *(Example(str(n), q, CONTEXT, (Gold(a, CONTEXT.index(a)),)) for n, (q, a) in enumerate(QUESTIONS)),
    *(Example(f"u{n}", f"Why {n}?", f"{n} {CONTEXT}", ()) for n in range(3)),
    Example("empty", "Who?", " ", ()),
]


@pytest.fixture(scope="module")
def reader():
    return Reader.load(TINY / "wordpiece", threads=1)


class Deciding:
    def __init__(self, reader, **decision):
        self.reader, self.decision = reader, decision

    def answer_all(self, examples):
        return self.reader.answer_all(examples, **self.decision)


def written(path, reader, **decision):
    with prediction_files(path, null_odds=path.with_suffix(".odds.json")) as add:
        for each in reader.answer_all(EXAMPLES, **decision):
            add(each)
    return path


@pytest.mark.parametrize("name", ["p.jsonl", "p.csv", "p.tsv", "p.csv.gz"])
def test_a_file_of_a_reader_that_never_abstains_has_the_figures_of_evaluate(reader, tmp_path, name):
    path = written(tmp_path / name, reader, null_threshold="never")
    measured = evaluate(Deciding(reader, null_threshold="never"), EXAMPLES).to_dict()
    assert score(EXAMPLES, read_predicted(path)).to_dict() == measured
    assert "ece" in measured
    assert "best_f1" in measured


def test_official_predictions_with_null_odds_have_the_best_threshold_of_evaluate(reader, tmp_path, quoth):
    path = written(tmp_path / "p.json", reader, null_threshold="never")
    measured = evaluate(Deciding(reader, null_threshold="never"), EXAMPLES)
    odds = tmp_path / "p.odds.json"
    report = score(EXAMPLES, read_predicted(path, odds))
    assert report.best_f1 == measured.best_f1
    assert report.best_exact == measured.best_exact
    assert report.calibration is None
    from quoth.data import write_squad

    write_squad(EXAMPLES[:-1], tmp_path / "d.json")
    status, out, _ = quoth("score", tmp_path / "d.json", path, "--null-odds", odds, "--json")
    assert (status, "best_f1_thresh" in json.loads(out)) == (0, True)
    status, _, err = quoth("score", tmp_path / "d.json", path, "--null-odds", odds, "--compare", path)
    assert (status, "--compare and --null-odds" in err) == (2, True)


def test_a_file_with_abstentions_has_the_decisions_of_evaluate_and_a_note(reader, tmp_path):
    path = written(tmp_path / "p.jsonl", reader, null_threshold=-1e9)
    measured = evaluate(Deciding(reader, null_threshold=-1e9), EXAMPLES).to_dict()
    report = score(EXAMPLES, read_predicted(path))
    assert {name: report.to_dict()[name] for name in ("ece", "f1", "aurc_exact", "coverage")} == {
        name: measured[name] for name in ("ece", "f1", "aurc_exact", "coverage")
    }
    # As in the official scorer: an empty text is no answer at every threshold.
    assert report.best_f1.value == pytest.approx(50.0)
    assert '"no answer" predictions without the best answer: 7' in report.notes[0]


def test_probabilities_without_null_odds_give_calibration_but_no_threshold():
    predictions = {example.id: Predicted("nine", 0.5) for example in EXAMPLES}
    document = score(EXAMPLES, predictions).to_dict()
    assert "ece" in document
    assert "best_f1" not in document
    assert "aurc_f1_by_null_odds" not in document
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("id,text,probability\n1,Ana,1.5\n", "probability of 1 must be a number from 0 to 1, but is '1.5'"),
        ("id,text,null_odds\n1,Ana,high\n", "null_odds of 1 must be a number, but is 'high'"),
        ("id,text,null_odds\n1,Ana,nan\n", "null_odds of 1 must be a number"),
    ],
)
def test_invalid_numbers_are_named(tmp_path, content, sentence):
    (tmp_path / "p.csv").write_text(content)
    with pytest.raises(PredictionsError, match=sentence):
        read_predicted(tmp_path / "p.csv")


def test_integers_that_are_larger_than_every_float_are_rejected(tmp_path):
    huge = 10**400
    (tmp_path / "p.json").write_text(json.dumps([{"id": "1", "text": "Ana", "probability": huge}]))
    with pytest.raises(PredictionsError, match=r"probability of 1 must be a number from 0 to 1, but is 10{79}$"):
        read_predicted(tmp_path / "p.json")


@pytest.mark.parametrize("content", ['{"1": "high"}', '{"1": NaN}', '{"1": true}', "[1]", f'{{"1": -{10**400}}}'])
def test_null_odds_that_are_not_numbers_are_rejected(tmp_path, content):
    (tmp_path / "p.json").write_text('{"1": "Ana"}')
    (tmp_path / "o.json").write_text(content)
    with pytest.raises(PredictionsError, match="null odds must be"):
        read_predicted(tmp_path / "p.json", tmp_path / "o.json")


def test_labelled_data_are_no_predictions(tmp_path):
    (tmp_path / "data.csv").write_text("id,question,context,answer_text,answer_start\n1,Who?,Ana.,Ana,0\n")
    with pytest.raises(PredictionsError, match="must be predictions, but is labelled data"):
        read_predicted(tmp_path / "data.csv")
    (tmp_path / "data.csv").write_text("id,answer_text,answer_start\n1,Ana,0\n")
    assert read_predicted(tmp_path / "data.csv") == {"1": Predicted("Ana")}


@pytest.mark.torch
def test_parquet_is_read(reader, tmp_path):
    pytest.importorskip("pyarrow")
    path = written(tmp_path / "p.parquet", reader, null_threshold="never")
    other = written(tmp_path / "p.jsonl", reader, null_threshold="never")
    assert read_predicted(path) == read_predicted(other)
    path.write_bytes(b"PAR1")
    with pytest.raises(PredictionsError, match="must be Parquet"):
        read_predicted(path)
