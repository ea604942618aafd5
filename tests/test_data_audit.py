"""``quoth data audit`` and the random split: leakage, contradictions, likely label errors."""

import contextlib
import json
import random
import re
from dataclasses import replace
from functools import partial

import pytest

from quoth.data import read_examples, write_squad
from quoth.data.audit import audit, suspects
from quoth.data.split import split_by_shares
from quoth.data.terms import terms
from quoth.drawing.audit import audit_page
from quoth.errors import ConfigError
from quoth.evaluation.metrics import exact_and_f1
from quoth.records import Answer, Example, Gold, Prediction, Span
from support.readers import TINY

pytestmark = pytest.mark.torch

WORDS = [f"word{number}" for number in range(400)]


def text(seed, length=60):
    return " ".join(random.Random(seed).choices(WORDS, k=length)) + "."


def changed(context, place=10):
    words = context.split()
    return " ".join([*words[:place], "other", *words[place + 1 :]])


def example(number, context, title="", question=None, golds=None):
    word = context.split()[0]
    golds = (Gold(word, 0),) if golds is None else golds
    return Example(f"q{number}", question or f"Question {number}?", context, golds, title)


def kinds(result):
    return {kind: [finding.found.example.id for finding in found] for kind, found in result.by_kind() if found}


def test_contexts_of_one_set_in_another_are_found():
    one, two = text(1), text(2)
    train = [example(1, one), example(2, two), example(3, text(3))]
    dev = [example(4, one), example(5, changed(two)), example(6, text(4))]
    found = kinds(audit({"train": train, "dev": dev}))
    assert found == {"same context": ["q4"], "near context": ["q5"]}
    assert kinds(audit({"train": train, "dev": [example(7, text(5))]})) == {}


def test_contexts_are_compared_in_scripts_without_spaces():
    context = "安娜看守灯塔本恩烤面包渡轮的绳子长六百四十米灯塔在纳塔尔面包房在奥林达" * 2
    golds = (Gold("安娜", 0),)
    train = [example(1, context, golds=golds)]
    dev = [example(2, context.replace("六百", "七百", 1), golds=golds)]
    assert kinds(audit({"train": train, "dev": dev})) == {"near context": ["q2"]}


def test_a_question_of_another_set_and_other_answers_are_found():
    context = "Ana kept the light at Natal from 1903."
    who = {"question": "Who kept the light then?"}
    train = [
        example(1, context, **who),
        example(2, context, question="who kept the light then", golds=(Gold("Natal", 22),)),
        example(3, context, question="Why?", golds=()),
    ]
    dev = [example(4, context, **who), example(5, context, question="Why?", golds=(Gold("Ana", 0),))]
    found = kinds(audit({"train": train, "dev": dev}))
    assert found["same question"] == ["q4", "q5"]
    assert sorted(found["contradiction"]) == ["q2", "q5"]


def test_questions_that_repeat_their_sentence_and_long_answers_are_found():
    context = "Ben baked bread. Ana Ribeiro kept the light at Natal from 1903. " + text(1, 50)
    gold = (Gold("Ana Ribeiro", context.index("Ana")),)
    same = Example("q1", "Who kept the light at Natal from 1903?", context, gold)
    other = Example("q2", "Which person guarded a lighthouse in Brazil?", context, gold)
    long = Example("q3", "What is the rest of it?", context, (Gold(context[80:], 80),))
    assert kinds(audit({"a": [same, other, long]})) == {"repeats its sentence": ["q1"], "odd length": ["q3"]}


def prediction(asked, answer, probability):
    if answer is None:
        return Prediction(asked, (), 0.0, True, "No.", 1, probability)
    start = asked.context.index(answer)
    said = Answer(answer, Span(start, start + len(answer)), 1.0, probability)
    return Prediction(asked, (said,), 0.0, False)


def test_labels_that_a_reader_contradicts_are_found():
    context = "Ana kept the light at Natal from 1903."
    golds = {
        1: (Gold("Ana", 0),),
        2: (Gold("Ana", 0),),
        3: (Gold("Ana", 0),),
        4: (),
        5: (),
        6: (Gold("Ana", 0),),
        7: None,
    }
    said = {1: ("Ana", 0.9), 2: ("Natal", 0.95), 3: ("Natal", 0.3), 4: ("1903", 0.9), 5: (None, 0.9), 6: (None, 0.99)}
    examples = [Example(f"q{number}", f"Question {number}?", context, each) for number, each in golds.items()]

    def answer(asked):
        for each in asked:
            number = int(each.id[1:])
            yield prediction(each, *said[number])

    doubted = suspects(examples, answer, lambda text, golds: exact_and_f1(text, golds, "v2.0")[1])
    found = kinds(audit({"a": examples}, [("a", each) for each in doubted]))
    assert found == {"likely label error": ["q6", "q2"], "answerable unanswerable": ["q4"]}


def test_the_page_is_self_contained_without_scripts():
    context = "<script>alert(1)</script> Ana kept the light."
    one = Example("q1", "Who <b>kept</b> it?", context, (Gold("Ana", context.index("Ana")),))
    page = audit_page(audit({"train": [one], "dev": [one]}))
    assert "<script" not in page
    assert "<mark>Ana</mark> kept the light." in page
    assert "default-src 'none'" in page
    assert re.findall(r'(?:src|href)="', page) == []
    assert 'aria-label="same context: 1,' in page


@pytest.mark.long
@pytest.mark.browser
def test_the_page_fits_a_telephone(tmp_path):
    from support.browser import chromium

    one = example(1, text(1))
    names = ["exports/of-the-annotators/train.repaired.json", "exports/of-the-annotators/dev.repaired.json"]
    (tmp_path / "a.html").write_text(audit_page(audit({name: [one] for name in names})), encoding="utf-8")
    with chromium(390) as driver:
        driver.get(f"file://{tmp_path}/a.html")
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 390


@pytest.mark.long
@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::quoth.errors.OverlapWarning")
def test_folds_train_a_reader_each_and_say_first_how_long(tmp_path, quoth):
    from support import towns

    base = towns.base(tmp_path / "base", TINY / "wordpiece", positions=512)
    examples = [replace(each, title=f"Towns {n % 6}") for n, each in enumerate(towns.examples(36))]
    write_squad(examples, tmp_path / "towns.json")
    with contextlib.chdir(tmp_path):
        status, out, err = quoth("audit", "towns.json", "--folds", 3, "--base", base, "-o", "found.json")
        assert status == 0, err
        first, *folds = [line for line in err.splitlines() if "Training" in line or "Fold" in line]
        assert re.match(r"Training 3 readers on 36 questions: 144 training questions in total, about \d+ sec", first)
        assert folds == [f"Fold {n} of 3 is done." for n in (1, 2, 3)]
        assert "likely label error" in out
        assert {path.name for path in tmp_path.iterdir()} == {"base", "towns.json", "found.json"}, "nothing is tracked"


@pytest.mark.parametrize("titled", [True, False])
def test_parts_share_no_text(titled):
    examples = [example(number, text(number // 3), f"Article {number // 6}" if titled else "") for number in range(120)]
    near = example(200, changed(text(0)), "Elsewhere" if titled else "")
    train, dev, test = split_by_shares([*examples, near], [80, 10, 10], seed=1)
    assert sum(map(len, (train, dev, test))) == 121
    assert [len(train), len(dev), len(test)] == pytest.approx([97, 12, 12], abs=7)
    for key in (lambda each: each.context, lambda each: each.title if titled else each.context):
        seen = [set(map(key, part)) for part in (train, dev, test)]
        assert len(set.union(*seen)) == sum(map(len, seen))
    home = next(part for part in (train, dev, test) if near in part)
    assert examples[0] in home
    assert split_by_shares([*examples, near], [80, 10, 10], seed=1) == [train, dev, test]
    assert split_by_shares([*examples, near], [80, 10, 10], seed=2) != [train, dev, test]


def test_impossible_parts_are_rejected():
    with pytest.raises(ConfigError, match="there must be a group of texts for each of the 2 parts, but the data has 1"):
        split_by_shares([example(1, text(1)), example(2, changed(text(1)))], [1, 1])
    with pytest.raises(ConfigError, match="two or more numbers above 0"):
        split_by_shares([example(1, text(1))], [1, 0])


def test_words_of_every_script_are_terms():
    assert terms("Ana kept 灯塔在 1903.") == ["ana", "kept", "灯塔", "塔在", "1903"]
    assert terms("灯") == ["灯"]
    assert terms("आना यहाँ") == ["आना", "यहाँ"]


@pytest.fixture
def quoth(quoth):
    """Run a command of ``quoth data``; return its exit status, stdout and stderr."""
    return partial(quoth, "data")


def test_the_split_command_draws_articles(quoth, tmp_path):
    write_squad([example(number, text(number), f"T{number // 2}") for number in range(40)], tmp_path / "mine.json")
    status, out, _ = quoth("split", tmp_path / "mine.json", "--share", 0.1, "-o", tmp_path, "--list-titles")
    assert (status, out.splitlines()) == (
        0,
        [
            f"{tmp_path / 'mine.train.json'}: 36 questions, 18 articles",
            f"{tmp_path / 'mine.dev.json'}: 4 questions, 2 articles",
        ],
    )
    titles = (tmp_path / "mine.dev.titles.txt").read_text().splitlines()
    assert titles == list(dict.fromkeys(each.title for each in read_examples(tmp_path / "mine.dev.json")))
    assert quoth("split", tmp_path / "mine.json", "--parts", "2,1,1,1", "-o", tmp_path)[1].count("mine.") == 4
    for words in ([], ["--share", 1], ["--parts", "a,b"], ["--share", 0.1, "--parts", "1,1"], ["--parts", "5"]):
        assert quoth("split", tmp_path / "mine.json", *words)[0] == 2


def test_the_audit_command_prints_and_writes(quoth, tmp_path):
    write_squad([example(1, text(1))], tmp_path / "train.json")
    write_squad([example(2, text(1))], tmp_path / "dev.json")
    files = (tmp_path / "train.json", tmp_path / "dev.json")
    status, out, err = quoth("audit", *files, "--html", tmp_path / "a.html", "-o", tmp_path / "a.json")
    assert status == 0
    assert "same context: 1" in out
    assert "Label errors were not searched for" in err
    assert "likely label error:" not in out  # no zero for what nobody has looked for
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["counts"]["same context"] == 1
    assert document["counts"]["likely label error"] is None
    assert document["findings"][0]["other"]["source"] == str(files[0])
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    assert json.loads(quoth("audit", *files, "--json")[1]) == document
    assert quoth("audit", *files, "--reader", "x", "--folds", 2)[0] == 2


def test_the_audit_reads_tables_in_any_encoding(quoth, tmp_path):
    table = "id;question;context;answer_text;answer_start\n1;Où est Zoé?;Zoé est à Évry.;Évry;10\n"
    (tmp_path / "a.csv").write_text(table, encoding="cp1252")
    status, out, err = quoth("audit", tmp_path / "a.csv", "--sep", ";", "--encoding", "cp1252", "--json")
    assert (status, json.loads(out)["counts"]["same context"]) == (0, 0), err
