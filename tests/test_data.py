import codecs
import copy
import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import threading

import pytest
from hypothesis import given, strategies as st

from quoth.data import describe, inspect, read_examples, read_titles, split, write_squad
from quoth.errors import ConfigError, DataError
from quoth.records import Example, Gold
from quoth.text import is_blank

CAT = "The black cat sat on the mat. The cat slept."
DOG = "A dog barked.\r\nThen it\rran \U0001f415\u2028away."
DOG_START = DOG.index("\U0001f415")
EXAMPLES = [
    Example("q1", " Who sat? ", CAT, (Gold("The black cat", 0), Gold("black cat", 4)), "Animals"),
    Example("q2", "Why?", CAT, (), "Animals"),
    Example("q3", "What ran \U0001f415?", DOG, (Gold("\U0001f415\u2028away", DOG_START),), "Dogs"),
]
NESTED = {
    "version": "v2.0",
    "data": [
        {
            "title": "Animals",
            "paragraphs": [
                {
                    "context": CAT,
                    "qas": [
                        {
                            "id": "q1",
                            "question": " Who sat? ",
                            "is_impossible": False,
                            "answers": [
                                {"text": "The black cat", "answer_start": 0},
                                {"text": "black cat", "answer_start": 4},
                            ],
                        },
                        {
                            "id": "q2",
                            "question": "Why?",
                            "is_impossible": True,
                            "answers": [],
                            "plausible_answers": [{"text": "cat", "answer_start": 10}],
                        },
                    ],
                }
            ],
        },
        {
            "title": "Dogs",
            "paragraphs": [
                {
                    "context": DOG,
                    "qas": [
                        {
                            "id": "q3",
                            "question": "What ran \U0001f415?",
                            "answers": [{"text": "\U0001f415\u2028away", "answer_start": DOG_START}],
                        }
                    ],
                }
            ],
        },
    ],
}
ROWS = [
    {
        "id": example.id,
        "title": example.title,
        "context": example.context,
        "question": example.question,
        "answers": {
            "text": [gold.text for gold in example.golds],
            "answer_start": [gold.start for gold in example.golds],
        },
    }
    for example in EXAMPLES
]


def row(**changes):
    """A valid flat row with some changes; ``None`` removes a key."""
    good = {
        "id": "q",
        "question": "Who?",
        "context": CAT,
        "answers": {"text": ["black cat"], "answer_start": [4]},
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def answers(*pairs):
    return [{"text": text, "answer_start": start} for text, start in pairs]


def csv_bytes(header, records, delimiter=","):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([header, *records])
    return text.getvalue().encode()


@pytest.fixture
def read(tmp_path):
    """Write a file, as bytes, text or JSON, and read its examples."""

    def run(content, name="data.json"):
        path = tmp_path / name
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_examples(path)

    return run


@pytest.fixture
def problems(read, tmp_path):
    """Write an invalid file, and return its problems without the path."""

    def run(content, name="data.json"):
        with pytest.raises(DataError) as caught:
            read(content, name)
        source = str(tmp_path / name)
        assert caught.value.source == source
        assert all(problem.startswith(f"{source}: ") for problem in caught.value.problems)
        return [problem.removeprefix(f"{source}: ") for problem in caught.value.problems]

    return run


# Formats


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


CELLS = ("id", "title", "context", "question", "answers")
AS_CELLS = [[*(row[name] for name in CELLS[:4]), json.dumps(row["answers"])] for row in ROWS]
LONG = [
    [
        example.id,
        example.title,
        example.context,
        example.question,
        gold.text if gold else "",
        gold.start if gold else "",
    ]
    for example in EXAMPLES
    for gold in example.golds or (None,)
]
LONG_HEADER = ("id", "title", "context", "question", "answer_text", "answer_start")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nested.json", NESTED),
        ("articles.json", NESTED["data"]),
        ("flat.json", ROWS),
        ("field.json", {"data": ROWS}),
        ("lines.json", lines(ROWS)),
        ("data.jsonl", lines(ROWS)),
        ("data.NDJSON", lines(ROWS).replace("\n", "\r\n") + "\n\n"),
        ("no-suffix", NESTED),
        ("data.csv", csv_bytes(CELLS, AS_CELLS)),
        ("data.tsv", csv_bytes(CELLS, AS_CELLS, "\t")),
        ("long.csv", csv_bytes(LONG_HEADER, LONG)),
        ("long.jsonl", lines(dict(zip(LONG_HEADER, cells, strict=True)) for cells in LONG)),
    ],
)
@pytest.mark.parametrize("packed", ["plain", "gzip", "mark"])
def test_each_format_gives_the_same_examples(read, name, content, packed):
    data = (
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    if packed == "gzip":
        data, name = gzip.compress(data), name + ".gz"
    elif packed == "mark":
        data = b"\xef\xbb\xbf" + data
    assert read(data, name) == EXAMPLES


@pytest.mark.torch
def test_parquet_gives_the_same_examples(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    listed = [{**row, "answers": answers(*zip(*row["answers"].values(), strict=True))} for row in ROWS]
    for number, rows in enumerate((ROWS, listed)):
        path = tmp_path / f"{number}.parquet"
        parquet.write_table(pa.Table.from_pylist([{**row, "extra": 1} for row in rows]), path)
        assert read_examples(path) == EXAMPLES
    unlabelled = pa.table({"id": [7], "question": ["Who?"], "context": [CAT], "answers": pa.nulls(1)})
    parquet.write_table(unlabelled, tmp_path / "unlabelled.parquet")
    assert read_examples(tmp_path / "unlabelled.parquet") == [Example("7", "Who?", CAT)]


@pytest.mark.torch
@pytest.mark.parametrize(
    "given",
    [
        {"qid": "q", "query": "Who?", "Passage": CAT, "answer": "cat", "start": 10},
        {"id": "q", "question": "Who?", "context": CAT, "answer 1": "cat", "answer 2": "mat", "other": 1},
    ],
)
def test_columns_with_other_names_are_read_from_parquet_as_from_json(tmp_path, given):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.Table.from_pylist([given]), tmp_path / "data.parquet")
    (tmp_path / "data.jsonl").write_text(json.dumps(given))
    [table, lines] = [inspect(tmp_path / f"data.{suffix}") for suffix in ("parquet", "jsonl")]
    assert [entry.message for entry in table.problems.entries] == [entry.message for entry in lines.problems.entries]
    assert dict(table.rows[0].fields) == {name: value for name, value in given.items() if name != "other"}


@pytest.mark.torch
def test_parquet_problems_are_reported(tmp_path, problems):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [row(answers=answers(("cat", 10))), row(id="r", answers=answers(("cat", 3)))]
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), buffer)
    found = problems(buffer.getvalue(), "data.parquet")
    assert found == ['row 2, id r: the text at answer_start 3 must be "cat", but is " bl"; the text is at 10, 34']
    assert "must be Parquet" in problems(buffer.getvalue()[:-9], "cut.parquet")[0]
    header = pa.table({"id": ["a"], "question": ["b"], "contexts": ["c"]})
    parquet.write_table(header, tmp_path / "columns.parquet")
    content = (tmp_path / "columns.parquet").read_bytes()
    assert problems(content, "x.parquet") == ['must have the column context, but has "contexts"; rename it']


def test_parquet_without_pyarrow_names_the_extra(tmp_path):
    (tmp_path / "data.parquet").write_bytes(b"PAR1")
    code = (
        "import sys; sys.modules['pyarrow'] = sys.modules['datasets'] = None\n"
        "from quoth.data import read_examples\n"
        "from quoth.errors import MissingExtraError\n"
        "for source in sys.argv[1:]:\n"
        "    try:\n"
        "        read_examples(source)\n"
        "    except MissingExtraError as error:\n"
        "        print(error)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "data.parquet"), "hub:rajpurkar/squad:train"]
    output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert output == (
        "reading Parquet needs the extra [hub]: pip install 'quoth[hub]'\n"
        "reading hub data sets needs the extra [hub]: pip install 'quoth[hub]'\n"
    )


HUB = """
import sys
from quoth.data import read_examples
from quoth.errors import QuothError
for source in sys.argv[1:]:
    try:
        print(repr(read_examples(source)))
    except QuothError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.long
@pytest.mark.torch
def test_hub_reads_a_data_set_folder(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    pytest.importorskip("datasets")
    for name in ("columnar/plain_text", "lines", "bad"):
        (tmp_path / name).mkdir(parents=True)
    card = (
        "---\nconfigs:\n- config_name: plain_text\n  data_files:\n  - {split: validation, path: plain_text/v*}\n---\n"
    )
    (tmp_path / "columnar" / "README.md").write_text(card)
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "columnar/plain_text/validation-00000-of-00001.parquet")
    (tmp_path / "lines" / "train.jsonl").write_text(lines(ROWS), encoding="utf-8", newline="")
    (tmp_path / "bad" / "train.jsonl").write_text(lines([row(), row(question=" ")]))
    sources = [
        "columnar:validation",
        "columnar:plain_text:validation",
        "lines:train",
        "bad:train",
        "lines:test",
        "none:x",
    ]
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "cache"),
        "HF_DATASETS_CACHE": str(tmp_path / "cache" / "datasets"),
    }
    words = [sys.executable, "-c", HUB, *(f"hub:{tmp_path}/{source}" for source in sources)]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", env=environment, check=True)
    *good, empty_question, duplicate, no_split, no_set = done.stdout.splitlines()
    assert good == [repr(EXAMPLES)] * 3
    assert empty_question.endswith("row 2, id q: question must not be empty, but is only white space")
    assert duplicate.endswith("row 2, id q: id must be unique, but row 1 has it too")
    assert re.match("DataError .*/lines:test: must be a data set that can be loaded, but: .*test", no_split)
    assert re.match("DataError .*/none:x: must be a data set that can be loaded, but: .*none", no_set)


@pytest.mark.parametrize("source", ["hub:", "hub:squad", "hub:squad:", "hub::train", "hub:squad::train"])
def test_hub_source_must_name_a_split(source):
    with pytest.raises(ConfigError, match="must be hub:NAME:SPLIT"):
        read_examples(source)


# Reading


def test_golds_are_none_without_answers_and_empty_if_empty(read):
    rows = [
        row(id="none", answers=None),
        row(id="empty list", answers=[]),
        row(id="empty lists", answers={"text": [], "answer_start": []}),
        row(id="impossible", answers=None, is_impossible=True),
        {**row(id="null"), "answers": None},
    ]
    assert [example.golds for example in read(rows)] == [None, (), (), (), None]


def test_csv_without_answers_is_unlabelled_and_empty_cells_are_unanswerable(read):
    assert read("id,question,context\n1,Who?,Me.\n", "a.csv") == [Example("1", "Who?", "Me.")]
    assert read("id,question,context,answers\n1,Who?,Me.,\n", "b.csv") == [Example("1", "Who?", "Me.", ())]
    table = "id,question,context,answer_text,answer_start,is_impossible\n1,Who?,Me.,,,True\n2,Who?,Me.,Me,0.0,False\n"
    assert [example.golds for example in read(table, "c.csv")] == [(), (Gold("Me", 0),)]


def test_whole_numbers_are_ids_and_a_missing_title_is_empty(read):
    assert read([row(id=7), {**row(id="x"), "title": None}]) == [
        Example("7", "Who?", CAT, (Gold("black cat", 4),)),
        Example("x", "Who?", CAT, (Gold("black cat", 4),)),
    ]


def test_rows_of_every_kind_stay_in_the_order_of_the_file(read):
    first = {"id": "a", "question": "Who?", "context": CAT, "answer_text": "cat", "answer_start": 10}
    unlabelled = {"id": "b", "question": "Who?", "context": CAT}
    second = {**first, "answer_text": "black cat", "answer_start": 4}
    assert [example.id for example in read(lines([first, unlabelled, row(id="c"), second]), "data.jsonl")] == [
        "a",
        "b",
        "c",
    ]


MRQA = [
    {"header": {"dataset": "Cats", "split": "dev"}},
    {
        "id": "",
        "context": CAT,
        "context_tokens": [["The", 0]],
        "qas": [
            {
                "qid": "m1",
                "question": "Who sat?",
                "question_tokens": [["Who", 0]],
                "answers": ["the cat", "a cat"],
                "detected_answers": [
                    {"text": "the cat", "char_spans": [[30, 36]], "token_spans": [[8, 9]]},
                    {"text": "cat", "char_spans": [[10, 12], [34, 36]]},
                ],
            },
            {"qid": "m2", "question": "Why?"},
        ],
    },
]


def test_mrqa_has_texts_for_scoring_and_spans_for_training(read, tmp_path):
    asked, unlabelled = read(lines(MRQA), "cats.jsonl")
    assert asked == Example("m1", "Who sat?", CAT, (Gold("The cat", 30), Gold("cat", 10), Gold("cat", 34)))
    assert unlabelled == Example("m2", "Why?", CAT)
    scored, _ = read_examples(tmp_path / "cats.jsonl", places=False)
    assert [gold.text for gold in scored.golds] == ["the cat", "a cat"]


def test_problems_of_mrqa_are_reported(problems):
    asked = MRQA[1]["qas"][0]
    wrong = [
        {**asked, "detected_answers": [{"text": "dog", "char_spans": [[10, 12]]}]},
        {**asked, "qid": "m2", "detected_answers": "cat"},
        {**asked, "qid": "m3", "detected_answers": [{"text": "cat", "char_spans": [["ten", 12]]}]},
        "Who?",
    ]
    assert problems(lines([MRQA[0], {**MRQA[1], "qas": wrong}, {"context": CAT, "qas": {}}]), "cats.jsonl") == [
        'line 2, question 1, id m1: the text at answer_start 10 must be "dog", but is "cat"; '
        "the context does not contain the text",
        'line 2, question 2, id m2: answers must be a list or an object of lists, but is "cat"; '
        "a plain text belongs in answer_text",
        'line 2, question 3, id m3: answer_start must be a whole number, but is "ten"',
        'line 2, question 4: must be an object, but is "Who?"',
        "line 3: qas must be a list, but is an object",
    ]


def test_squad_articles_in_json_lines_are_reported_once(problems):
    assert problems(lines(NESTED["data"]), "data.jsonl") == [
        "line 1: must contain a question, but contains an article of SQuAD; "
        'put all of them into one JSON {"data": [...]}'
    ]


def test_an_empty_context_without_golds_is_valid(read):
    assert read([row(context="", answers=[])]) == [Example("q", "Who?", "", ())]


def test_rows_of_one_context_share_it(read):
    first, second = read(lines([row(), row(id="r")]), "data.jsonl")
    assert first.context is second.context


def test_cells_longer_than_csv_allows_are_read(read):
    limit = csv.field_size_limit(1000)
    context = "x" * 200_000
    content = csv_bytes(("id", "question", "context"), [["1", "Who?", context]])
    assert read(content, "a.csv") == [Example("1", "Who?", context)]
    assert csv.field_size_limit(limit) == 1000


def test_a_lone_surrogate_is_kept(read):
    context = "a \ud800 b"
    (example,) = read([row(context=context, answers=answers(("b", 4)))])
    assert example.context == context


# Problems


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": ""}, "row 1: id must not be empty"),
        ({"id": 1.5}, "row 1: id must be text, but is 1.5"),
        ({"id": True}, "row 1: id must be text, but is true"),
        ({"id": ["q"]}, "row 1: id must be text, but is a list"),
        ({"question": ""}, "row 1, id q: question must not be empty"),
        ({"question": "\t "}, "row 1, id q: question must not be empty, but is only white space"),
        ({"question": 5}, "row 1, id q: question must be text, but is 5"),
        ({"context": {}}, "row 1, id q: context must be text, but is an object"),
        ({"title": 1984}, "row 1, id q: title must be text, but is 1984"),
        ({"context": None}, "row 1, id q: must have the key context, but has only id, question, answers"),
        ({"context": None, "Contexts": CAT}, 'row 1, id q: must have the key context, but has "Contexts"; rename it'),
        (
            {"answers": None, "answer": []},
            'row 1, id q: key "answer" looks like an answer, but is not read; rename it to answers or remove it',
        ),
        (
            {"answers": "cat"},
            'row 1, id q: answers must be a list or an object of lists, but is "cat"; '
            "a plain text belongs in answer_text",
        ),
        ({"answers": {"text": "cat", "answer_start": [3]}}, 'row 1, id q: answers: text must be a list, but is "cat"'),
        (
            {"answers": {"text": ["cat"], "answer_start": []}},
            "row 1, id q: answers must have as many answer_start as text (1), but have 0",
        ),
        (
            {"answers": {"text": ["cat"]}},
            "row 1, id q: answers: must have the key answer_start, but has only text",
        ),
        (
            {"answers": ["cat"]},
            'row 1, id q: an answer must be an object with text and answer_start, but is "cat"',
        ),
        (
            {"answers": [{"text": "cat", "start": 3}]},
            'row 1, id q: answers: must have the key answer_start, but has "start"; rename it',
        ),
        ({"answers": answers(("", 3))}, "row 1, id q: the answer's text must not be empty"),
        ({"answers": answers((" ", 3))}, "row 1, id q: the answer's text must not be empty, but is only white space"),
        ({"answers": answers((5, 3))}, "row 1, id q: the answer's text must be text, but is 5"),
        ({"answers": answers(("cat", "3"))}, 'row 1, id q: answer_start must be a whole number, but is "3"'),
        ({"answers": answers(("cat", True))}, "row 1, id q: answer_start must be a whole number, but is true"),
        ({"answers": answers(("cat", float("nan")))}, "row 1, id q: answer_start must be a whole number, but is null"),
        (
            {"answers": answers(("cat", float("inf")))},
            "row 1, id q: answer_start must be a whole number, but is Infinity",
        ),
        (
            {"answers": answers(("slept.", -6))},
            "row 1, id q: answer_start must be at least 0, but is -6; the text is at 38",
        ),
        (
            {"answers": answers(("dog", 1043))},
            "row 1, id q: answer_start must be below the context's length (44), but is 1043; "
            "the context does not contain the text",
        ),
        (
            {"answers": answers(("cat", 10**40))},
            "row 1, id q: answer_start must be below the context's length (44), but is a huge number; "
            "the text is at 10, 34",
        ),
        (
            {"answers": answers(("black cat", 4), ("slept.", 39))},
            'row 1, id q: answer 2: the text at answer_start 39 must be "slept.", but is "lept."; the text is at 38',
        ),
        (
            {"answers": answers(("t", 0))},
            'row 1, id q: the text at answer_start 0 must be "t", but is "T"; the text is at 12, 16, 21 and more',
        ),
        (
            {"question": "\u200b\x00\ufffd"},
            "row 1, id q: question must not be empty, but is only invisible characters",
        ),
        ({"is_impossible": "no"}, 'row 1, id q: is_impossible must be true or false, but is "no"'),
        (
            {"is_impossible": True},
            "row 1, id q: answers must be empty where is_impossible is true, but there are 1",
        ),
        (
            {"is_impossible": False, "answers": []},
            "row 1, id q: is_impossible must be true where answers are empty, but is false",
        ),
    ],
)
def test_an_invalid_row_is_reported(problems, changes, problem):
    assert problems([row(**changes)]) == [problem]


def test_every_problem_is_listed_in_the_order_of_the_file(problems):
    broken = copy.deepcopy(NESTED)
    first, second = broken["data"][0]["paragraphs"][0]["qas"]
    first["answers"][1]["answer_start"] = 5
    del second["question"]
    second["is_impossible"] = False
    broken["data"][1]["paragraphs"][0]["qas"][0]["id"] = "q1"
    broken["data"][1]["paragraphs"].append({"context": "x", "qas": ["?", {"id": "q9", "question": "", "answers": []}]})
    broken["data"].append({"title": "None", "paragraph": []})
    broken["data"].append({"title": "Half", "paragraphs": [{"context": "x"}, {"context": "y", "qas": {}}, 7]})
    broken["data"].append(None)
    has_only = "must have the key question, but has only context, id, is_impossible, answers, plausible_answers, title"
    assert problems(broken) == [
        'article 1, paragraph 1, question 1, id q1: answer 2: the text at answer_start 5 must be "black cat", '
        'but is "lack cat "; the text is at 4',
        f"article 1, paragraph 1, question 2, id q2: {has_only}",
        "article 1, paragraph 1, question 2, id q2: is_impossible must be true where answers are empty, but is false",
        "article 2, paragraph 1, question 1, id q1: id must be unique, "
        "but article 1, paragraph 1, question 1 has it too",
        'article 2, paragraph 2: number 1 of qas must be an object, but is "?"',
        "article 2, paragraph 2, question 2, id q9: question must not be empty",
        'article 3: must have the key paragraphs, but has "paragraph"; rename it',
        "article 4, paragraph 1: must have the key qas, but has only context",
        "article 4, paragraph 2: qas must be a list, but is an object",
        "article 4: number 3 of paragraphs must be an object, but is 7",
        "row 5: must be an object, but is null",
    ]


def test_a_misspelt_key_of_a_paragraph_is_reported_with_its_questions(problems):
    broken = copy.deepcopy(NESTED)
    paragraph = broken["data"][1]["paragraphs"][0]
    paragraph["contexts"] = paragraph.pop("context")
    place = "article 2, paragraph 1, question 1, id q3"
    assert problems(broken) == [f'{place}: must have the key context, but has "contexts"; rename it']


def test_the_error_shows_ten_problems_and_counts_the_rest(read):
    with pytest.raises(DataError) as caught:
        read([row(id=f"q{number}", title=number) for number in range(25)])
    assert len(caught.value.problems) == 25
    assert "id q9:" in str(caught.value)
    assert "id q10:" not in str(caught.value)
    assert "... and 15 more. List every problem with: quoth data check" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        ("", "a.json", "must contain at least one question, but is empty"),
        (" \n", "a.jsonl", "must contain at least one question, but is empty"),
        ("[]", "a.json", "must contain at least one question, but contains none"),
        ({"data": []}, "a.json", "must contain at least one question, but contains none"),
        ("id,question,context\n", "a.csv", "must contain at least one question, but contains none"),
        ({"Data": []}, "a.json", 'must have the key data, but has "Data"; rename it'),
        ({"data": {"id": {"0": 1}}}, "a.json", "must contain a list of articles or of rows, but contains an object"),
        ("5", "a.json", "must contain a list of articles or of rows, but contains 5"),
        ('{"data": [\n  {"title" "x"}\n]}', "a.json", "line 2, column 12: must be JSON, but: expecting ':' delimiter"),
        ('{"data": []} x', "a.json", "line 1, column 14: must be JSON, but: extra data"),
        ('{"data": []}\n{"data": []}', "a.json", "line 2, column 1: must be JSON, but: extra data"),
        ("[" * 200_000, "a.json", "must be JSON, but: is nested too deeply"),
        ("1" * 5000, "a.json", "must be JSON, but: exceeds the limit"),
        ("[" * 200_000, "a.jsonl", "line 1: must be JSON, but: is nested too deeply"),
        ("7\n", "a.jsonl", "line 1: must contain an object, but contains 7"),
        ("\n\n{\n", "a.jsonl", "line 3, column 2: must be JSON, but: expecting property name"),
        (b'{"data":\n "caf\xe9"}', "a.json", "line 2, byte 6: must be UTF-8, but contains the byte 0xe9; save"),
        (codecs.BOM_UTF16_LE + b"[\0]\0\0", "a.json", "must be utf-16, but byte 7 is not: truncated data"),
        (gzip.compress(b"[]" * 99, mtime=0)[:-9], "a.json.gz", "must be a gzip file, but is damaged: "),
        (b"\x1f\x8b\x08broken", "a.json", "must be a gzip file, but is damaged: "),
        ("What is this?", "a.txt", "cannot infer the format from the name; use one of .json, .jsonl, .ndjson, .csv, "),
        ("id,question\n1,2\n", "a.csv", "line 1: must have the column context, but has only id, question"),
        ("id,question,context,id\n", "a.csv", "line 1: must have the column id once, but has it 2 times"),
        (
            "id,question,context,answer\n1,Who?,Me.,Me\n",
            "a.csv",
            'line 2, id 1: key "answer" looks like an answer, but is not read; rename',
        ),
        ("id,question,context\n1,2\n", "a.csv", "line 2: must have 3 cells, as the first line has, but has 2"),
        ('id,question,context\n1,2,3\n4,"5\n', "a.csv", "line 3: must be CSV, but: unexpected end of data"),
    ],
)
def test_a_broken_file_is_one_problem(problems, content, name, problem):
    (found,) = problems(content, name)
    assert found.startswith(problem)


def test_each_invalid_line_of_json_lines_is_reported(problems):
    text = b'{"id": "a"\n' + b"caf\xe9\n" + json.dumps(row()).encode() + b"\n\n" + json.dumps(row(question="")).encode()
    found = problems(text, "a.jsonl")
    assert [problem.split(":")[0] for problem in found] == [
        "line 1, column 11",
        "line 2, byte 4",
        "line 5, id q",
        "line 5, id q",
    ]


def test_csv_problems_name_the_first_line_of_the_record(problems):
    records = [["a", "Who?", "two\nlines\r\nand\rmore", "[]"], ["b", "", "x", "{'text': []"], ["c", "", "y", "[]"]]
    found = problems(csv_bytes(("id", "question", "context", "answers"), records), "a.csv")
    assert len(found) == 2
    assert re.match(r"line 6, id b: answers must be JSON, but: .*; write the cell with json.dumps", found[0])
    assert found[1] == "line 7, id c: question must not be empty"


def test_rows_that_are_merged_must_agree(problems):
    records = [
        ["a", "Who?", CAT, "cat", "10"],
        ["b", "Who?", CAT, "", ""],
        ["a", "Why?", CAT, "cat", "34"],
        ["b", "Who?", CAT, "cat", "10"],
        ["a", "Who?", CAT, "cat", "x"],
    ]
    header = ("id", "question", "context", "answer_text", "answer_start")
    assert problems(csv_bytes(header, records), "a.csv") == [
        'line 2, id a: answer 2: answer_start must be a whole number, but is "x"',
        "line 4, id a: id must be unique, but line 2 has it too",
        "line 5, id b: id must be unique, but line 3 has it too",
    ]


def test_a_missing_file_and_a_folder_are_reported(tmp_path):
    with pytest.raises(DataError, match=r"none\.json: must be a file, but does not exist$"):
        read_examples(tmp_path / "none.json")
    with pytest.raises(DataError, match=r"must be a file, but is a folder; read a data-set folder as hub:.*:train$"):
        read_examples(str(tmp_path))


def test_a_problem_can_be_printed_for_any_data(problems):
    (found,) = problems([row(id="\ud800\n\x1b[31m", question="")])
    assert found.encode().decode().isprintable()


# Writing, describing, splitting

# Without adjacent surrogate halves, because JSON joins their escapes to one character.
texts = st.text(st.characters(codec=None) | st.sampled_from(list("\r\n\x00 ab\ud800\U0001f415\u2028"))).filter(
    lambda text: not re.search(r"[\ud800-\udbff][\udc00-\udfff]", text)
)
filled = texts.filter(lambda text: not is_blank(text))


@st.composite
def data_sets(draw):
    examples = []
    for identifier in draw(st.lists(texts.filter(bool), min_size=1, max_size=6, unique=True)):
        context = draw(st.sampled_from(examples)).context if examples and draw(st.booleans()) else draw(texts)
        spans = draw(st.lists(st.tuples(st.integers(0, len(context)), st.integers(0, len(context))), max_size=3))
        golds = tuple(Gold(context[start:end], start) for start, end in spans if context[start:end].strip())
        golds = None if draw(st.booleans()) and not golds else golds
        examples.append(Example(identifier, draw(filled), context, golds, draw(st.sampled_from(["", "A", "B\r"]))))
    return examples


@given(data_sets())
def test_written_examples_are_read_back(tmp_path_factory, examples):
    path = tmp_path_factory.getbasetemp() / "written.json"
    write_squad(examples, path)
    assert read_examples(path) == examples


def test_written_files_have_the_shape_of_squad(tmp_path):
    write_squad(EXAMPLES, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["version"] == "v2.0"
    assert [article["title"] for article in document["data"]] == ["Animals", "Dogs"]
    (paragraph,) = document["data"][0]["paragraphs"]
    assert [question["is_impossible"] for question in paragraph["qas"]] == [False, True]
    write_squad(EXAMPLES[::2], tmp_path / "b.json.gz")
    document = json.loads(gzip.decompress((tmp_path / "b.json.gz").read_bytes()))
    assert document["version"] == "1.1"
    assert set(document["data"][0]["paragraphs"][0]["qas"][0]) == {"id", "question", "answers"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json.gz"]


def test_a_failed_write_keeps_the_old_file(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_squad(EXAMPLES, tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_writing_through_a_link_keeps_the_link(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    link.symlink_to(target)
    for examples in (EXAMPLES, EXAMPLES[::2]):  # there is no target yet, then there is one
        write_squad(examples, link)
        assert link.is_symlink()
        assert read_examples(target) == examples


@pytest.mark.parametrize("name", ["pipe.json", "pipe.json.gz"])
def test_writing_to_a_pipe_keeps_the_pipe(tmp_path, name):
    pipe = tmp_path / name
    os.mkfifo(pipe)
    read = []
    listener = threading.Thread(target=lambda: read.extend(read_examples(pipe)), daemon=True)
    listener.start()
    write_squad(EXAMPLES, pipe)
    assert pipe.is_fifo()
    listener.join(timeout=10)
    assert read == EXAMPLES


def test_writing_to_a_missing_folder_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder") as caught:
        write_squad(EXAMPLES, tmp_path / "no" / "a.json")
    assert caught.value.filename == str(tmp_path / "no")


def test_writing_through_a_link_reports_the_missing_target_folder(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "no" / "a.json")
    with pytest.raises(FileNotFoundError, match="no such folder") as caught:
        write_squad(EXAMPLES, tmp_path / "link.json")
    assert caught.value.filename == str(tmp_path.resolve() / "no")


def test_describe_computes_statistics():
    unlabelled = Example("q4", "Who\ud800?", "", None)
    description = describe([unlabelled, *EXAMPLES])
    assert (description.articles, description.contexts, description.questions) == (2, 3, 4)
    assert (description.unanswerable, description.unlabelled, description.outer_white_space) == (1, 1, 1)
    assert description.golds_per_question == {0: 1, 1: 1, 2: 1}
    assert (description.context_characters.least, description.context_characters.most) == (0, 44)
    assert (description.question_words.p90, description.question_words.mean) == (3, 1.75)
    assert (description.answer_words.least, description.answer_words.most) == (2, 3)
    assert description.answer_position == (2, 0, 0, 0, 0, 0, 0, 1, 0, 0)
    assert description.example == unlabelled
    document = description.to_dict()
    assert document["example"]["question"] == "Who\ufffd?"
    assert json.loads(json.dumps(document)) == document
    assert describe([]).questions == 0


def test_split_keeps_order_and_names_unknown_titles():
    assert split(EXAMPLES, ["Dogs"]) == ([EXAMPLES[2]], EXAMPLES[:2])
    with pytest.raises(ConfigError) as caught:
        split(EXAMPLES, ["Dogs", "Animal", "Zoology"])
    assert str(caught.value) == (
        'titles must name articles of the data, but no article is called "Animal"; did you mean "Animals"?\n'
        'titles must name articles of the data, but no article is called "Zoology"'
    )


def test_titles_are_read_line_by_line(tmp_path):
    path = tmp_path / "titles.txt"
    path.write_bytes("\ufeffAnimals\r\n\n Dogs\u2028 \n".encode())
    assert read_titles(path) == ["Animals", " Dogs\u2028 "]
    for content, message in ((b"\n", "but has none"), (b"\xe9", "must be UTF-8")):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=message):
            read_titles(path)
    with pytest.raises(ConfigError, match="no such file"):
        read_titles(tmp_path / "none.txt")


# The full data sets


@pytest.mark.long
@pytest.mark.data
def test_squad_train(squad_folder):
    examples = read_examples(squad_folder / "squad-v1.1-train.json")
    description = describe(examples)
    assert (description.articles, description.questions) == (442, 87_599)
    assert description.golds_per_question == {1: 87_599}
    assert describe(examples[:1000]).outer_white_space == 6
    inside, outside = split(examples, read_titles(squad_folder / "held-out-titles.txt"))
    assert (len(inside), len(outside)) == (4_733, 87_599 - 4_733)


@pytest.mark.data
def test_squad_dev(squad_folder):
    description = describe(read_examples(squad_folder / "squad-v1.1-dev.json"))
    assert (description.articles, description.contexts, description.questions) == (48, 2_067, 10_570)
    assert sum(number * total for number, total in description.golds_per_question.items()) == 34_726


@pytest.mark.data
def test_squad_2_dev(squad_folder, tmp_path):
    examples = read_examples(squad_folder / "squad-v2.0-dev.json")
    description = describe(examples)
    assert (description.questions, description.unanswerable) == (11_873, 5_945)
    write_squad(examples, tmp_path / "copy.json")
    assert read_examples(tmp_path / "copy.json") == examples


@pytest.mark.parametrize(
    "given",
    [
        answers(("black cat", 999), ("cat", -1), ("", 0)),
        [{"text": "black cat"}, {"text": "cat"}, {"text": ""}],
        {"text": ["black cat", "cat", ""]},
    ],
    ids=["misplaced", "no starts", "hub"],
)
def test_for_scoring_only_the_texts_of_golds_count(tmp_path, given):
    """The official scorers ignore answer_start, and so does ``quoth score``."""
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row(answers=given)))
    with pytest.raises(DataError, match="answer"):
        read_examples(path)
    (example,) = read_examples(path, places=False)
    assert [gold.text for gold in example.golds] == ["black cat", "cat", ""]


def test_for_scoring_texts_must_be_strings(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row(answers=[{"text": 7}, "cat"])))
    with pytest.raises(DataError, match="an answer's text must be text, but is 7"):
        read_examples(path, places=False)
