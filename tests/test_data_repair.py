"""``quoth data repair``: unambiguous problems are repaired by named rules, and nothing else is changed."""

import json
from functools import partial

import pytest
from hypothesis import given, settings, strategies as st

from quoth.data import inspect, read_examples
from quoth.data.check import check
from quoth.data.repair import RULES, chosen_rules, drop_unrepaired, repair
from quoth.data.rows import Problems, Row
from quoth.data.write import row_of, write_rows
from quoth.errors import ConfigError
from quoth.records import Example, Gold

ANA = "Ana Ribeiro kept the light at Natal from 1903."
CAFE = "Café Olé 🐕 sold crème brûlée to Zoë."
LINES = "Ana\r\nkept\r\nthe light."


def row(context=ANA, text="Ana", start=0, **changes):
    good = {"id": "q", "question": "Who?", "context": context, "answers": [{"text": text, "answer_start": start}]}
    return Row("row 1", {**good, **changes})


def repaired(given, rules=chosen_rules()):  # noqa: B008
    """Repair one row; return its fields and the rules that changed it."""
    result = repair([given], rules)
    return result.rows[0].fields, [change.rule for change in result.changes]


@pytest.mark.parametrize(
    ("rule", "context", "text", "start", "gold"),
    [
        ("bytes", CAFE, "crème", len(CAFE[: CAFE.index("crème")].encode()), "crème"),
        ("utf-16", "🐕 and 🐕 sat here, Ana.", "Ana", 20, "Ana"),
        ("line-ends", LINES, "the light", 9, "the light"),
        ("line-ends", LINES.replace("\r\n", "\n"), "the light", 11, "the light"),
        ("near", "the light, far from here, is the light", "the light", 2, "the light"),
        ("elsewhere", ANA, "1903", 3, "1903"),
        ("starts", ANA, "1903", -1, "1903"),
        ("starts", ANA, "1903", None, "1903"),
        ("edges", ANA, " Ribeiro ", 3, "Ribeiro"),
        ("look-alikes", "It is 640\xa0metres long.", "640 metres", 6, "640\xa0metres"),
        ("look-alikes", "The Cafe\u0301 is shut.", "Café", 4, "Cafe\u0301"),
        ("look-alikes", "It is Ana’s light.", "Ana's light", 6, "Ana’s light"),
        ("entities", "Salt & pepper.", "Salt &amp; pepper", 0, "Salt & pepper"),
        ("entities", "Salt &amp; pepper.", "Salt & pepper", 0, "Salt &amp; pepper"),
        ("case", ANA, "ana ribeiro", 0, "Ana Ribeiro"),
        ("case", "Three of them live there for three days.", "three", 0, "Three"),
        ("look-alikes", "The Cafe\u0301, not the Café.", "Café", 4, "Cafe\u0301"),
        ("entities", "Salt & oil, not Salt &amp; oil.", "Salt &amp; oil", 0, "Salt & oil"),
        ("words", ANA, "Ana Ribei", 0, "Ana Ribeiro"),
        ("words", "Of all contenders ten came.", "ten", 10, "ten"),
    ],
)
def test_each_rule_repairs_the_place_of_a_gold(rule, context, text, start, gold):
    given = row(context, text, start)
    fields, rules = repaired(given)
    assert rules == [rule]
    (answer,) = fields["answers"]
    assert answer == {"text": gold, "answer_start": answer["answer_start"]}
    assert context.startswith(gold, answer["answer_start"])
    assert repaired(given, chosen_rules(without=[rule]))[1] != [rule]
    assert given.fields["answers"] == [{"text": text, "answer_start": start}]  # the input stays as it was


@pytest.mark.parametrize(
    ("context", "text", "start"),
    [
        ("the cat and the dog", "the", 7),  # two places, as near
        ("the cat, and far from here the dog", "the", 14),
        (ANA, "Ben", 0),
        (ANA, "Anna", -1),
        ("A cat. A CAT.", "a cat", 3),
        ("Other keepers", "he", 2),  # less than half of its word
        ("contenders: ten of ten", "ten", 3),
        ("640m of rope", "640", 0),  # a digit beside a letter cuts no word
        ("나폴레옹은 왔다", "나폴레옹", 0),  # a particle is no part of the answer
        ("安娜看守灯塔", "安娜", 0),
    ],
)
def test_ambiguous_problems_are_not_repaired(context, text, start):
    assert repaired(row(context, text, start))[1] == []


@pytest.mark.parametrize(
    ("rule", "changes", "wanted"),
    [
        ("question-id", {"id": None, "question_id": "7"}, {"id": "7"}),
        ("values", {"is_impossible": "false"}, {"is_impossible": False}),
        ("values", {"title": 1984}, {"title": "1984"}),
        ("values", {"answers": [{"text": "Ana", "answer_start": "0"}]}, {}),
        ("values", {"answers": [{"text": 1903, "answer_start": 41}]}, {}),
        ("scalars", {"answers": {"text": "Ana", "answer_start": 0}}, {}),
        ("scalars", {"answers": {"text": ["Ana"], "answer_start": 0}}, {}),
        ("empty", {"answers": [{"text": "", "answer_start": -1}]}, {"answers": []}),
        ("empty", {"answers": [{"text": "N/A", "answer_start": -1}]}, {"answers": []}),
        ("empty", {"answers": [{"text": "No answer.", "answer_start": None}]}, {"answers": []}),
        (
            "empty",
            {"context": "Ana. CANNOTANSWER", "answers": [{"text": "CANNOTANSWER", "answer_start": 5}]},
            {"answers": []},
        ),
        ("golds", {"answers": [{"text": "Ana", "answer_start": 0}] * 3}, {"answers": row().fields["answers"]}),
        ("ids", {"id": ""}, {}),
    ],
)
def test_each_rule_repairs_a_field(rule, changes, wanted):
    given = Row("row 1", {**row().fields, **changes})
    fields, rules = repaired(given)
    assert set(rules) == {rule}
    assert wanted.items() <= fields.items()
    problems = Problems("x")
    check([Row("row 1", fields)], problems)
    assert problems.sentences() == []
    assert rule not in repaired(given, chosen_rules(without=[rule]))[1]


def test_names_are_repaired_where_only_one_key_can_be_meant():
    given = Row("row 1", {"id": "q", "query_text": "Who?", "Passage": ANA, "gold_answer": "1903", "start": "41"})
    fields, rules = repaired(given)
    assert rules == ["names"] * 4
    answers = [{"text": "1903", "answer_start": 41}]
    assert fields == {"id": "q", "question": "Who?", "context": ANA, "answers": answers}
    fields, rules = repaired(Row("row 1", {"id": "q", "question": "Who?", "context": ANA, "label": "Ana"}))
    assert (fields["answers"], rules) == ([{"text": "Ana", "answer_start": 0}], ["names", "scalars", "starts"])
    fields, _ = repaired(Row("row 1", {"id": "q", "question": "Who?", "context": ANA, "answer": ""}))
    assert fields["answers"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"question": "Who?", "passage": ANA, "document": ANA},
        {"question": "Who?", "context": ANA, "answer": "Ana", "gold": "Ben"},
        {"question": "Who?", "context": ANA, "unanswerable": True},
        {"question": "Who?", "context": ANA, "answer": "Ana", "no_answer": False},
        {"question": "Who?", "context": ANA, "answers": [], "answer": "Ana"},
        {"question": "Who?", "context": ANA, "answer_id": "7"},
    ],
)
def test_names_that_may_mean_several_things_are_kept(fields):
    assert repaired(Row("row 1", {"id": "q", **fields}))[0] == {"id": "q", **fields}


def test_the_original_cmrc_is_repaired(quoth, tmp_path):
    context = "安娜从1903年起看守纳塔尔的灯塔。"
    asked = {"query_id": "1", "query_text": "谁看守灯塔？", "answers": ["安娜", "安娜", "安娜"]}
    paragraph = {"context_id": "c", "context_text": context, "title": "T", "qas": [asked]}
    (tmp_path / "cmrc.json").write_text(json.dumps([paragraph]), encoding="utf-8")
    status, *_ = quoth("repair", tmp_path / "cmrc.json", "-o", tmp_path / "out.json")
    assert status == 0
    (example,) = read_examples(tmp_path / "out.json")
    assert example == Example("1", "谁看守灯塔？", context, (Gold("安娜", 0),), "T")


def test_a_spreadsheet_with_other_column_names_is_repaired(quoth, tmp_path):
    table = f"Query;Passage;Answer\nWho?;{ANA};Ana Ribeiro\nWhy?;{ANA};\nWhen?;{ANA};1903\n"
    (tmp_path / "mine.csv").write_text(table)
    status, out, _ = quoth("check", tmp_path / "mine.csv")
    assert status == 1
    assert "repair would change 3 rows (names 9, scalars 2, starts 2, ids 3)" in out
    assert quoth("repair", tmp_path / "mine.csv", "-o", tmp_path / "out.csv")[0] == 0
    golds = [[gold.text for gold in each.golds] for each in read_examples(tmp_path / "out.csv")]
    assert golds == [["Ana Ribeiro"], [], ["1903"]]


@pytest.mark.parametrize(
    "answers",
    [
        [{"answer": "the", "start": 24}],
        {"text": "the", "start": 24, "end": 27},
        {"span": ["the"], "answer_starts": [24]},
    ],
)
def test_parts_of_an_answer_under_other_names_are_renamed(answers):
    context = "Ana kept the boat, then the light."
    fields, rules = repaired(row(context, answers=answers))
    assert "names" in rules
    (example,) = check([Row("row 1", fields)], Problems("f"))
    assert example.golds == (Gold("the", 24),)


def test_numbered_columns_are_several_answers(quoth, tmp_path):
    table = f"question,context,Answer 1,Answer 2\nWho?,{ANA},Ana Ribeiro,Ana\nWhen?,{ANA},1903,\nWhy?,{ANA},,\n"
    (tmp_path / "mine.csv").write_text(table)
    assert quoth("check", tmp_path / "mine.csv")[0] == 1
    assert quoth("repair", tmp_path / "mine.csv", "-o", tmp_path / "out.json")[0] == 0
    golds = [[gold.text for gold in each.golds] for each in read_examples(tmp_path / "out.json")]
    assert golds == [["Ana Ribeiro", "Ana"], ["1903"], []]


@pytest.mark.parametrize(("text", "start"), [("none", 5), ("Natal N/A", -1), ("none", -1)])
def test_words_that_may_be_an_answer_are_kept(text, start):
    context = "Of the three none came back." if start == -1 and text == "none" else ANA
    fields, _ = repaired(row(context=context, text=text, start=start))
    assert fields["answers"]


def test_an_empty_answer_of_an_answerable_question_is_kept():
    assert repaired(row(text="", start=0, is_impossible=False))[1] == []


def test_duplicate_rows_are_removed_and_repeated_ids_are_changed():
    rows = [row(), Row("row 2", row().fields), Row("row 3", {**row().fields, "question": "Why?"})]
    rows.append(Row("row 4", {**row().fields, "id": "q-2"}))
    result = repair(rows)
    assert [each.fields["id"] for each in result.rows] == ["q", "q-3", "q-2"]
    assert [(change.where, change.rule, change.after) for change in result.changes] == [
        ("row 2", "rows", None),
        ("row 3", "ids", "q-3"),
    ]


def test_new_ids_depend_on_the_question_and_not_on_its_position():
    first, second = (Row(f"row {n}", {"question": f"{n}?", "context": ANA}) for n in (1, 2))
    ids = {each.fields["question"]: each.fields["id"] for each in repair([first, second]).rows}
    assert ids == {each.fields["question"]: each.fields["id"] for each in repair([second, first]).rows}
    assert len({each.fields["id"] for each in repair([first, Row("row 3", first.fields), second]).rows}) == 2


def test_every_other_key_is_kept():
    answers = [{"text": "ana", "answer_start": 0, "answer_id": 7}]
    fields, _ = repaired(row(answers=answers, document_id=3, plausible_answers=[]))
    assert fields["answers"] == [{"text": "Ana", "answer_start": 0, "answer_id": 7}]
    assert (fields["document_id"], fields["plausible_answers"]) == (3, [])


def test_rules_must_exist():
    assert chosen_rules(only=["case"]) == {"case"}
    with pytest.raises(ConfigError, match="but is 'cases'; did you mean case"):
        chosen_rules(without=["cases"])


PIECES = ["Ana", "ana", "é", "e\u0301", "🐕", "\r\n", "\n", " ", "\xa0", "’", "'", "&", "&amp;", "x", "1"]
pieces = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
starts = st.one_of(st.integers(-1, 20), st.none(), st.integers(0, 9).map(str), st.just(2.0))
golds = st.fixed_dictionaries(
    {"text": st.one_of(pieces, st.none(), st.integers(0, 9))}, optional={"answer_start": starts}
)
answers = st.one_of(
    st.lists(golds, max_size=3),
    st.none(),
    pieces,
    st.lists(pieces, max_size=2),
    golds,
    st.fixed_dictionaries({"text": st.lists(pieces, max_size=2), "answer_start": st.lists(starts, max_size=2)}),
)
fields = st.fixed_dictionaries(
    {"context": pieces, "question": st.sampled_from(["Who?", "Why?", ""])},
    optional={
        "id": st.sampled_from(["a", "a-2", "b", "", None, 1, 1.5]),
        "question_id": st.sampled_from(["a", 7]),
        "answers": answers,
        "is_impossible": st.sampled_from([True, False, None, "true", "false", "no", 1]),
        "title": st.sampled_from(["T", None, 3]),
        "more": st.integers(),
    },
)
data_sets = st.lists(fields, min_size=1, max_size=5).map(
    lambda rows: [Row(f"row {number}", each) for number, each in enumerate(rows, 1)]
)


@settings(max_examples=150)
@given(data_sets, st.sets(st.sampled_from([*RULES])))
def test_repairing_twice_changes_nothing_more(rows, without):
    rules = chosen_rules(without=without)
    once = repair(rows, rules)
    again = repair(once.rows, rules)
    assert again.changes == []
    assert [each.fields for each in again.rows] == [each.fields for each in once.rows]
    assert repair(rows, rules) == once
    assert {change.rule for change in once.changes} <= rules
    dropped = drop_unrepaired(once, Problems("x"))
    problems = Problems("x")
    check(dropped.rows, problems)
    assert problems.sentences() == []


@settings(max_examples=100)
@given(data_sets)
def test_valid_golds_are_unchanged_and_no_row_gets_worse(rows):
    before, after = Problems("x"), Problems("x")
    check(rows, before)
    result = repair(rows, RULES.keys() - {"rows"})
    check(result.rows, after)
    assert {problem.where.partition(",")[0] for problem in after.entries} <= {
        problem.where.partition(",")[0] for problem in before.entries
    }
    kept = {change.where for change in result.changes}
    assert [a for a in result.rows if a.where not in kept] == [b for b in rows if b.where not in kept]


@pytest.fixture
def quoth(quoth):
    """Run a command of ``quoth data``; return its exit status, stdout and stderr."""
    return partial(quoth, "data")


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".tsv.gz"])
def test_the_command_writes_the_repaired_rows_and_the_log(quoth, tmp_path, suffix):
    rows = [row(text="ana").fields, {**row(text="Ben").fields, "id": "r"}, {**row().fields, "id": "s", "answers": []}]
    (tmp_path / "mine.json").write_text(json.dumps(rows))
    out, log = tmp_path / f"out{suffix}", tmp_path / "log.jsonl"
    status, printed, err = quoth("repair", tmp_path / "mine.json", "-o", out, "--log", log)
    assert status == 1
    assert printed.splitlines() == ["case: 1 change", f"{out}: 3 questions, 1 problem left"]
    assert 'id r: the text at answer_start 0 must be "Ben"' in err
    assert [json.loads(line)["rule"] for line in log.read_text().splitlines()] == ["case"]

    status, printed, err = quoth("repair", tmp_path / "mine.json", "-o", out, "--log", log, "--drop")
    assert (status, printed.splitlines()[-1]) == (0, f"{out}: 2 questions, 0 problems left")
    assert err.startswith("dropped: row 2, id r: the text at answer_start 0 must be")
    wanted = [Example("q", "Who?", ANA, (Gold("Ana", 0),)), Example("s", "Who?", ANA, ())]
    assert read_examples(out) == wanted

    again = tmp_path / f"again{suffix}"
    assert quoth("repair", out, "-o", again)[:2] == (0, f"{again}: 2 questions, 0 problems left\n")
    assert again.read_bytes() == out.read_bytes()


def test_the_command_rejects_wrong_use(quoth, tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps([row().fields]))
    assert quoth("repair", tmp_path / "mine.json", "-o", tmp_path / "mine.json")[0] == 2
    status, _, err = quoth("repair", tmp_path / "mine.json", "-o", tmp_path / "out.xlsx")
    assert (status, "must end in one of .json" in err) == (2, True)
    assert quoth("repair", tmp_path / "mine.json", "-o", tmp_path / "o.json", "--only", "cases")[0] == 2


def test_unreadable_lines_remain_as_problems(quoth, tmp_path):
    (tmp_path / "mine.jsonl").write_text(json.dumps(row().fields) + "\nno JSON\n")
    status, out, err = quoth("repair", tmp_path / "mine.jsonl", "-o", tmp_path / "out.jsonl")
    assert (status, "1 problem left" in out, "line 2, column 1: must be JSON" in err) == (1, True, True)


def test_check_previews_the_repair(quoth, tmp_path):
    rows = [row(text=" Ribeiro", start=3).fields, {**row(text="ana").fields, "id": "r"}]
    (tmp_path / "mine.json").write_text(json.dumps(rows[:1]))
    status, out, _ = quoth("check", tmp_path / "mine.json")
    warning, repairable, summary = out.splitlines()
    assert status == 0
    assert warning.startswith("warning: ")
    assert warning.endswith('id q: white space around an answer: " Ribeiro"; repair writes "Ribeiro"')
    assert repairable.endswith("quoth data repair would change 1 row (edges 1)")
    assert summary.endswith("1 warning in 1 question, 1 context")
    (tmp_path / "mine.json").write_text(json.dumps(rows))
    status, out, _ = quoth("check", tmp_path / "mine.json", "--json")
    assert (status, json.loads(out)["repair"]) == (1, {"rows": 2, "rules": {"edges": 1, "case": 1}, "left": 0})


texts = st.text(st.characters(codec="utf-8") | st.sampled_from(list("\r\n\t ,;'\"=ab")), min_size=1)


@st.composite
def examples(draw):
    found = []
    for number in range(draw(st.integers(1, 4))):
        context = draw(texts)
        spans = draw(st.lists(st.tuples(st.integers(0, len(context)), st.integers(0, len(context))), max_size=2))
        golds = tuple(Gold(context[a:b], a) for a, b in spans if context[a:b].strip())
        golds = golds or draw(st.sampled_from([golds, None]))
        found.append(Example(f"q{number}", "Who?", context, golds, draw(st.sampled_from(["", "A", "B"]))))
    return found


@given(examples(), st.sampled_from([".json", ".jsonl", ".csv", ".tsv", ".jsonl.gz"]))
def test_written_rows_are_read_back(tmp_path_factory, given, suffix):
    path = tmp_path_factory.getbasetemp() / f"rows{suffix}"
    write_rows([row_of(example) for example in given], path)
    assert inspect(path).problems.sentences() == []
    assert read_examples(path) == given


def test_version_2_has_is_impossible_for_every_question(tmp_path):
    given = [Example("1", "Who?", ANA, (Gold("Ana", 0),)), Example("2", "Why?", ANA, ()), Example("3", "?", ANA)]
    write_rows([row_of(example) for example in given], tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    (paragraph,) = document["data"][0]["paragraphs"]
    assert document["version"] == "v2.0"
    assert [asked.get("is_impossible") for asked in paragraph["qas"]] == [False, True, None]


def test_names_of_columns_can_be_made_safe_for_spreadsheets(tmp_path):
    row = row_of(Example("1", "Who?", ANA, ()))
    write_rows([Row("row 1", {**row.fields, "=1+1": "x"})], tmp_path / "a.csv", excel_safe=True)
    assert (tmp_path / "a.csv").read_text().splitlines()[0].endswith(",'=1+1")


def test_tables_can_be_made_safe_for_spreadsheets(tmp_path):
    example = Example("=1", "-Who?", "+Ana@", (Gold("Ana", 1),), "@T")
    write_rows([row_of(example)], tmp_path / "a.csv", excel_safe=True)
    assert (tmp_path / "a.csv").read_text().splitlines()[1] == "'=1,'@T,'+Ana@,'-Who?,Ana,1"
    write_rows([row_of(example)], tmp_path / "a.csv")
    assert read_examples(tmp_path / "a.csv") == [example]
