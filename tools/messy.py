"""Makes examples/data/messy.csv, ana.jsonl and ben.jsonl, the sample as people's files are, for the guide.

    python tools/messy.py

The spreadsheet has the sample's questions with the faults of a real one; two annotators labelled one of its articles.
The tests repair the spreadsheet and compare it with the sample.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import quoth
from quoth.data.exchange import write_format
from quoth.records import Example, Gold

FOLDER = Path(__file__).parent.parent / "examples" / "data"
HEADER = ("ID", "Title", "Context", "Question", "Answer text", "Answer start")
# The article that both annotators label, and the unanswerable question for which one of them marks an answer.
SHARED, MISTAKEN = "The Night Library", ("Who won the last chess tournament?", "readers")


def typeset(text: str) -> str:
    """Return a text as a word processor sets it: curly apostrophes, and a no-break space after a number of digits."""
    words = text.replace("'", "\u2019").split(" ")
    joined = [
        word + ("\u00a0" if word.isdigit() and after[:1].islower() and len(word) > 2 else " ")
        for word, after in zip(words, [*words[1:], ""], strict=True)
    ]
    return "".join(joined)[:-1]


def rows(examples: Sequence[Example]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the spreadsheet, most of them with a fault."""
    pick = random.Random(7)
    for number, example in enumerate(examples):
        context = typeset(example.context)
        identifier = example.id if number % 9 else ""
        identifier = "sample-002" if number in (40, 90) else identifier
        if not example.golds:
            yield identifier, example.title, context, example.question, "", ""
            continue
        gold = example.golds[0]
        text, start = gold.text, str(gold.start + 1)  # a spreadsheet's FIND counts from 1
        fault = pick.choice(("none", "none", "blank", "case", "nowhere", "cut"))
        if fault == "blank":
            text = f"{text} "
        elif fault == "case":
            text = text[:1].swapcase() + text[1:]
        elif fault == "nowhere" and example.context.count(text) == 1:
            start = ""
        elif fault == "cut" and len(text) > 6 and text[-1].isalpha():
            text = text[:-1]
        if number in (30, 77):
            text = text[:2] + text[3:]  # a typing error
        row = identifier, example.title, context, example.question, text, start
        yield row
        if number in (12, 60, 110):
            yield row


def annotators(every: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Return the labels of two people on one article.

    Ana marks the first gold of each question, Ben the last; and he finds an answer where there is none.
    """
    examples = [each for each in every if each.title == SHARED]
    ana = [replace(each, golds=(each.golds or ())[:1]) for each in examples]
    ben = [replace(each, golds=(each.golds or ())[-1:]) for each in examples]
    place = next(number for number, each in enumerate(ben) if each.question == MISTAKEN[0])
    ben[place] = replace(ben[place], golds=(Gold(MISTAKEN[1], ben[place].context.index(MISTAKEN[1])),))
    return ana, ben


def main(folder: Path = FOLDER) -> None:
    """Write the files beside the sample."""
    every = quoth.read_examples(folder / "sample.json")
    table = io.StringIO(newline="")
    writer = csv.writer(table, delimiter=";")
    writer.writerow(HEADER)
    writer.writerows(rows(every))
    (folder / "messy.csv").write_bytes(table.getvalue().encode("cp1252"))
    for name, labels in zip(("ana", "ben"), annotators(every), strict=True):
        write_format(labels, folder / f"{name}.jsonl", "doccano")


if __name__ == "__main__":
    main()
