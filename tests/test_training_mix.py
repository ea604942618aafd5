"""The data of the stage that learns to abstain share nothing with what is measured or chosen on."""

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from quoth.data import read_examples
from quoth.records import Example, Gold

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from abstaining_data import COPIED, Forbidden, allowed, copies, misplaced, mixed

RUN = "the keeper lit the lamp each night and wrote the weather in a book"
DEV = Example("d", "Who?", f"In winter {RUN} of his own.", (Gold("keeper", 14),), "Lamps")


def test_an_article_or_a_run_of_words_of_dev_is_left_out():
    forbidden = Forbidden([DEV])
    assert len(RUN.split()) >= COPIED
    same_words = replace(DEV, title="Other", context=f"She says that {RUN.upper()}!")
    same_title = replace(DEV, title="lamps", context="Quite another text about lamps.")
    neither = replace(DEV, title="Other", context=" ".join(RUN.split()[: COPIED - 1]))
    assert allowed([same_words, same_title, neither], forbidden) == [neither]


def test_a_question_is_given_another_paragraph_without_its_answer():
    texts = ["Ana kept the lamp.", "Ana sold the lamp.", "Ben broke the lamp."]
    texts += [f"Number {n} is another text about {n + 1}." for n in range(80)]
    questions = [
        Example(str(n), "Who kept the lamp?", text, (Gold(text.split()[0], 0),)) for n, text in enumerate(texts)
    ]
    found = {each.id: each for each in misplaced(questions, 100, random.Random(0))}
    assert found["0-elsewhere"].context == "Ben broke the lamp."
    assert found["0-elsewhere"].golds == ()
    assert all("Ben" not in each.context for name, each in found.items() if name == "2-elsewhere")


@pytest.mark.data
@pytest.mark.long
def test_the_training_data_share_nothing_with_dev(squad_folder):
    data = squad_folder.parent
    train = squad_folder / "squad-v1.1-train.json"
    chosen = [example for examples in mixed(data, train).values() for example in examples]
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
