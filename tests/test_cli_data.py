"""``quoth data check``, ``describe``, ``windows`` and ``split``: output and exit status."""

import json
import subprocess
import sys
from functools import partial

import pytest
import tokenizers

from quoth.data import read_examples, write_squad
from quoth.records import Example, Gold

CAT = "The black cat [bold]sat\x1b[31m on the mat."
EXAMPLES = [
    Example("q1", "Who sat? ", CAT, (Gold("black cat", 4),), "Animals"),
    Example("q2", "Why?", CAT, (), "Animals"),
    Example("q3", "What\ud800 barked?", "A dog barked.", (Gold("A dog", 0), Gold("dog", 2)), "Dogs"),
]


@pytest.fixture
def file(tmp_path):
    write_squad(EXAMPLES, tmp_path / "data.json.gz")
    return tmp_path / "data.json.gz"


@pytest.fixture
def bad(tmp_path):
    rows = [{"id": f"q{number}", "question": "", "context": "x"} for number in range(12)]
    (tmp_path / "bad.json").write_text(json.dumps(rows))
    return tmp_path / "bad.json"


@pytest.fixture
def quoth(quoth):
    """Run a command of ``quoth data``; return its exit status, stdout and stderr."""
    return partial(quoth, "data")


def test_check_reports_no_problems(quoth, file):
    assert quoth("check", file) == (0, f"{file}: no problems in 3 questions, 2 contexts, 2 articles\n", "")
    status, out, _ = quoth("check", file, "--json")
    repair = {"rows": 0, "rules": {}, "left": 0}
    document = {"source": str(file), "questions": 3, "problems": [], "warnings": [], "repair": repair}
    assert (status, json.loads(out)) == (0, document)


def test_check_prints_every_problem(quoth, bad):
    status, out, err = quoth("check", bad)
    assert (status, err) == (1, f"{bad}: 12 problems\n")
    more = "(and 11 more of this kind: row 2, row 3, row 4, ...)"
    assert out.splitlines() == [
        f"{bad}: row 1, id q0: question must not be empty {more}",
        f"{bad}: quoth data repair can repair none of 12 with problems; --drop removes them",
    ]
    status, printed, _ = quoth("check", bad, "--json")
    every = [f"{bad}: row {n}, id q{n - 1}: question must not be empty" for n in range(1, 13)]
    assert (status, json.loads(printed)["problems"]) == (1, every)


def test_an_unreadable_data_set_is_one_sentence_without_a_traceback(quoth, tmp_path):
    missing = tmp_path / "none.json"
    sentence = f"{missing}: must be a file, but does not exist\n"
    assert quoth("check", missing) == (1, sentence, f"{missing}: 1 problem\n")
    assert quoth("describe", missing) == (1, "", f"quoth: {sentence}")
    assert quoth("check", "hub:squad")[0] == 2


def test_describe_prints_one_json_document(quoth, file):
    status, out, err = quoth("describe", file, "--json")
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert (document["questions"], document["unanswerable"], document["outer_white_space"]) == (3, 1, 1)
    assert document["golds_per_question"] == {"0": 1, "1": 1, "2": 1}
    assert document["example"]["golds"] == [{"text": "black cat", "start": 4}]
    assert document["example"]["context"] == CAT


def test_describe_pipes_plain_text(file):
    words = [sys.executable, "-m", "quoth", "data", "describe", str(file)]
    done = subprocess.run(words, capture_output=True, check=True, text=True, encoding="utf-8")
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "The black cat [bold]sat␛[31m on the mat." in done.stdout
    assert "gold      4–13: black cat" in done.stdout
    assert "questions with leading or trailing white space" in done.stdout


def test_describe_escapes_control_characters(quoth, tmp_path):
    file = tmp_path / "data.json"
    write_squad([Example("1", "Who \u202ekrow sat?", "Ana \x1b[31msat\u2066.", (Gold("Ana", 0),), "A\x9bB")], file)
    status, printed, _ = quoth("describe", file)
    assert status == 0
    assert all(part in printed for part in ("Who \ufffdkrow sat?", "Ana ␛[31msat\ufffd.", "A\ufffdB"))


def test_split_writes_the_named_articles_and_the_rest(quoth, file, tmp_path):
    titles = tmp_path / "titles.txt"
    titles.write_text("Dogs\n")
    out = tmp_path / "parts"
    status, printed, _ = quoth("split", file, "--titles", titles, "-o", out)
    assert (status, printed.splitlines()) == (
        0,
        [
            f"{out / 'data.inside.json'}: 1 question, 1 article",
            f"{out / 'data.outside.json'}: 2 questions, 1 article",
        ],
    )
    assert read_examples(out / "data.inside.json") == EXAMPLES[2:]
    assert read_examples(out / "data.outside.json") == EXAMPLES[:2]


@pytest.mark.parametrize(
    ("titles", "sentence"),
    [
        ("Dog\n", 'no article is called "Dog"; did you mean "Dogs"?'),
        ("Dogs\nAnimals\n", "but no article is outside"),
        ("\n", "must have titles of articles, one per line, but has none"),
    ],
)
def test_split_rejects_titles_that_leave_a_part_empty(quoth, file, tmp_path, titles, sentence):
    (tmp_path / "titles.txt").write_text(titles)
    status, out, err = quoth("split", file, "--titles", tmp_path / "titles.txt", "-o", tmp_path / "parts")
    assert (status, out) == (2, "")
    assert sentence in err
    assert not (tmp_path / "parts").exists()


def test_split_overwrites_neither_its_data_nor_its_titles(quoth, file, tmp_path):
    titles = tmp_path / "data.inside.json"
    titles.write_text("Dogs\n")
    status, out, err = quoth("split", file, "--titles", titles, "-o", tmp_path)
    sentence = f"--titles and the part inside must be different files, but both are {titles}"
    assert (status, out, err) == (2, "", f"quoth: {sentence}\n")
    assert titles.read_text() == "Dogs\n"

    data = file.rename(tmp_path / "parts.json.gz")
    file.symlink_to(data)
    (tmp_path / "data.outside.json").symlink_to(data)
    titles = titles.rename(tmp_path / "titles.txt")
    status, out, err = quoth("split", file, "--titles", titles, "-o", tmp_path)
    sentence = f"FILE and the part outside must be different files, but both are {file}"
    assert (status, out, err) == (2, "", f"quoth: {sentence}\n")
    assert read_examples(data) == EXAMPLES


@pytest.mark.parametrize("spelling", ["data.json.gz", "link.json", "parts/../data.json.gz"])
def test_pairs_do_not_overwrite_their_data(quoth, file, tmp_path, spelling):
    (tmp_path / "parts").mkdir()
    (tmp_path / "link.json").symlink_to(file)
    status, out, err = quoth("pairs", file, "-o", tmp_path / spelling)
    assert (status, out) == (2, "")
    assert err == f"quoth: FILE and --out must be different files, but both are {file}\n"
    assert read_examples(file) == EXAMPLES


@pytest.fixture
def tokenizer_folder(tmp_path):
    """A tokenizer that cuts at words, and knows none of them."""
    vocabulary = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_windows_prints_the_statistics(quoth, file, tokenizer_folder):
    status, out, err = quoth("windows", file, "--tokenizer", tokenizer_folder, "--json")
    document = json.loads(out)
    assert (status, err, document["examples"], document["windows"]) == (0, "", 3, 3)
    assert (document["max_tokens"], document["overlap"]) == (384, 128)
    # Two words of "Who sat?" and three special tokens leave room for three of the seven words of the context.
    options = ("--tokenizer", tokenizer_folder, "--max-tokens", 8, "--overlap", 1)
    assert json.loads(quoth("windows", file, *options, "--json")[1])["several_windows"] == 2
    status, out, _ = quoth("windows", file, *options)
    assert (status, "several windows" in out) == (0, True)


def test_check_escapes_control_characters(quoth, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"id": "\\u001b[2J", "question": "", "context": "x"}\n', encoding="utf-8")
    status, out, _ = quoth("check", tmp_path / "bad.jsonl")
    assert status == 1
    assert "\x1b" not in out


def test_unknown_titles_are_truncated_in_the_message(quoth, file, tmp_path):
    (tmp_path / "titles.txt").write_text("".join(f"{number}{'x' * 400}\n" for number in range(500)), encoding="utf-8")
    status, _, err = quoth("split", file, "--titles", tmp_path / "titles.txt", "-o", tmp_path)
    assert status == 2
    assert "and 490 more" in err
    assert len(err) < 3_000
