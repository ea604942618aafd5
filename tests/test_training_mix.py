"""The data of the stage that learns to abstain has no text in common with the evaluation data."""

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from quoth.data import read_examples
from quoth.records import Example, Gold

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from abstaining_data import COPIED, MIXES, Forbidden, allowed, copies, misplaced, mixed, swapped

RUN = "the keeper lit the lamp each night and wrote the weather in a book"
DEV = Example("d", "Who?", f"In winter {RUN} of his own.", (Gold("keeper", 14),), "Lamps")


def test_examples_that_share_an_article_or_a_word_sequence_with_dev_are_skipped():
    forbidden = Forbidden([DEV])
    assert len(RUN.split()) >= COPIED
    same_words = replace(DEV, title="Other", context=f"She says that {RUN.upper()}!")
    same_title = replace(DEV, title="lamps", context="Quite another text about lamps.")
    neither = replace(DEV, title="Other", context=" ".join(RUN.split()[: COPIED - 1]))
    assert allowed([same_words, same_title, neither], forbidden) == [neither]


def test_a_question_is_paired_with_a_paragraph_without_its_answer():
    texts = ["Ana kept the lamp.", "Ana sold the lamp.", "Ben broke the lamp."]
    texts += [f"Number {n} is another text about {n + 1}." for n in range(80)]
    questions = [
        Example(str(n), "Who kept the lamp?", text, (Gold(text.split()[0], 0),)) for n, text in enumerate(texts)
    ]
    found = {each.id: each for each in misplaced(questions, 100, random.Random(0))}
    assert found["0-elsewhere"].context == "Ben broke the lamp."
    assert found["0-elsewhere"].golds == ()
    assert all("Ben" not in each.context for name, each in found.items() if name == "2-elsewhere")


def test_a_number_or_a_name_is_replaced_by_one_that_the_paragraph_does_not_have():
    here = "In 1946 the firm of Ana Brown sold 730 lamps to Peru."
    there = "Later the firm of Carl Smith moved to Chile."
    asked = ["How many lamps were sold in 1946?", "Who bought lamps from Ana Brown?", "What was sold?"]
    golds = [(Gold("730", 35),), (Gold("Peru", 48),), (Gold("730 lamps", 35),)]
    questions = [
        Example(str(n), question, here, gold, "Firms")
        for n, (question, gold) in enumerate(zip(asked, golds, strict=True))
    ] + [Example("3", "Who moved?", there, (Gold("Carl Smith", 18),), "Firms")]
    made = {each.id: each for each in swapped(questions, 10, random.Random(0))}
    assert set(made) == {"0-swapped", "1-swapped"}, "only these share a number or a name with their paragraph"
    assert made["1-swapped"].question == "Who bought lamps from Carl Smith?"
    number = made["0-swapped"].question.removeprefix("How many lamps were sold in ").removesuffix("?")
    assert len(number) == 4
    assert number[0] == "1"
    assert number not in here
    assert all(each.golds == () and each.context == here for each in made.values())
    assert made == {each.id: each for each in swapped(questions, 10, random.Random(0))}


@pytest.mark.data
@pytest.mark.long
@pytest.mark.parametrize("stage", MIXES)
def test_the_training_data_has_no_text_in_common_with_dev(squad_folder, stage):
    data = squad_folder.parent
    train = squad_folder / "squad-v1.1-train.json"
    chosen = [example for examples in mixed(data, train, MIXES[stage]).values() for example in examples]
    measured = [
        *read_examples(squad_folder / "squad-v1.1-dev.json"),
        *read_examples(squad_folder / "squad-v2.0-dev.json"),
    ]
    held_out = set((squad_folder / "held-out-titles.txt").read_text(encoding="utf-8").split())
    assert len(chosen) > 80_000
    titles = {example.title.replace("_", " ").lower() for example in measured} | {
        title.replace("_", " ").lower() for title in held_out
    }
    assert not titles & {example.title.replace("_", " ").lower() for example in chosen}
    contexts = {example.context for example in measured}
    assert not contexts & {example.context for example in chosen}
    runs = set().union(*(copies(context) for context in contexts))
    assert not any(runs & copies(context) for context in {example.context for example in chosen})
    questions = {example.question.strip().lower() for example in measured if len(example.question.split()) > 8}
    shared = {example.question.strip().lower() for example in chosen} & questions
    assert not shared
