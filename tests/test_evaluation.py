"""Metrics against the official scorers, reports, prediction files."""

import gzip
import json
import os
import stat
import subprocess
import sys
import threading
import tracemalloc
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from quoth.errors import ConfigError, DataError, PredictionsError
from quoth.evaluation import (
    Predicted,
    Report,
    ScoredRow,
    evaluate,
    exact_and_f1,
    prediction_files,
    read_predictions,
    score,
)
from quoth.records import Answer, Example, Gold, Prediction, Span
from support import official_squad
from support.timing import cpu_seconds


def example(id, *golds, context="some context"):
    return Example(id, "a question?", context, tuple(Gold(text, 0) for text in golds))


def prediction(id, text, *, null_score=0.5, no_answer=False):
    answers = (Answer(text, Span(3, 3 + len(text)), 4.5, 0.75),) if text else ()
    return Prediction(id if isinstance(id, Example) else example(id), answers, null_score, no_answer or not text)


class Canned:
    """A reader with given answers, which reads some questions ahead like a reader with batches."""

    def __init__(self, texts, ahead=3):
        self.texts = texts
        self.ahead = ahead
        self.asked = []

    def answer_all(self, examples):
        waiting = []
        for each in examples:
            self.asked.append(each.id)
            waiting.append(each)
            if len(waiting) == self.ahead:
                yield from self._read(waiting)
                waiting = []
        yield from self._read(waiting)

    def _read(self, examples):
        return [prediction(each, self.texts[each.id]) for each in examples]


def examples_of(dataset):
    return [
        Example(
            qa["id"], "", paragraph["context"], tuple(Gold(a["text"], a.get("answer_start", 0)) for a in qa["answers"])
        )
        for article in dataset
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ]


# --- one prediction


@pytest.mark.parametrize(
    ("text", "golds", "v1", "v2"),
    [
        ("The  Cat!", ["cat"], (True, 1.0), (True, 1.0)),
        ("black cat", ["the cat", "a black dog"], (False, 2 / 3), (False, 2 / 3)),
        ("dog", ["cat"], (False, 0.0), (False, 0.0)),
        ("cat cat", ["cat"], (False, 2 / 3), (False, 2 / 3)),
        # What normalises to nothing agrees with nothing: an F1 of 0 in v1.1, of 1 in v2.0.
        ("the", ["..."], (True, 0.0), (True, 1.0)),
        # v2.0 leaves such golds out where others stay.
        ("", ["...", "cat"], (True, 0.0), (False, 0.0)),
        ("cat", ["the"], (False, 0.0), (False, 0.0)),
        ("Ünïcode “x”", ["ünïcode “X”."], (True, 1.0), (True, 1.0)),
    ],
)
def test_metrics_of_one_prediction(text, golds, v1, v2):
    assert exact_and_f1(text, golds, "v1.1") == pytest.approx(v1)
    assert exact_and_f1(text, golds, "v2.0") == pytest.approx(v2)


def test_unanswerable_under_v2():
    assert exact_and_f1("", [], "v2.0") == (True, 1.0)
    assert exact_and_f1("cat", [], "v2.0") == (False, 0.0)


# --- the official scorers as oracle

WORDS = ["cat", "dog", "black", "1,000", "$5", "the-cat", "日本", "é", "É", "İ", "ß", "ǆ", "a\u0301"]
NOTHINGS = ["a", "an", "the", "The", "AN", "!", "...", "—", "“", "\u00a0", "\u200b", "\ud800", ""]
TEXTS = st.one_of(st.lists(st.sampled_from(WORDS + NOTHINGS), max_size=5).map(" ".join), st.text(max_size=8))


@st.composite
def data_and_predictions(draw, least_golds):
    """Draw nested data, and predictions: some equal a gold, some are missing, some have unknown ids."""
    counts = draw(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3), min_size=1, max_size=3))
    dataset, texts, number = [], {}, 0
    for article in counts:
        paragraphs = []
        for questions in article:
            qas = []
            for _ in range(questions):
                golds = draw(st.lists(TEXTS, min_size=least_golds, max_size=4))
                qas.append({"id": f"q{number}", "answers": [{"text": gold} for gold in golds]})
                texts[f"q{number}"] = draw(st.sampled_from(golds) | TEXTS if golds else TEXTS)
                number += 1
            paragraphs.append({"context": "", "qas": qas})
        dataset.append({"paragraphs": paragraphs})
    if not number:
        dataset[0]["paragraphs"][0]["qas"].append({"id": "q0", "answers": [{"text": "cat"}]})
        texts["q0"] = draw(TEXTS)
    missing = draw(st.sets(st.sampled_from(sorted(texts))))
    return dataset, texts, missing


@given(data_and_predictions(least_golds=1))
def test_equals_the_official_v1_scorer(case):
    dataset, texts, missing = case
    given = {id: text for id, text in texts.items() if id not in missing} | {"unknown": "cat"}
    report = score(examples_of(dataset), given, f1_by="words")
    assert report.rules == "v1.1"
    assert_totals(report, official_squad.evaluate_v1(dataset, given))
    assert (set(report.missing), report.unknown) == (missing, 1)


@given(data_and_predictions(least_golds=0))
def test_equals_the_official_v2_scorer(case):
    dataset, texts, missing = case
    dataset.append({"paragraphs": [{"context": "", "qas": [{"id": "none", "answers": []}]}]})
    texts["none"] = ""
    examples = examples_of(dataset)
    report = score(examples, texts | {"unknown": "cat"}, f1_by="words")
    assert report.rules == "v2.0"
    assert_totals(report, official_squad.evaluate_v2(dataset, texts))
    # The official scorer stops at a missing prediction; it counts as a surely wrong one does.
    given = {id: text for id, text in texts.items() if id not in missing}
    if missing:
        with pytest.raises(KeyError):
            official_squad.evaluate_v2(dataset, given)
    wrong = texts | dict.fromkeys(missing, "qqxyzzy")
    assert_totals(score(examples, given, f1_by="words"), official_squad.evaluate_v2(dataset, wrong))


def assert_totals(report, official):
    ours = report.to_dict()
    assert {key: ours[key] for key in official} == pytest.approx(official, rel=0, abs=1e-9)


@pytest.mark.data
@pytest.mark.parametrize(("name", "rules"), [("squad-v1.1-dev.json", "v1.1"), ("squad-v2.0-dev.json", "v2.0")])
@pytest.mark.long
def test_equals_the_official_scorers_on_dev(squad_folder, tmp_path, name, rules):
    dataset = json.loads((squad_folder / name).read_text(encoding="utf-8"))["data"]
    examples = examples_of(dataset)
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps(imagined(examples) | {"unknown": "x"}), encoding="utf-8")
    texts = read_predictions(path)
    report = score(examples, texts)
    assert cpu_seconds(lambda: score(examples, read_predictions(path))) < 2
    assert report.rules == rules
    assert 20 < report.exact < report.f1 < 80
    official = official_squad.evaluate_v1 if rules == "v1.1" else official_squad.evaluate_v2
    assert_totals(report, official(dataset, texts))

    fewer = {id: text for number, (id, text) in enumerate(texts.items()) if number % 50}
    report = score(examples, fewer)
    assert len(report.missing) == len(texts) - len(fewer)
    assert_totals(report, official(dataset, dict.fromkeys(report.missing, "never said") | fewer))
    if rules == "v1.1":
        assert_totals(report, official(dataset, fewer))


def imagined(examples):
    """Return correct, nearly correct, empty and wrong predictions."""
    texts = {}
    for number, each in enumerate(examples):
        golds = [gold.text for gold in each.golds] or [each.context[:20]]
        words = golds[-1].split()
        kinds = [golds[0], "The " + golds[-1] + ".", " ".join(words[:2]), "", each.context[:40], " ".join(words * 2)]
        texts[each.id] = kinds[number % len(kinds)]
    return texts


def test_the_tutorials_score_is_reproduced():
    golds = {"1": "Strawberry", "2": "Agroindustry", "3": "Red"}
    texts = {"1": "Strawberry", "2": "Agriculture industry", "3": "Red"}
    report = score([example(id, gold) for id, gold in golds.items()], texts)
    assert (report.exact, report.f1) == (66.66666666666667, 66.66666666666667)


# --- score and evaluate


def test_every_question_has_a_row():
    report = score([example("1", "cat"), example("2"), example("3", "dog")], {"3": "black dog", "2": None, "9": "x"})
    assert report.rows == (
        ScoredRow("1", False, 0.0, None, True),
        ScoredRow("2", True, 1.0, "", False),
        ScoredRow("3", False, pytest.approx(2 / 3), "black dog", True),
    )
    assert [row.f1 for row in report.rows] == [0.0, 100.0, pytest.approx(200 / 3)]
    assert report.to_dict() == {
        "exact": pytest.approx(100 / 3),
        "f1": pytest.approx(100 * 5 / 9),
        "total": 3,
        "HasAns_exact": 0.0,
        "HasAns_f1": pytest.approx(100 / 3),
        "HasAns_total": 2,
        "NoAns_exact": 100.0,
        "NoAns_f1": 100.0,
        "NoAns_total": 1,
        "missing": ["1"],
        "unknown": 1,
        "unlabelled": 0,
        "rules": "v2.0",
    }


def test_a_missing_prediction_is_wrong_even_for_an_unanswerable_question():
    assert score([example("1")], {}).exact == 0.0


def test_missing_subsets_have_no_keys():
    assert "NoAns_total" not in score([example("1", "cat")], {}).to_dict()
    assert "HasAns_total" not in score([example("1")], {}).to_dict()


def test_predictions_of_a_reader_can_be_scored():
    records = [prediction("1", "cat"), prediction("2", "dog", no_answer=True)]
    report = score([example("1", "cat"), example("2")], records)
    assert (report.exact, report.missing) == (100.0, ())


def test_unlabelled_questions_are_skipped_and_counted():
    unlabelled = Example("2", "why?", "because")
    report = score([example("1", "cat"), unlabelled], {"1": "cat", "2": "because"})
    assert (report.total, report.exact, report.unlabelled, report.unknown) == (1, 100.0, 1, 0)
    reader = Canned({"1": "cat"})
    assert evaluate(reader, [unlabelled, example("1", "cat")]) == report
    assert reader.asked == ["1"]


@pytest.mark.parametrize("examples", [[], [Example("1", "why?", "because")]])
def test_data_without_labels_is_an_error(examples):
    with pytest.raises(DataError, match="data must have labelled questions to be scored, but"):
        score(examples, {"1": "because"})
    with pytest.raises(DataError, match="data must have labelled questions to be scored, but"):
        evaluate(Canned({}), examples)


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({"1": 5}, "prediction of 1 must be a text or None, but is 5"),
        ({"1": Predicted("Ada", 5.0)}, "^probability of 1 must be a number from 0 to 1, but is 5.0"),
        ({"1": Predicted("Ada", null_odds=float("nan"))}, "null_odds of 1 must be a number, but is nan"),
        (["a"], "predictions must be texts by id, or a reader's, but one is 'a'"),
    ],
)
def test_predictions_of_another_type_are_rejected(predictions, message):
    with pytest.raises(PredictionsError, match=message):
        score([Example("1", "Who?", "Ada.", [Gold("Ada", 0)])], predictions)


def test_names_of_files_are_no_data():
    with pytest.raises(ConfigError, match=r"got 'file.json': read them with read_examples"):
        score("file.json", {})
    with pytest.raises(ConfigError, match=r"got 'said.json': read them with read_predicted"):
        score([], "said.json")


def test_an_unknown_unit_is_rejected_before_questions_are_answered():
    examples = [Example("1", "谁?", "莉莉.", [Gold("莉莉", 0)])]
    for scored in (partial(score, examples, {"1": "莉"}), partial(evaluate, None, examples)):
        with pytest.raises(ConfigError, match='f1_by must be "words", "characters" or None, but is \'character\''):
            scored(f1_by="character")


def test_evaluate_returns_the_report_of_score():
    texts = {"1": "cat", "2": "", "3": "black dog", "4": "x", "5": ""}
    examples = [example("1", "cat"), example("2"), example("3", "dog"), example("4"), example("5", "dog")]
    done = []
    report = evaluate(Canned(texts), iter(examples), progress=done.append)
    assert report == score(examples, texts)
    assert done == [1, 2, 3, 4, 5]


def test_predictions_are_matched_in_any_order():
    class Backwards(Canned):
        def _read(self, examples):
            return super()._read(examples)[::-1]

    asked, seen = [example("1", "cat"), example("2", "dog")], []
    report = evaluate(Backwards({"1": "cat", "2": "x"}), asked, each=lambda *pair: seen.append(pair))
    assert {row.id: row.exact for row in report.rows} == {"1": True, "2": False}
    assert [each for each, _ in seen] == asked[::-1]
    assert all(each is prediction.example for each, prediction in seen)


def test_evaluate_rejects_a_prediction_for_another_example():
    class Confused(Canned):
        def _read(self, examples):
            return [prediction("9", "cat") for _ in examples]

    with pytest.raises(PredictionsError, match="must answer the given examples, but answered question 9"):
        evaluate(Confused({}), [example("1", "cat")])


def test_evaluate_counts_missing_predictions_as_wrong():
    class Tired(Canned):
        def _read(self, examples):
            return super()._read(examples)[:1]

    report = evaluate(Tired({"1": "cat", "2": "dog"}), [example("1", "cat"), example("2", "dog")])
    assert (report.exact, report.missing) == (50.0, ("2",))


def test_evaluate_keeps_no_contexts_in_memory():
    count, length = 200, 100_000
    stream = (example(str(number), "cat", context=f"{number} " + "x" * length) for number in range(count))
    reader = Canned({str(number): "cat" for number in range(count)})
    tracemalloc.start()
    try:
        report = evaluate(reader, stream)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.total == count
    assert peak < 10 * length


# --- the report as a text


def test_the_report_as_text():
    rows = [ScoredRow(str(n), n < 60, 0.5 + n / 200, "x", True) for n in range(100)]
    rows += [ScoredRow(f"none {n}", n < 10, float(n < 10), None, False) for n in range(20)]
    text = str(Report(tuple(rows), "v2.0", unknown=3, unlabelled=1_200))
    assert text.splitlines()[0].split() == ["number", "exact", "match", "F1"]
    assert [line.split()[:2] for line in text.splitlines()[1:4]] == [
        ["all", "questions"],
        ["answerable", "100"],
        ["unanswerable", "20"],
    ]
    assert "58.33 [" in text
    assert "questions without a prediction, counted as wrong: 20 of 120 (none 0, none 1, " in text
    assert ", none 9 and 10 more)\n" in text
    assert "predictions for unknown ids, ignored: 3" in text
    assert "unlabelled questions, not scored: 1,200" in text


def test_intervals_equal_those_of_the_bootstrap():
    values = [1.0] * 300 + [0.5] * 100 + [0.0] * 100
    report = Report(tuple(ScoredRow(str(n), value == 1, value, "x", True) for n, value in enumerate(values)))
    # Of 500 answers, the standard error of EM is 100 * sqrt(0.6 * 0.4 / 500), and 95 % is 1.96 of them either side.
    assert report.exact_interval == pytest.approx((60 - 4.29, 60 + 4.29), abs=0.5)
    assert report.f1_interval == pytest.approx((70 - 3.51, 70 + 3.51), abs=0.5)
    assert Report(report.rows).f1_interval == report.f1_interval
    assert Report(report.rows[:1]).exact_interval == (100.0, 100.0)


# --- files


def written(tmp_path, content):
    path = tmp_path / "predictions.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        '{"1": "cat", "2": null, "3": ""}',
        '[{"id": "1", "prediction_text": "cat"}, {"id": 2, "prediction_text": null, "no_answer_probability": 1.0},'
        ' {"id": "3", "prediction_text": ""}]',
        b'\xef\xbb\xbf{"1": "cat", "2": null, "3": ""}',
        gzip.compress(b'{"1": "cat", "2": null, "3": ""}', mtime=0),
    ],
    ids=["squad", "hub", "byte order mark", "gzip"],
)
def test_reads_predictions(tmp_path, content):
    assert read_predictions(written(tmp_path, content)) == {"1": "cat", "2": "", "3": ""}


@pytest.mark.parametrize(
    "content",
    [
        '{"1": "cat", "1": "dog"}',
        '[{"id": "1", "prediction_text": "cat"}, {"id": "1", "prediction_text": "dog"}]',
    ],
)
def test_the_last_of_a_repeated_id_counts_and_is_noted(tmp_path, content):
    notes = []
    assert read_predictions(written(tmp_path, content), note=notes.append) == {"1": "dog"}
    assert [note.split(": ", 1)[1] for note in notes] == ["repeated ids, of which the last text counts: 1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"1": "cat",\n "2": }', r"must be JSON, but is not at line 2, column 7 \(Expecting value\)"),
        ('{"1": 7, "2": "cat", "3": ["x"], "4": true}', r"but is not for 1 \(a number\), 3 \(a list\), 4 \(true or"),
        (json.dumps(dict.fromkeys(range(5_000), 1)), r"9 \(a number\) and 4,990 more"),
        ('"cat"', "must be a JSON object of texts by id, but are a text"),
        ('[{"id": "1", "prediction_text": "cat"}, {"id": true, "prediction_text": "x"}, {"id": "3"}, "y"]',
         "must have an id and a prediction_text, but these do not: entry 2, entry 3, entry 4"),
        ('{"1": "caf\xe9"}'.encode("latin-1"), "must be UTF-8, but byte 10 is not"),
        ('{"1": "cat"}'.encode("utf-16"), "must be UTF-8, but byte 0 is not"),
        (gzip.compress(b'{"1": "cat"}', mtime=0)[:-9], "must be a complete gzip file, but is damaged"),
        ("[" * 200_000, "must be a JSON object of texts by id, but"),
        ("", "must be JSON, but is not at line 1, column 1"),
    ],
)  # fmt: skip
def test_invalid_predictions_are_reported(tmp_path, content, message):
    with pytest.raises(PredictionsError, match=message) as caught:
        read_predictions(written(tmp_path, content))
    assert str(caught.value).startswith(str(tmp_path / "predictions.json"))
    assert "\n" not in str(caught.value)


def test_writes_the_three_files(tmp_path):
    best = Answer("cat", Span(0, 3), 4.5, 0.75)
    second = Answer('a "cat" \ud800', Span(7, 9), 1.0, 0.125)
    predictions = [
        Prediction(example("1"), (best, second), 0.5, no_answer=False),
        Prediction(example("2"), (second,), 3.0, no_answer=True),
        Prediction(example("3"), (), None, no_answer=True, reason="the context is empty"),
    ]
    paths = [tmp_path / name for name in ("predictions.json", "nbest.json", "odds.json")]
    with prediction_files(*paths) as write:
        for each in predictions:
            write(each)
    texts, nbest, odds = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    first, other = (
        {key: value for key, value in a.to_dict(example("1").context).items() if key not in ("variants", "places")}
        for a in (best, second)
    )
    assert (first["text"], first["start"], first["end"], first["score"], first["probability"]) == (
        "cat",
        0,
        3,
        4.5,
        0.75,
    )
    assert texts == {"1": "cat", "2": "", "3": ""}
    assert nbest == {"1": [first, other], "2": [other], "3": []}
    assert odds == {"1": -4.0, "2": 2.0, "3": 1e9}
    assert read_predictions(paths[0]) == texts
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths}
    assert all(stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR for path in paths)


def test_no_predictions_are_an_empty_object(tmp_path):
    with prediction_files(tmp_path / "predictions.json"):
        pass
    assert json.loads((tmp_path / "predictions.json").read_text(encoding="utf-8")) == {}


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = written(tmp_path, '{"1": "old"}')

    def fail_halfway():
        with prediction_files(path, tmp_path / "nbest.json") as write:
            write(prediction("1", "new"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    assert read_predictions(path) == {"1": "old"}
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_writing_to_a_link_keeps_it(tmp_path):
    target = written(tmp_path, "{}")
    link = tmp_path / "link.json"
    link.symlink_to(target)
    with prediction_files(link) as write:
        write(prediction("1", "cat"))
    assert link.is_symlink()
    assert read_predictions(target) == {"1": "cat"}


def test_writing_to_a_pipe_keeps_it(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    listener = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")), daemon=True)
    listener.start()
    with prediction_files(pipe) as write:
        write(prediction("1", "cat"))
    listener.join(timeout=10)
    assert [json.loads(text) for text in read] == [{"1": "cat"}]
    assert pipe.is_fifo()


def test_a_missing_folder_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder") as caught, prediction_files(tmp_path / "no" / "p"):
        pass
    assert caught.value.filename == str(tmp_path / "no")


@pytest.mark.long
def test_memory_grows_only_by_a_small_row_per_question(tmp_path):
    """From 1,000 to 10,000 questions, memory above the examples grows by less than 50 MB, with a tiny network."""
    context = "The keeper of the lighthouse was Ana Ribeiro, and she lit the lamp at nine. "
    questions = [
        {
            "id": f"q{number}",
            "question": f"Who kept light {number}?",
            "context": f"{number}. {context * (1 + number % 3)}",
            "answers": {"text": ["Ana Ribeiro"], "answer_start": [len(f"{number}. ") + context.index("Ana")]},
        }
        for number in range(10_000)
    ]
    data = tmp_path / "questions.jsonl"
    data.write_text("\n".join(map(json.dumps, questions)), encoding="utf-8")
    tests = Path(__file__).parent
    benchmark, reader = tests.parent / "benchmarks" / "memory.py", tests / "tiny" / "wordpiece"
    command = [sys.executable, str(benchmark), "--data", str(data), "--reader", str(reader), "--one"]
    few, many = (
        float(subprocess.run([*command, str(size)], check=True, capture_output=True, text=True).stdout)
        for size in (1_000, 10_000)
    )
    assert 0 < many - few < 50
