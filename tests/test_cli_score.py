"""``quoth score``, ``evaluate`` and ``predict``: output and exit status."""

import json
import os
import signal
import subprocess
import sys

import pytest

DATA = {
    "version": "v2.0",
    "data": [
        {
            "title": "Animals",
            "paragraphs": [
                {
                    "context": "The black cat sat on the mat.",
                    "qas": [
                        {"id": "q1", "question": "Who sat?", "answers": [{"text": "black cat", "answer_start": 4}]},
                        {"id": "q2", "question": "Where?", "answers": [{"text": "the mat", "answer_start": 21}]},
                        {"id": "q3", "question": "Why?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        }
    ],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data.json").write_text(json.dumps(DATA), encoding="utf-8")
    return tmp_path


def predictions(folder, texts):
    path = folder / "predictions.json"
    path.write_text(texts if isinstance(texts, str) else json.dumps(texts), encoding="utf-8")
    return path


def test_score_prints_one_json_document(quoth, folder):
    path = predictions(folder, {"q1": "the cat", "q2": "mat", "q3": ""})
    status, out, err = quoth("score", folder / "data.json", path, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "exact": pytest.approx(200 / 3),
        "f1": pytest.approx(100 * (2 / 3 + 2) / 3),
        "total": 3,
        "HasAns_exact": 50.0,
        "HasAns_f1": pytest.approx(100 * (2 / 3 + 1) / 2),
        "HasAns_total": 2,
        "NoAns_exact": 100.0,
        "NoAns_f1": 100.0,
        "NoAns_total": 1,
        "missing": [],
        "unknown": 0,
        "unlabelled": 0,
        "rules": "v2.0",
    }


def test_score_notes_missing_and_unknown_ids_and_exits_with_0(quoth, folder):
    path = predictions(folder, {"q1": "black cat", "q9": "dog", "q8": "bird"})
    status, out, err = quoth("score", folder / "data.json", path, "--json")
    totals = json.loads(out)
    assert status == 0
    assert (totals["total"], totals["missing"], totals["unknown"]) == (3, ["q2", "q3"], 2)
    assert err.splitlines() == [
        "questions without a prediction, counted as wrong: 2 of 3 (q2, q3)",
        "predictions for unknown ids, ignored: 2",
    ]


def test_score_notes_repeated_ids(quoth, folder):
    path = predictions(folder, '{"q1": "cat", "q1": "black cat", "q2": "mat", "q3": null}')
    status, out, err = quoth("score", folder / "data.json", path, "--json")
    assert (status, json.loads(out)["exact"]) == (0, 100.0)
    assert err == f"{path}: repeated ids, of which the last text counts: q1\n"


def test_score_prints_a_table(quoth, folder):
    status, out, err = quoth("score", folder / "data.json", predictions(folder, {"q1": "cat", "q2": "mat"}))
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == ["number", "all", "answerable", "unanswerable", "SQuAD"]
    assert "33.33 [" in out
    assert "\x1b" not in out
    assert err == "questions without a prediction, counted as wrong: 1 of 3 (q3)\n"


def test_score_of_bad_predictions_exits_1_with_a_sentence(quoth, folder):
    path = predictions(folder, {"q1": 7})
    status, out, err = quoth("score", folder / "data.json", path)
    assert (status, out) == (1, "")
    assert err == f"quoth: {path}: each prediction must be a text or null, but is not for q1 (a number)\n"
    status, out, err = quoth("score", folder / "data.json", folder / "none.json")
    assert (status, out, err) == (1, "", f"quoth: {folder / 'none.json'}: no such file or directory\n")


def test_score_of_unlabelled_data_exits_1(quoth, folder):
    (folder / "plain.jsonl").write_text('{"id": "1", "question": "Who?", "context": "Me."}\n', encoding="utf-8")
    status, out, err = quoth("score", folder / "plain.jsonl", predictions(folder, {"1": "Me"}))
    assert (status, out) == (1, "")
    assert "data must have labelled questions to be scored, but all of them are unlabelled" in err


def test_score_of_the_data_themselves_is_wrong_use(quoth, folder):
    status, out, err = quoth("score", folder / "data.json", folder / "data.json")
    sentence = f"quoth: DATA and PREDICTIONS must be different files, but both are {folder / 'data.json'}\n"
    assert (status, out, err) == (2, "", sentence)


@pytest.mark.parametrize("words", [["score"], ["score", "data.json"], ["evaluate"], ["predict", "data.json"]])
def test_too_few_arguments_are_wrong_use(quoth, words):
    status, out, err = quoth(*words)
    assert (status, out) == (2, "")
    assert "Usage:" in err


@pytest.mark.parametrize("command", ["score", "evaluate", "predict"])
def test_the_help_has_an_example(quoth, command):
    status, out, _ = quoth(command, "--help")
    assert status == 0
    assert f"Example: quoth {command} dev-" in out


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("spelling", ["out.json", "parts/../out.json", "link.json", "parts/link/out.json"])
def test_predict_rejects_one_file_for_two_outputs(quoth, folder, spelling, there):
    out_file = folder / "out.json"
    if there:
        out_file.write_text("old")
    (folder / "parts").mkdir()
    (folder / "parts" / "link").symlink_to(folder)
    (folder / "link.json").symlink_to(out_file)
    status, _, err = quoth("predict", folder / "data.json", "-o", out_file, "--nbest", folder / spelling)
    assert (status, err) == (2, f"quoth: --output and --nbest must be different files, but both are {out_file}\n")
    assert out_file.exists() == there


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["predict", "-o"], "DATA and --output"),
        (["predict", "-o", "out.json", "--nbest"], "DATA and --nbest"),
        (["predict", "-o", "out.json", "--null-odds"], "DATA and --null-odds"),
        (["evaluate", "--errors"], "DATA and --errors"),
    ],
)
@pytest.mark.parametrize("spelling", ["data.json", "link.json"])
def test_an_output_must_not_be_the_data_set(quoth, folder, words, names, spelling):
    data = folder / "data.json"
    (folder / "link.json").symlink_to(data)
    status, _, err = quoth(words[0], data, *words[1:], folder / spelling, "--reader", folder / "no-reader")
    assert (status, err) == (2, f"quoth: {names} must be different files, but both are {data}\n")
    assert json.loads(data.read_text()) == DATA


def test_evaluate_rejects_one_file_for_two_outputs(quoth, folder):
    plot = folder / "plot.svg"
    status, _, err = quoth("evaluate", folder / "data.json", "--plot", plot, "--errors", plot)
    assert (status, err) == (2, f"quoth: --errors and --plot must be different files, but both are {plot}\n")


def test_evaluate_does_not_overwrite_its_data_with_a_plot(quoth, folder):
    data = folder / "data.svg"
    data.write_text(json.dumps(DATA))
    status, _, err = quoth("evaluate", data, "--plot", data)
    assert (status, err) == (2, f"quoth: DATA and --plot must be different files, but both are {data}\n")
    assert json.loads(data.read_text()) == DATA


def test_a_hub_data_set_is_not_a_file(quoth):
    status, _, err = quoth("predict", "hub:no-split", "-o", "hub:no-split")
    assert (status, "different files" in err) == (2, False)


def test_predict_may_write_twice_to_dev_null(quoth, folder):
    words = ["-o", "/dev/null", "--nbest", "/dev/null", "--reader", folder / "no-reader"]
    status, _, err = quoth("predict", folder / "data.json", *words)
    assert (status, "no-reader" in err) == (1, True)


@pytest.mark.parametrize("words", [["evaluate"], ["predict", "-o", "out.json"]])
def test_a_missing_reader_exits_with_1(quoth, folder, words):
    status, out, err = quoth(*words, folder / "data.json", "--reader", folder / "no-reader")
    assert (status, out) == (1, "")
    assert err.startswith("quoth: ")
    assert "no-reader" in err


@pytest.fixture(scope="module")
def tiny_reader(tmp_path_factory):
    """A Hugging Face folder with a random, deterministic reader whose vocabulary has the words of ``DATA``."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertForQuestionAnswering

    folder = tmp_path_factory.mktemp("reader")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = [*special, "the", "black", "cat", "sat", "on", "mat", "who", "where", "why", ".", "?"]
    tokenizer = BertWordPieceTokenizer({word: number for number, word in enumerate(words)})
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertForQuestionAnswering(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)
    return folder


@pytest.mark.torch
def test_evaluate_equals_predict_and_score(quoth, folder, tiny_reader):
    # Predicting does not use the offsets of golds.
    misplaced = (folder / "data.json").read_text().replace('"answer_start": ', '"answer_start": 10')
    (folder / "data.json").write_text(misplaced)
    data, out_file, nbest, odds = (folder / name for name in ("data.json", "out.json", "nbest.json", "odds.json"))
    files = ["-o", out_file, "--nbest", nbest, "--null-odds", odds, "--top-k", "3"]
    status, out, err = quoth("predict", data, "--reader", tiny_reader, *files)
    assert (status, out) == (0, "")
    assert err.endswith(f"3 questions answered: {out_file}\n")
    texts, lists, scores = (json.loads(path.read_text(encoding="utf-8")) for path in (out_file, nbest, odds))
    assert list(texts) == list(lists) == list(scores) == ["q1", "q2", "q3"]
    assert {id: answers[0]["text"] for id, answers in lists.items()} == texts
    assert [len(answers) for answers in lists.values()] == [3, 3, 3]
    context = DATA["data"][0]["paragraphs"][0]["context"]
    assert all(context[a["start"] : a["end"]] == a["text"] for answers in lists.values() for a in answers)

    status, evaluated, _ = quoth("evaluate", data, "--reader", tiny_reader, "--json")
    assert (status, json.loads(evaluated)["total"]) == (0, 3)
    status, scored, err = quoth("score", data, out_file, "--json")
    assert (status, err) == (0, "")
    assert json.loads(scored).items() <= json.loads(evaluated).items()
    assert {"ece", "aurc_f1", "best_f1", "best_f1_thresh"} <= json.loads(evaluated).keys()


def test_ctrl_c_stops_a_command_with_a_message(tmp_path):
    slow = tmp_path / "slow.json"
    os.mkfifo(slow)
    # If the suite runs in the background, it ignores the signal, and its children inherit that.
    restore = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    words = [sys.executable, "-c", restore, sys.executable, "-m", "quoth", "data", "describe", str(slow)]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # It is opened here as soon as the command opens it there, and then never says anything.
    with running, slow.open("wb"):
        running.send_signal(signal.SIGINT)
        out, said = running.communicate(timeout=30)
    assert (running.returncode, out, said) == (130, "", "quoth: interrupted\n")
