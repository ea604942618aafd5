"""Files with the faults of public data sets and of users' exports, created from one valid set of questions.

The kinds are those of COVID-QA, CMRC, SQuAD-it, ARCD, TQuad and AmQA, of labelling tools, and of spreadsheets.
"""

import csv
import html
import io
import json
import random
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from quoth.data import read_examples
from quoth.records import Example, Gold

SAMPLE = Path(__file__).parent.parent.parent / "examples" / "data" / "sample.json"
ARTICLES = 3
Placed = Callable[[Example, Gold], dict]


def clean():
    """Questions of some articles; contexts have an accent, an emoji and line ends, so that units of offsets differ."""
    found = read_examples(SAMPLE)
    titles = list(dict.fromkeys(each.title for each in found))[:ARTICLES]
    return [_with_a_head(each, number) for number, each in enumerate(found) if each.title in titles]


def _with_a_head(example, number):
    head = ("Café \N{GRINNING FACE} “x”\n", "Zoë & Ana’s:\n")[number % 2]
    golds = [Gold(gold.text, gold.start + len(head)) for gold in (example.golds or ())[:1]]
    return replace(example, contexts=(head + example.context,), golds=tuple(golds))


def gold(text=lambda each, gold: gold.text, start=lambda each, gold: gold.start):
    """How a gold is written: its text and its offset; ``...`` for no offset."""

    def write(example, one):
        place = start(example, one)
        return {"text": text(example, one), **({} if place is ... else {"answer_start": place})}

    return write


def nested(examples, one=gold(), asked=lambda example, question: question):  # noqa: B008
    articles = {}
    for each in examples:
        question = {"id": each.id, "question": each.question, "answers": [one(each, every) for every in each.golds]}
        articles.setdefault(each.title, {}).setdefault(each.context, []).append(asked(each, question))
    return {
        "version": "1.1",
        "data": [
            {"title": title, "paragraphs": [{"context": context, "qas": qas} for context, qas in paragraphs.items()]}
            for title, paragraphs in articles.items()
        ],
    }


def flat(examples, one=gold()):  # noqa: B008
    rows = []
    for each in examples:
        golds = [one(each, every) for every in each.golds]
        answers = {key: [every.get(key) for every in golds] for key in ("text", "answer_start")}
        row = {"id": each.id, "title": each.title, "context": each.context, "question": each.question}
        rows.append({**row, "answers": answers})
    return rows


def contexts(examples, asked=lambda question: question):
    found = {}
    for each in examples:
        answers = [{"text": every.text, "answer_start": every.start} for every in each.golds]
        question = {"id": each.id, "question": each.question, "answers": answers, "is_impossible": not each.golds}
        found.setdefault(each.context, {"context": each.context, "title": each.title, "qas": []})["qas"].append(
            asked(question)
        )
    return list(found.values())


def table(examples, sep=",", head=None, one=gold(), encoding="utf-8", change=lambda row: row):  # noqa: B008
    rows = []
    for each in examples:
        written = one(each, each.golds[0]) if each.golds else {"text": "", "answer_start": ""}
        row = {"id": each.id, "title": each.title, "context": each.context, "question": each.question}
        row |= {"answer_text": written["text"]}
        rows.append(change({**row, **({"answer_start": written["answer_start"]} if "answer_start" in written else {})}))
    return of_cells([head or list(rows[0]), *(row.values() for row in rows)], sep, encoding)


def of_cells(rows, sep=",", encoding="utf-8"):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=sep).writerows(rows)
    return text.getvalue().encode(encoding)


def as_json(document, encoding="utf-8"):
    return json.dumps(document, ensure_ascii=False).encode(encoding)


def lines(rows):
    return b"".join(as_json(row) + b"\n" for row in rows)


def before(example, one):
    return example.context[: one.start]


def without(question, *names):
    return {key: value for key, value in question.items() if key not in names}


OFFSETS = {
    "bytes": lambda each, one: len(before(each, one).encode()),
    "utf-16": lambda each, one: len(before(each, one).encode("utf-16-le")) // 2,
    "crlf": lambda each, one: one.start + before(each, one).count("\n"),
    "from-one": lambda each, one: one.start + 1,
    "off-by-three": lambda each, one: one.start - 3,
    "half-off": lambda each, one: len(unicodedata.normalize("NFKD", before(each, one))),
    "mixed": lambda each, one: one.start + random.Random(each.id).choice((0, 0, 1, -1, 2, -2)),
    "null": lambda each, one: None,
    "minus-one": lambda each, one: -1,
    "missing": lambda each, one: ...,
    "text": lambda each, one: str(one.start),
    "float": lambda each, one: float(one.start),
    "elsewhere": lambda each, one: max(0, one.start - 40),
}
TEXTS = {
    "blank-after": lambda each, one: f"{one.text} ",
    "blanks-around": lambda each, one: f" {one.text} ",
    "lower": lambda each, one: one.text.lower(),
    "upper": lambda each, one: one.text.upper(),
    "decomposed": lambda each, one: unicodedata.normalize("NFD", one.text),
    "typeset": lambda each, one: one.text.replace(" ", "\u00a0").replace("-", "–").replace("'", "’"),
    "entities": lambda each, one: html.escape(one.text).replace("-", "&#45;"),
    "cut": lambda each, one: one.text[:-1] if len(one.text) > 6 and one.text[-2:].isalpha() else one.text,
}
QUESTIONS = {
    "number-ids": lambda each, question: {**question, "id": int(each.id.rpartition("-")[2])},
    "no-ids": lambda each, question: without(question, "id"),
    "repeated-ids": lambda each, question: {**question, "id": each.id[-1]},
    "question-id": lambda each, question: {"question_id": each.id, **without(question, "id")},
    "impossible-text": lambda each, question: {**question, "is_impossible": "false" if each.golds else "true"},
    "impossible-number": lambda each, question: {**question, "is_impossible": int(not each.golds)},
    "impossible-null": lambda each, question: {**question, "is_impossible": None},
    "plausible": lambda each, question: {**question, "plausible_answers": [{"text": "x"}]},
    "empty-answer": lambda each, question: {
        **question,
        "answers": question["answers"] or [{"text": "", "answer_start": -1}],
        "is_impossible": not each.golds,
    },
    "covid-qa": lambda each, question: {**question, "document_id": 7, "is_impossible": not each.golds},
    "strings": lambda each, question: {**question, "answers": [every.text for every in each.golds]},
    "one-object": lambda each, question: {**question, "answers": (question["answers"] or [[]])[0]},
    "twice": lambda each, question: {**question, "answers": question["answers"] * 2},
    "am-qa": lambda each, question: {
        **question, "answers": [{**every, "answer_id": 1, "answer_end": 9} for every in question["answers"]]
    },
}  # fmt: skip


def mixed_types(examples):
    rows = flat(examples)
    for number, row in enumerate(rows):
        texts, starts = row["answers"]["text"], row["answers"]["answer_start"]
        if number % 3 == 1:
            row["answers"] = [{"text": texts[0], "answer_start": starts[0]}] if texts else []
        elif number % 3 == 2 and texts:
            row["answers"] = {"text": texts[0], "answer_start": starts[0]}
    return rows


def original_cmrc(examples):
    return [
        {
            "context_id": f"c{number}",
            "context_text": one["context"],
            "title": one["title"],
            "qas": [
                {"query_id": every["id"], "query_text": every["question"], "answers": [every["answers"][0]["text"]] * 3}
                for every in one["qas"]
                if every["answers"]
            ],
        }
        for number, one in enumerate(contexts(examples))
    ]


def columns(rows, inner=list):
    return {key: inner(row[key] for row in rows) for key in rows[0]}


def numbered(values):
    return {str(number): value for number, value in enumerate(values)}


def files():
    """Return the name of each file -> a function from clean questions to its bytes."""
    found = {}
    for name, start in OFFSETS.items():
        found[f"offset-{name}.json"] = lambda data, start=start: as_json(nested(data, gold(start=start)))
    for name, text in TEXTS.items():
        found[f"answer-{name}.json"] = lambda data, text=text: as_json(nested(data, gold(text=text)))
    for name, asked in QUESTIONS.items():
        found[f"question-{name}.json"] = lambda data, asked=asked: as_json(nested(data, asked=asked))
    bytes_, minus_one = gold(start=OFFSETS["bytes"]), gold(start=OFFSETS["minus-one"])
    return found | {
        "upper-without-offset.json": lambda data: as_json(
            nested(data, gold(text=TEXTS["upper"], start=OFFSETS["null"]))
        ),
        "articles-without-data.json": lambda data: as_json(nested(data)["data"]),
        "an-article-twice.json": lambda data: as_json({"data": nested(data)["data"] + nested(data)["data"][:1]}),
        "titles-of-paragraphs.json": lambda data: as_json(
            {"data": [{"paragraphs": [without(one, "x")]} for one in contexts(data)]}
        ),
        "with-a-mark.json": lambda data: as_json(nested(data), "utf-8-sig"),
        "utf-16.json": lambda data: as_json(nested(data), "utf-16"),
        "utf-16-without-a-mark.json": lambda data: as_json(nested(data), "utf-16-le"),
        "contexts.json": lambda data: as_json(contexts(data)),
        "contexts.jsonl": lambda data: lines(contexts(data)),
        "contexts-of-strings.json": lambda data: as_json(
            contexts(data, lambda asked: {**asked, "answers": [every["text"] for every in asked["answers"]]})
        ),
        "cmrc-original.json": lambda data: as_json(original_cmrc(data)),
        "rows.jsonl": lambda data: lines(flat(data)),
        "rows-bytes.jsonl": lambda data: lines(flat(data, bytes_)),
        "rows-minus-one.json": lambda data: as_json(flat(data, minus_one)),
        "mixed-types.jsonl": lambda data: lines(mixed_types(data)),
        "columns.json": lambda data: as_json(columns(flat(data))),
        "columns-of-pandas.json": lambda data: as_json(columns(flat(data), numbered)),
        "columns-bytes.json": lambda data: as_json(columns(flat(data, bytes_))),
        "table.csv": table,
        "table-semicolons.csv": lambda data: table(data, ";"),
        "table.tsv": lambda data: table(data, "\t"),
        "table-bars.csv": lambda data: table(data, "|"),
        "table-floats.csv": lambda data: table(data, one=gold(start=OFFSETS["float"])),
        "table-from-one.csv": lambda data: table(data, one=gold(start=OFFSETS["from-one"])),
        "table-empty-offsets.csv": lambda data: table(data, one=gold(start=lambda each, one: "")),
        "table-without-offsets.csv": lambda data: table(data, change=lambda row: without(row, "answer_start")),
        "table-headings.csv": lambda data: table(
            data, ";", head=["ID", "Title", "Context", "Question", "Answer text", "Answer-Start"]
        ),
        "table-other-names.csv": lambda data: table(
            data, head=["id", "title", "passage", "query", "gold_answer", "start"]
        ),
        "table-of-pandas.csv": lambda data: of_cells(
            [list(flat(data)[0]), *(({**row, "answers": str(row["answers"])}).values() for row in flat(data))]
        ),
        "table-utf-16.csv": lambda data: table(data, encoding="utf-16"),
    }
