"""Data formats: which are read, which are rejected, and the suggestions in messages."""

import io
import json
from datetime import date

import pytest
from hypothesis import given, strategies as st

from quoth.cli import main
from quoth.data import inspect, read_examples
from quoth.data.lookalikes import difference_message, fold
from quoth.encodings import csv_delimiter
from quoth.errors import ConfigError, DataError
from quoth.evaluation.error_analysis import mistake
from quoth.records import Answer, Example, Gold, Prediction, Span

ANA = "Ana kept the light at Natal from 1903."
WHO = Example("1", "Who?", ANA, (Gold("Ana", 0),))
ROW = {"id": "1", "question": "Who?", "context": ANA, "answers": {"text": ["Ana"], "answer_start": [0]}}


@pytest.fixture
def file(tmp_path):
    """Write a file and return its path."""

    def run(content, name="data.json"):
        path = tmp_path / name
        if not isinstance(content, str | bytes):
            content = json.dumps(content, ensure_ascii=False)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return run


@pytest.fixture
def lines(file):
    """Write a file, inspect it, and return the lines of ``quoth data check``, without the file's name."""

    def run(content, name="data.json", level="error"):
        path = file(content, name)
        found = inspect(path).problems.lines(level)
        return [line.removeprefix(f"{path}: ") for line in found]

    return run


def qas(*questions):
    return {"context": ANA, "qas": list(questions)}


ASKED = {"id": "1", "question": "Who?", "answers": [{"text": "Ana", "answer_start": 0}], "is_impossible": False}


def test_contexts_with_their_questions_are_read_from_a_list_and_from_lines(file):
    assert read_examples(file([qas(ASKED)])) == [WHO]
    assert read_examples(file(json.dumps(qas(ASKED)), "lines.jsonl")) == [WHO]
    assert read_examples(file({"data": [qas(ASKED)]})) == [WHO]


@pytest.mark.parametrize("name", ["contexts.json", "contexts.jsonl", "nested.json", "flat.jsonl", "flat.csv"])
def test_is_impossible_counts_in_every_format(file, lines, name):
    """A question without answers is unanswerable if the file says so; a contradiction is reported."""
    sure = {"id": "2", "question": "Who sank?", "is_impossible": True}
    torn = {"id": "3", "question": "Who swam?", "is_impossible": True, "answers": ASKED["answers"]}
    empty = {"id": "4", "question": "Who ran?", "is_impossible": False, "answers": []}

    def content(*questions):
        if name == "flat.csv":
            rows = [f"{q['id']},{q['question']},{ANA},{cells(q)},{q['is_impossible']}" for q in questions]
            return "\n".join(["id,question,context,answer_text,answer_start,is_impossible", *rows])
        if name == "flat.jsonl":
            return "\n".join(json.dumps({**q, "context": ANA}) for q in questions)
        if name == "nested.json":
            return json.dumps({"data": [{"title": "T", "paragraphs": [qas(*questions)]}]})
        document = json.dumps(qas(*questions))
        return f"[{document}]" if name.endswith(".json") else document

    def cells(question):
        return "Ana,0" if question.get("answers") else ","

    assert [example.golds for example in read_examples(file(content(ASKED, sure), name))] == [WHO.golds, ()]
    first, second = lines(content(ASKED, torn, empty), name)
    assert "id 3: answers must be empty where is_impossible is true, but there are 1" in first
    assert "id 4: is_impossible must be true where answers are empty, but is false" in second


def test_columns_of_json_are_rows(file):
    columns = {name: [value] * 2 for name, value in ROW.items()} | {"id": ["1", "2"]}
    wanted = [WHO, Example("2", "Who?", ANA, WHO.golds)]
    assert read_examples(file(columns)) == wanted
    pandas = {name: {"0": cells[0], "1": cells[1]} for name, cells in columns.items()}
    assert read_examples(file(pandas)) == wanted


def test_json_of_pandas_in_other_orientations_is_read(file):
    cells = {name: value for name, value in ROW.items() if name != "id"}
    assert read_examples(file({"1": cells})) == [WHO]
    assert read_examples(file({"columns": list(ROW), "index": [0], "data": [list(ROW.values())]})) == [WHO]


def test_missing_values_of_pandas_are_null_in_json(file):
    text = json.dumps([{**ROW, "title": float("nan"), "is_impossible": float("nan")}])
    assert "NaN" in text
    for content, name in ((text, "a.json"), (text[1:-1], "a.jsonl")):
        assert read_examples(file(content, name)) == [WHO]


@pytest.mark.parametrize(
    ("yes", "no"), [("True", "nan"), ("1.0", "0.0"), ("yes", "no"), ("WAHR", "FALSCH"), ("VRAI", "FAUX"), ("TRUE", "")]
)
def test_truth_values_of_tables_are_read(file, yes, no):
    table = (
        f"id,question,context,answer_text,answer_start,is_impossible\n1,Who?,{ANA},Ana,0,{no}\n2,Who?,{ANA},,,{yes}\n"
    )
    assert read_examples(file(table, "data.csv")) == [WHO, Example("2", "Who?", ANA, ())]


def test_records_with_blank_cells_only_are_skipped(file):
    table = f"id,question,context,answer_text,answer_start\n,,,,\n1,Who?,{ANA},Ana,0\n, ,,,\n"
    assert read_examples(file(table, "data.csv")) == [WHO]


def test_a_plain_text_in_the_column_answers_is_reported_and_repaired(quoth, file, tmp_path):
    path = file(f"id,question,context,answers\n1,Who?,{ANA},Ana\n2,When?,{ANA},1903\n3,Why?,{ANA},\n", "data.csv")
    first, _ = inspect(path).problems.lines()
    assert 'is "Ana"; a plain text belongs in answer_text' in first
    assert quoth("data", "repair", path, "-o", tmp_path / "o.json", "--log", tmp_path / "l")[0] == 0
    assert [each.golds for each in read_examples(tmp_path / "o.json")] == [WHO.golds, (Gold("1903", 33),), ()]


def test_an_empty_context_is_a_warning(lines):
    for context, said in (("", "empty"), (" \u200b", "only white space")):
        (line,) = lines([{**ROW, "context": context, "answers": []}], level="warning")
        assert f"the context is {said}" in line


def test_a_list_of_questions_under_another_name_is_reported(lines):
    (line,) = lines({"data": [{"text": ANA, "questions": [{"q": "Who?"}]}]})
    assert 'must have the key qas, but has "questions"; rename it' in line


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["data.csv", "data.tsv"])
def test_the_delimiter_is_inferred_from_the_header(file, sep, name):
    header, record = ("id", "question", "context", "answer_text", "answer_start"), ("1", "Who?", ANA, "Ana", "0")
    assert read_examples(file(f"{sep.join(header)}\n{sep.join(record)}\n", name)) == [WHO]


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("Question;Context", ";"),
        ('a;b;"c, d, e, ""f, g"" h"', ";"),
        ('"a;b;c;d",e\n', ","),
        ("question;context;notes, of, any, kind", ";"),
        ('size 5"|name', "|"),
        ("\r\na\tb\r\nc,d,e,f\r\n", "\t"),
        ("", ","),
    ],
)
def test_the_delimiter_is_what_gives_known_names_or_most_cells(header, delimiter):
    assert csv_delimiter(header) == delimiter


def test_the_delimiter_can_be_given(file):
    path = file(f"id:question:context\n1:Who?:{ANA}\n", "data.csv")
    with pytest.raises(DataError, match=r"column question, but .*; if another .* name it with --sep"):
        read_examples(path)
    assert read_examples(path, sep=":") == [Example("1", "Who?", ANA)]
    tabs = file(f"id\tquestion\tcontext\n1\tWho?\t{ANA}\n", "tabs.csv")
    assert read_examples(tabs, sep="tab") == read_examples(tabs, sep="\\t") == [Example("1", "Who?", ANA)]


@pytest.mark.parametrize("sep", ["^^", '"', "\n"])
def test_a_delimiter_is_one_character(file, sep):
    with pytest.raises(ConfigError, match="sep must be one character, or tab, but is "):
        read_examples(file(f"id,question,context\n1,Who?,{ANA}\n", "data.csv"), sep=sep)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("name", ["data.json", "data.jsonl", "data.csv"])
def test_utf16_and_utf32_are_read(file, encoding, name):
    row = ROW if name != "data.csv" else None
    text = json.dumps(row) if row else f"id,question,context,answer_text,answer_start\n1,Who?,{ANA},Ana,0\n"
    text = f"[{text}]" if name == "data.json" else text
    assert read_examples(file(text.encode(encoding), name)) == [WHO]


def test_other_encodings_are_read_if_given(file):
    path = file("id,question,context\n1,Où?,Café.\n".encode("cp1252"), "data.csv")
    with pytest.raises(
        DataError, match=r"must be UTF-8, but contains the byte 0xf9; .*data\.csv -o OUT\.json --encoding cp1252"
    ):
        read_examples(path)
    assert read_examples(path, encoding="cp1252") == [Example("1", "Où?", "Café.")]
    with pytest.raises(ConfigError, match="such as cp1252 or utf-16, but is klingon"):
        read_examples(path, encoding="klingon")


@pytest.mark.torch
def test_excel_files_are_read_and_other_sheets_are_reported(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for record in (
        ["id", "question", "context", "answer_text", "answer_start"],
        [1, "When?", ANA, 1903, 33],
        [],
        [2.0, "Why?", ANA, None, None],
    ):
        book.active.append(record)
    path = tmp_path / "data.xlsx"
    book.save(path)
    assert read_examples(path) == [Example("1", "When?", ANA, (Gold("1903", 33),)), Example("2", "Why?", ANA, ())]
    book.create_sheet("More").append(["id"])
    book.save(path)
    assert "only the sheet Sheet is read, not More" in inspect(path).problems.lines("warning")[0]
    (tmp_path / "broken.xlsx").write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="must be an Excel file"):
        read_examples(tmp_path / "broken.xlsx")


@pytest.mark.torch
@pytest.mark.parametrize("name", ["Context", "Passage"])
def test_dates_of_excel_are_reported_only_where_they_are_read(tmp_path, name):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    records = [
        ("id", "question", name, "added"),
        (1, "When?", date(1903, 5, 1), None),
        (2, "Why?", ANA, date(2024, 1, 2)),
    ]
    for record in records:
        book.active.append(record)
    book.save(tmp_path / "data.xlsx")
    wrong = [line for line in inspect(tmp_path / "data.xlsx").problems.lines() if "a date" in line]
    said = "line 2: a cell must be text, but is a date (1903-05-01T00:00:00); format the column as text in Excel"
    assert wrong == [f"{tmp_path / 'data.xlsx'}: {said}"]


@pytest.mark.torch
def test_a_folder_of_save_to_disk_is_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_list([ROW])
    data.save_to_disk(tmp_path / "saved")
    assert read_examples(tmp_path / "saved") == [WHO]
    datasets.DatasetDict({"train": data, "dev": data}).save_to_disk(tmp_path / "parts")
    with pytest.raises(DataError, match=r"contains several; read one of .*train, .*dev"):
        read_examples(tmp_path / "parts")


@pytest.mark.parametrize("level", ["article", "paragraph", "question"])
def test_a_title_is_read_at_any_level(file, level):
    question, paragraph = dict(ASKED), {"context": ANA}
    article = {}
    {"article": article, "paragraph": paragraph, "question": question}[level]["title"] = "Log"
    document = {"data": [{**article, "paragraphs": [{**paragraph, "qas": [question]}]}]}
    assert read_examples(file(document))[0].title == "Log"


def test_a_second_title_is_reported(lines):
    document = {"data": [{"title": "Log", "paragraphs": [{**qas(ASKED), "title": "Part 1"}]}]}
    (line,) = lines(document, level="warning")
    assert 'has the titles "Log" and "Part 1"; the first one is used' in line


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("gold_answers", {"text": ["Ana"], "answer_start": [0]}, "rename it to answers or"),
        ("answer", "Ana", "rename it to answer_text (plain text"),
        ("label", "Ana", "rename it to answer_text (plain text"),
        ("goldAnswer", [{"text": "Ana", "answer_start": 0}], "rename it to answers or"),
        ("unanswerable", True, "rename it to is_impossible"),
        ("has_answer", "true", "rename it to is_impossible"),
        ("is_answer_absent", "0.0", "rename it to is_impossible"),
    ],
)
def test_a_key_that_looks_like_an_answer_but_is_not_read_is_an_error(lines, key, value, meant):
    row = {name: value for name, value in ROW.items() if name != "answers"}
    (line,) = lines([{**row, key: value}])
    assert f'key "{key}" looks like an answer, but is not read' in line
    assert meant in line
    (line,) = lines([{**row, "answers": [], key: value}])  # else it would pass for an unanswerable question
    assert f'key "{key}"' in line
    if isinstance(value, str):
        (line,) = lines(f"id,question,context,{key}\n1,Who?,{ANA},{value}\n", "data.csv")
        assert f' "{key}" looks like an answer, but is not read; {meant}' in line


def test_names_of_columns_are_read_in_any_case(lines, tmp_path):
    header = "ID;Title ;Context;Question;Answer Text;ANSWER-START;Is impossible\n"
    assert lines(header + f"1;T;{ANA};Who?;Ana;0;\n2;T;{ANA};Why?;;;True\n", "data.csv") == []


@pytest.mark.parametrize("suffix", [".csv", pytest.param(".xlsx", marks=pytest.mark.torch)])
def test_a_title_above_the_header_is_skipped_with_a_warning(tmp_path, suffix):
    rows = [["Our questions", "", ""], ["", "", ""], ["Question", "Text", "Answer"], ["Who?", ANA, "Ana"]]
    path = tmp_path / f"data{suffix}"
    if suffix == ".csv":
        path.write_text("".join(",".join(row) + "\n" for row in rows))
    else:
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append([cell or None for cell in row])
        book.save(path)
    found = inspect(path)
    assert [row.fields["question"] for row in found.rows] == ["Who?"]
    assert "the names of the columns are in line 3" in found.problems.lines("warning")[0]


@pytest.mark.parametrize(
    "cell",
    [
        "{'text': ['Ana'], 'answer_start': [0]}",
        "{'text': array(['Ana'], dtype=object), 'answer_start': array([0])}",
        "{'text': array(['Ana'],\n      dtype=object), 'answer_start': array([0], dtype=int32)}",
        "[{'text': 'Ana', 'answer_start': 0}]",
    ],
)
def test_cells_that_pandas_wrote_are_read(lines, tmp_path, cell):
    assert lines(f'id,question,context,answers\n1,Who?,{ANA},"{cell}"\n', "data.csv") == []


@pytest.mark.parametrize("cell", ["{'text': open('x')}", "array()", "[" * 2000, "{'text': ['Ana']"])
def test_other_cells_are_not_read(lines, cell):
    (line,) = lines(f'id,question,context,answers\n1,Who?,{ANA},"{cell}"\n', "data.csv")
    assert "answers must be JSON, but" in line


@pytest.mark.parametrize(
    "answers",
    [
        lambda n: {"text": f"Ana {n}", "answer_start": n},
        lambda n: [f"Ana {n}"],
        lambda n: f"Ana {n}",
        lambda n: [{"text": n, "answer_start": 0}],
        lambda n: {"text": ["Ana"] * (n + 2), "answer_start": [0]},
    ],
)
def test_one_cause_in_many_rows_is_one_line(tmp_path, answers):
    rows = [{**ROW, "id": str(n), "answers": answers(n)} for n in range(9)]
    (tmp_path / "d.json").write_text(json.dumps(rows))
    problems = inspect(tmp_path / "d.json").problems
    assert len(problems.lines()) <= 2
    assert "and 8 more of this kind" in problems.lines()[0]


@pytest.mark.parametrize("key", ["plausible_answers", "answer_category", "answer_id", "answer_type", "document_id"])
def test_other_keys_about_answers_are_ignored(lines, key):
    assert lines([{**ROW, "answers": [], key: "7"}]) == []


def test_unlabelled_questions_among_labelled_ones_are_reported(lines):
    rows = [ROW, {**ROW, "id": "2", "answers": None}, {"id": "3", "question": "Why?", "context": ANA}]
    (line,) = lines(rows, level="warning")
    assert line.startswith("2 of 3 questions are unlabelled (row 2, row 3)")
    assert lines(rows[1:], level="warning") == []


def test_many_problems_of_one_cause_are_one_line(lines):
    rows = [{**ROW, "id": str(n), "answers": [{"text": "Ana", "answer_start": n + 1}]} for n in range(175)]
    inside, beyond = lines(rows)
    assert inside.startswith("row 1, id 0: the text at answer_start 1 must be")
    assert inside.endswith("(and 36 more of this kind: row 2, row 3, row 4, ...)")
    assert beyond.endswith("(and 137 more of this kind: row 39, row 40, row 41, ...)")


@pytest.mark.parametrize(
    ("record", "tool", "option"),
    [
        ({"data": {"text": ANA}, "annotations": []}, "Label Studio", "label-studio"),
        ({"text": ANA, "label": [[0, 3, "ANS"]]}, "doccano", "doccano"),
        ({"fields": {"context": ANA}, "responses": {}}, "Argilla", "argilla"),
    ],
)
def test_an_export_of_a_labelling_tool_is_recognised(lines, record, tool, option):
    for content, name in (([record], "a.json"), (json.dumps(record), "a.jsonl")):
        (line,) = lines(content, name)
        assert f"looks like an export of {tool}; convert it with: quoth data convert" in line
        assert line.endswith(f"--from {option}")


@pytest.mark.parametrize(
    ("wanted", "there", "said"),
    [
        ("640 metres", "640\xa0metres", 'is "640\\u00a0metres" (SPACE where the context has NO-BREAK SPACE)'),
        ("Café", "Cafe\u0301", "in another Unicode form: NFC and NFD"),
        ("don't", "don’t", "(APOSTROPHE where the context has RIGHT SINGLE QUOTATION MARK)"),
        ("1903", "1904", 'must be "1903", but is "1904"'),
        ("x" * 90 + "a" + "y" * 90, "x" * 90 + "b" + "y" * 90, f'"…{"x" * 20}a{"y" * 19}…"'),
    ],
)
def test_a_difference_is_shown(wanted, there, said):
    assert said in difference_message(wanted, there)


@pytest.mark.parametrize(("text", "said"), [("Fa\u0308hre", "NFD and NFC"), ("rope is", "ZERO WIDTH SPACE")])
def test_a_difference_in_length_is_shown(lines, text, said):
    context = "Fähre" if text != "rope is" else "rope\u200b is long"
    line = lines([{**ROW, "context": context, "answers": {"text": [text], "answer_start": [0]}}])[0]
    assert said in line


@given(st.text(), st.text(min_size=1))
def test_a_difference_between_two_texts_is_always_visible(before, other):
    first, second = difference_message(before + other, before).removeprefix("must be ").rsplit(", but is ", 1)
    assert first != second


@given(st.text(alphabet="ab é\u0301\xa0 \u200b’ﬁ…\n"), st.text(alphabet="ab é\u0301 '", min_size=1))
def test_text_found_in_a_folded_text_has_the_same_folded_form(text, needle):
    needle = fold(needle).text.strip()
    for start, end in fold(text).find_all(needle):
        assert fold(text[start:end]).text == needle


def test_missing_keys_in_a_list_of_contexts_are_reported(file):
    with pytest.raises(DataError) as caught:
        read_examples(file([{"qas": [ASKED]}, {"context": ANA, "qas": "Who?"}]))
    first, second = caught.value.problems
    assert "must have the key context" in first
    assert 'qas must be a list, but is "Who?"' in second


@pytest.mark.parametrize(
    ("context", "gold", "said", "cause"),
    [
        ("安娜看守灯塔。本恩烤面包。", "安娜", "面包", "nearby"),
        ("安娜看守灯塔和面包。", "安娜", "面包", "same sentence"),
        ("आना यहाँ है। बेन वहाँ है।", "आना", "बेन", "nearby"),
        ("آنا هنا؟ بن هناك", "آنا", "بن", "nearby"),
        ("Ana kept 1.5 m and Ben.", "Ana", "Ben", "same sentence"),
        ('Ana said "no." Ben left.', "Ana", "Ben", "nearby"),
    ],
)
def test_sentences_end_in_every_script(context, gold, said, cause):
    example = Example("1", "?", context, (Gold(gold, context.index(gold)),))
    start = context.index(said)
    answer = Answer(said, Span(start, start + len(said)), 1.0, 1.0)
    assert mistake(example, Prediction(example, (answer,), 0.0, False), "v1.1")["cause"] == cause


def test_a_file_without_ids_suggests_repair(lines):
    (line,) = lines(f"question,context\nWho?,{ANA}\n", "noid.csv")
    assert "must have the key id" in line
    assert line.endswith("quoth data repair creates one for each question")
    (line,) = lines([{**{k: v for k, v in ROW.items() if k != "id"}, "question_id": "1"}])
    assert 'must have the key id, but has "question_id"; rename it' in line


@pytest.mark.torch  # of all that make test-base does without, openpyxl
def test_an_invalid_workbook_is_reported(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(io.BytesIO(b"PK\x03\x04nothing").getvalue())
    with pytest.raises(DataError, match="must be an Excel file"):
        read_examples(tmp_path / "a.xlsx")


def test_rows_under_another_key_are_reported(lines):
    found = lines([{"questionId": "a", "query": "Who?", "passage": ANA, "context_id": "c", "answers": []}])
    assert [line.partition(": ")[2] for line in found] == [
        'must have the key id, but has "questionId"; rename it',
        'must have the key question, but has "query"; rename it',
        'must have the key context, but has "passage"; rename it',
    ]
    (line,) = lines([{**{k: v for k, v in ROW.items() if k != "context"}, "context_id": 7, "context_text": ANA}])
    assert 'must have the key context, but has "context_text"' in line


def test_a_data_set_of_other_encoding_can_be_described(file, capsys):
    path = file("id;question;context\n1;Où?;Café.\n".encode("cp1252"), "data.csv")
    with pytest.raises(SystemExit) as stopped:
        main(["data", "describe", str(path), "--encoding", "cp1252", "--sep", ";", "--json"])
    assert stopped.value.code == 0
    assert json.loads(capsys.readouterr().out)["example"]["context"] == "Café."
