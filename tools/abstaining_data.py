"""Creates the training data for a stage in which the reader learns to abstain: answerable and unanswerable questions.

    python tools/abstaining_data.py DATA TRAIN --stage shipped-6 -o mix.json

DATA is the folder of the data sets (QUOTH_DATA), TRAIN is SQuAD v1.1 train without its held-out articles. The mix has

- the human-written unanswerable questions of SQuAD v2.0 train,
- answerable questions of SQuAD v1.1, most of them about the same paragraphs, so that only the question differs,
- natural questions (QED, TyDi) and other text (FairytaleQA, QAMR), which no earlier stage has seen,
- natural questions with the most similar paragraph of another question, which does not contain the answer,
- in the seventh stage, answerable questions with a number or a name replaced by one that the paragraph does not have.

Examples that share an article, or 13 consecutive words, with a dev paragraph or a held-out article are left out.
The same input gives the same output.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from quoth.data import read_examples, write_squad
from quoth.records import Example

# Two texts that share this many consecutive words are taken as copies.
COPIED = 13


class Mix(NamedTuple):
    """How many questions a stage takes from each source; -1 takes all of them.

    Attributes:
        shares: Source -> number of answerable questions.
        paired: Natural questions with a paragraph that does not answer them.
        swapped: Questions with a replaced number or name.
        most_characters: Maximum length of a context, in code points; longer ones would need several windows.
        seed: Seed of the random choice.
    """

    shares: dict[str, int]
    paired: int
    swapped: int
    most_characters: int
    seed: int


_OTHER_SOURCES = {"qed": -1, "tydi": -1, "fairytale": 1_500, "qamr": 3_000}
MIXES = {
    "shipped-6": Mix(
        {
            "same paragraphs": 26_000,
            "other paragraphs": 4_000,
            **_OTHER_SOURCES,
        },
        paired=4_000,
        swapped=0,
        most_characters=2_000,
        seed=50,
    ),
    "shipped-7": Mix(
        {
            "same paragraphs": 22_000,
            "other paragraphs": 14_000,
            **_OTHER_SOURCES,
        },
        paired=3_000,
        swapped=6_000,
        most_characters=1_300,
        seed=70,
    ),
}
# A number, a label such as "X200" or "F-16", or a name of one to four words.
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?![\w]|[.,]\d)")
_NAME = re.compile(r"(?<=[\w,] )[A-Z][\w'’-]*(?: (?:of |the )?[A-Z][\w'’-]*){0,3}")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return re.findall(r"\w+", text.lower())


def copies(text: str) -> set[str]:
    """Return every sequence of ``COPIED`` words of a text."""
    found = words(text)
    return {" ".join(found[start : start + COPIED]) for start in range(len(found) - COPIED + 1)}


class Forbidden:
    """The articles and word sequences that no training example may share."""

    def __init__(self, examples: Iterable[Example]) -> None:
        """Store the examples that are used for evaluation or selection."""
        self.titles: set[str] = set()
        self.runs: set[str] = set()
        for context, title in {(example.context, example.title) for example in examples}:
            self.titles.add(_plain(title))
            self.runs |= copies(context)

    def holds(self, example: Example) -> bool:
        """Return whether an example shares an article or a word sequence with them."""
        return _plain(example.title) in self.titles or not self.runs.isdisjoint(copies(example.context))


def _plain(title: str) -> str:
    return title.replace("_", " ").strip().lower()


def allowed(examples: Iterable[Example], forbidden: Forbidden) -> list[Example]:
    """Return the examples that share nothing with the forbidden ones; each paragraph is checked once."""
    seen: dict[tuple[str, str], bool] = {}
    kept = []
    for example in examples:
        key = (example.title, example.context)
        if key not in seen:
            seen[key] = forbidden.holds(example)
        if not seen[key]:
            kept.append(example)
    return kept


def misplaced(questions: Sequence[Example], count: int, random_numbers: random.Random) -> list[Example]:
    """Pair questions with the most similar paragraph of another question that does not contain their answer."""
    contexts = sorted({example.context for example in questions})
    where: dict[str, list[int]] = defaultdict(list)
    for index, context in enumerate(contexts):
        for word in set(words(context)):
            where[word].append(index)
    found = []
    for example in random_numbers.sample(list(questions), len(questions)):
        shared: Counter[int] = Counter()
        for word in set(words(example.question)):
            if len(where[word]) < len(contexts) / 20:
                shared.update(dict.fromkeys(where[word], 1))
        golds = [gold.text.lower() for gold in example.golds or ()]
        for index, _ in shared.most_common(5):
            context = contexts[index]
            if context != example.context and not any(gold in context.lower() for gold in golds):
                found.append(replace(example, id=f"{example.id}-elsewhere", contexts=(context,), golds=()))
                break
        if len(found) == count:
            break
    return found


def swapped(questions: Sequence[Example], count: int, random_numbers: random.Random) -> list[Example]:
    """Replace a number or a name that question and paragraph share, so that the paragraph no longer answers.

    A number gets other digits, a name is replaced by one from another paragraph of the article; neither occurs in the
    paragraph. The human-written questions of this kind (entity and number swaps) mislead readers most.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for title, context in sorted({(example.title, example.context) for example in questions}):
        names[title].update(_NAME.findall(context))
    choices = {title: sorted(found) for title, found in names.items()}
    made = []
    for example in random_numbers.sample(list(questions), len(questions)):
        if other := _swap(example, choices[example.title], random_numbers):
            made.append(replace(example, id=f"{example.id}-swapped", question=other, golds=()))
        if len(made) == count:
            break
    return made


def _swap(example: Example, names: Sequence[str], random_numbers: random.Random) -> str | None:
    question, context = example.question, example.context
    golds = " ".join(gold.text for gold in example.golds or ())
    shared = [
        found
        for pattern in (_NUMBER, _NAME)
        for found in pattern.finditer(question)
        if found.group() in context and found.group() not in golds
    ]
    if not shared:
        return None
    found = random_numbers.choice(shared)
    text = found.group()
    if _NUMBER.fullmatch(text):
        # The first digit stays, so that years stay years.
        other = text[0] + "".join(str(random_numbers.randrange(10)) if sign.isdigit() else sign for sign in text[1:])
        if len(text) == 1:
            other = str(random_numbers.randrange(2, 10))
    else:
        size, own = len(text.split()), set(words(text))
        alike = [name for name in names if len(name.split()) == size and own.isdisjoint(words(name))]
        other = random_numbers.choice(alike) if alike else text
    if other.lower() in context.lower() or other.lower() in question.lower():
        return None
    return question[: found.start()] + other + question[found.end() :]


def mixed(data: Path, train: Path, mix: Mix) -> dict[str, list[Example]]:
    """Return the examples of each source."""
    numbers = random.Random(mix.seed)
    squad, more = data / "squad", data / "qa"
    held_out = set((squad / "held-out-titles.txt").read_text(encoding="utf-8").split())
    whole = read_examples(squad / "squad-v1.1-train.json")
    measured = [*read_examples(squad / "squad-v1.1-dev.json"), *read_examples(squad / "squad-v2.0-dev.json")]
    forbidden = Forbidden([*measured, *(example for example in whole if example.title in held_out)])
    unanswerable = allowed(read_examples(more / "squad2-train-unanswerable.json.gz"), forbidden)
    answerable = allowed(read_examples(train), forbidden)
    asked = {example.context for example in unanswerable}
    sources = {
        "same paragraphs": [example for example in answerable if example.context in asked],
        "other paragraphs": [example for example in answerable if example.context not in asked],
        "qed": allowed(read_examples(more / "qed-nq.json.gz"), forbidden),
        "tydi": allowed(read_examples(more / "tydiqa-goldp-en.json.gz"), forbidden),
        "fairytale": allowed(read_examples(more / "fairytaleqa-spans.json.gz"), forbidden),
        "qamr": allowed(read_examples(more / "qamr.json.gz"), forbidden),
    }
    chosen = {"unanswerable": unanswerable}
    for name, examples in sources.items():
        short = [example for example in examples if len(example.context) <= mix.most_characters]
        share = mix.shares[name]
        chosen[name] = short if share < 0 else numbers.sample(short, min(share, len(short)))
    chosen["elsewhere"] = misplaced([*chosen["qed"], *chosen["tydi"]], mix.paired, numbers)
    if mix.swapped:
        short = [example for example in unanswerable if len(example.context) <= mix.most_characters]
        chosen["unanswerable"] = short
        chosen["swapped"] = swapped([*chosen["same paragraphs"], *chosen["other paragraphs"]], mix.swapped, numbers)
    return chosen


def main() -> None:
    """Write the mix, and print the number of questions from each source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("train", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--stage", choices=MIXES, default="shipped-6", help="the training stage")
    options = parser.parse_args()
    chosen = mixed(options.data, options.train, MIXES[options.stage])
    for name, examples in chosen.items():
        print(f"{len(examples):7,}  {name}")
    write_squad([example for examples in chosen.values() for example in examples], options.out)


if __name__ == "__main__":
    main()
