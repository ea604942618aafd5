"""Files of labelling tools: round trips, offset units, several annotators."""

import json
from functools import partial

import pytest
from hypothesis import given, strategies as st

from quoth.data import read_examples
from quoth.data.exchange import FORMATS, merge, read_tasks, write_format
from quoth.data.exchange.tasks import Task
from quoth.data.rows import Problems
from quoth.errors import ConfigError
from quoth.evaluation.metrics import exact_and_f1
from quoth.records import Example, Gold
from support.texts import few

DOG = "The 🐕 slept.\r\nAna kept the 🐕 and the light."
ANA = "Ana kept the light at Natal from 1903."


def score(text, golds):
    return exact_and_f1(text, golds, "v2.0")


def tasks_of(document, tmp_path, name=None, lines=False):
    path = tmp_path / "export.json"
    path.write_text("\n".join(map(json.dumps, document)) if lines else json.dumps(document))
    problems = Problems("export.json")
    return read_tasks(str(path), problems, name), problems


def examples_of(document, tmp_path, name=None, lines=False):
    tasks, problems = tasks_of(document, tmp_path, name, lines)
    assert problems.sentences() == []
    return merge(tasks, score).examples


texts = st.text(st.characters(codec="utf-8") | st.sampled_from(list("\r\n ab🐕")), min_size=1)


@st.composite
def data_sets(draw):
    found = []
    for number in range(draw(st.integers(1, 4))):
        context = draw(texts)
        spans = draw(st.lists(st.tuples(st.integers(0, len(context)), st.integers(0, len(context))), max_size=2))
        golds = tuple(dict.fromkeys(Gold(context[a:b], a) for a, b in spans if context[a:b].strip()))
        golds = golds or draw(st.sampled_from([(), None]))
        question = draw(st.sampled_from(["Who?", "🐕 = ?"]))
        found.append(Example(f"q{number}", question, context, golds, draw(st.sampled_from(["", "A", "B"]))))
    return found


@pytest.mark.long
@few
@given(data_sets(), st.sampled_from([name for name in FORMATS if name != "datasets"]))
def test_a_round_trip_gives_the_same_questions(tmp_path_factory, examples, name):
    path = tmp_path_factory.getbasetemp() / ("trip.jsonl" if name == "flat" else "trip.json")
    write_format(examples, path, name)
    problems = Problems("trip")
    tasks = read_tasks(str(path), problems, name)
    assert problems.sentences() == []
    assert merge(tasks, score).examples == examples


@pytest.mark.torch
def test_a_folder_of_datasets_is_read_back(tmp_path):
    pytest.importorskip("datasets")
    examples = [Example("1", "Who?", ANA, (Gold("Ana", 0),), "T"), Example("2", "Why?", ANA, None, "T")]
    write_format(examples, tmp_path / "folder", "datasets")
    assert read_examples(tmp_path / "folder") == examples
    with pytest.raises(ConfigError, match="must be the name of a folder"):
        write_format(examples, tmp_path / "a.json", "datasets")


def label_studio(start, end, text, context=DOG, **more):
    value = {"start": start, "end": end, "text": text, "labels": ["Answer"]}
    result = [{"id": "a", "from_name": "answer", "to_name": "text", "type": "labels", "value": value}]
    return {"id": 1, "data": {"text": context, "question": "What?"}, "annotations": [{"result": result}], **more}


KEPT = DOG.index("Ana")


@pytest.mark.parametrize(
    ("start", "unit"),
    [(KEPT, "code points"), (KEPT + 1, "UTF-16"), (KEPT + 3, "UTF-8"), (KEPT - 1, "line ends counted as one")],
)
def test_the_unit_of_offsets_is_inferred_from_the_text(tmp_path, start, unit):
    (example,) = examples_of([label_studio(start, start + 3, "Ana")], tmp_path)
    assert example.golds == (Gold("Ana", KEPT),), unit


def test_an_ambiguous_span_has_the_unit_of_the_file(tmp_path):
    context = "🐕aaaa and Ana"
    records = [label_studio(2, 3, "a", context), label_studio(11, 14, "Ana", context), label_studio(3, 4, "a", context)]
    for number, record in enumerate(records):
        record["id"] = number
    assert [each.golds[0].start for each in examples_of(records, tmp_path)] == [1, 10, 2]


@pytest.mark.parametrize(("context", "end"), [("Ana\r\nand Ben", 11), ("Ana\nand Ben", 12), ("🐕 and Ben", 10)])
def test_a_span_at_the_end_of_the_text_is_converted(tmp_path, context, end):
    (example,) = examples_of([label_studio(end - 3, end, "Ben", context)], tmp_path)
    assert example.golds == (Gold("Ben", len(context) - 3),)


def test_a_span_that_matches_nowhere_is_reported(tmp_path):
    _, problems = tasks_of([label_studio(0, 3, "Ben")], tmp_path)
    (sentence,) = problems.sentences()
    assert sentence.startswith(
        'export.json: record 1, id 1: the span from 0 to 3 must contain "Ben", but contains "The"'
    )
    _, problems = tasks_of([{"text": "Ana", "question": "Who?", "id": 1, "label": [[0, 9, "A"]]}], tmp_path)
    assert "a span must be within the context's 3 code points, but is from 0 to 9" in problems.sentences()[0]


def test_label_studio_distinguishes_no_answer_unlabelled_and_cancelled(tmp_path):
    empty = {"id": 2, "data": {"text": ANA, "question": "Why?", "id": "b"}, "annotations": [{"result": []}]}
    nobody = {"id": 3, "data": {"text": ANA, "question": "When?"}, "annotations": [], "predictions": [{"result": []}]}
    cancelled = label_studio(0, 3, "Ana", ANA)
    cancelled["annotations"][0]["was_cancelled"] = True
    found = examples_of([empty, nobody, cancelled], tmp_path)
    assert [(each.id, each.golds) for each in found] == [("b", ()), ("3", None), ("1", None)]


def test_doccano_has_its_question_beside_the_text_or_as_the_label(tmp_path):
    records = [
        {"id": 5, "text": ANA, "question": "Who?", "label": [[0, 3, "ANS"]], "Comments": []},
        {"id": 6, "text": ANA, "meta": {"question": "Why?"}, "entities": [], "relations": []},
        {"id": 7, "text": ANA, "entities": [{"id": 1, "start_offset": 22, "end_offset": 27, "label": "Where?"}]},
        {"id": 8, "text": ANA, "labels": [[0, 3, "Who?"], [33, 37, "When?"]]},
    ]
    found = [(each.id, each.question, each.golds) for each in examples_of(records, tmp_path, "doccano", lines=True)]
    assert found == [
        ("5", "Who?", (Gold("Ana", 0),)),
        ("6", "Why?", ()),
        ("7-1", "Where?", (Gold("Natal", 22),)),
        ("8-1", "Who?", (Gold("Ana", 0),)),
        ("8-2", "When?", (Gold("1903", 33),)),
    ]


def label_studio_other(kind, value):
    task = label_studio(0, 3, "Ana", ANA)
    task["annotations"][0]["result"] = [{"type": kind, "value": value}]
    return task


def test_label_studio_hypertext_and_json_min_are_read(tmp_path):
    paths = {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": 0, "endOffset": 3}
    value = {**paths, "text": "Ana", "hypertextlabels": ["Answer"], "globalOffsets": {"start": 0, "end": 3}}
    (example,) = examples_of([label_studio_other("hypertextlabels", value)], tmp_path)
    assert example.golds == (Gold("Ana", 0),)
    minimal = {"id": 4, "text": ANA, "question": "Who?", "annotation_id": 1, "lead_time": 1.5}
    spans = [{"start": 0, "end": 3, "text": "Ana", "labels": ["Answer"]}]
    records = [{**minimal, "answer": spans, "annotator": 1}, {**minimal, "annotator": 2}, {**minimal, "annotator": 3}]
    (task,) = tasks_of(records, tmp_path)[0]
    assert (task.id, task.labels) == ("4", (("1", (Gold("Ana", 0),)), ("2", ()), ("3", ())))


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("hypertextlabels", {"start": "/p[1]", "text": "Ana"}, "must have start and end"),
        ("textarea", {"text": ["Ana"]}, "an answer must be marked in the text, but there is a textarea"),
    ],
)
def test_label_studio_answers_that_are_not_read_are_not_unanswerable(tmp_path, kind, value, said):
    _, problems = tasks_of([label_studio_other(kind, value)], tmp_path)
    assert said in problems.sentences()[0]


def test_argilla_has_a_span_question_of_any_name(tmp_path):
    record = {"id": "a", "fields": {"passage": ANA, "query": "Who?"}, "suggestions": {}}
    spans = {"span": [{"value": [{"start": 0, "end": 3, "label": "x"}], "user_id": "u"}]}
    rating = {"quality": [{"value": 5, "user_id": "u"}]}
    (example,) = examples_of([{**record, "responses": spans | rating}], tmp_path)
    assert (example.question, example.golds) == ("Who?", (Gold("Ana", 0),))
    _, problems = tasks_of([{**record, "responses": rating}], tmp_path)
    assert 'must have responses to a span question "answer", but has those to "quality"' in problems.sentences()[0]


@pytest.mark.parametrize(
    ("other", "golds", "said"),
    [
        ("Evidence", (Gold("Ana", 0),), 'only spans with the label "Answer" are read'),
        ("Answer", (Gold("Ana", 0), Gold("1903", 33)), None),
    ],
)
def test_spans_of_other_labels_are_not_answers(tmp_path, other, golds, said):
    record = {"id": 1, "text": ANA, "question": "Who?", "label": [[0, 3, "Answer"], [33, 37, other]]}
    tasks, problems = tasks_of([record], tmp_path)
    assert tasks[0].labels[0][1] == golds
    assert [said in line for line in problems.lines("warning")] == [True] * (said is not None)


def test_old_exports_of_doccano_are_read(tmp_path):
    mark = {"label": 3, "start_offset": 22, "end_offset": 27, "user": 1}
    (example,) = examples_of([{"id": 1, "text": ANA, "annotations": [mark], "meta": {"question": "Where?"}}], tmp_path)
    assert example.golds == (Gold("Natal", 22),)


def test_repair_is_suggested_for_rows_and_not_for_missing_files(quoth, tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "1", "question": "Who?", "context": ANA, "answers": "Ana"}))
    for name, suggested in (("a.jsonl", True), ("b.jsonl", False)):
        status, _, err = quoth(tmp_path / name, "-o", tmp_path / "out.json")
        assert (status, "quoth data repair" in err) == (1, suggested)


def test_a_spreadsheet_in_another_encoding_is_converted(quoth, tmp_path):
    (tmp_path / "a.csv").write_bytes("id:question:context\n1:Où?:Café.\n".encode("cp1252"))
    words = (tmp_path / "a.csv", "-o", tmp_path / "out.json", "--sep", ":", "--encoding", "cp1252")
    assert quoth(*words)[0] == 0
    assert read_examples(tmp_path / "out.json") == [Example("1", "Où?", "Café.")]


def test_annotators_with_different_ids_are_joined(quoth, tmp_path):
    for name, number, end in (("ana", 1, 3), ("ben", 91, 11)):
        records = [
            {"id": number, "text": ANA, "question": "Who?", "label": [[0, end, "ANSWER"]]},
            {"id": number + 1, "text": ANA, "question": "Where?", "label": [[22, 27, "ANSWER"]]},
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)))
    status, printed, _ = quoth(tmp_path / "ana.jsonl", tmp_path / "ben.jsonl", "-o", tmp_path / "out.json")
    assert (status, "agreement on 2 questions" in printed) == (0, True)
    assert [example.id for example in read_examples(tmp_path / "out.json")] == ["1", "2"]


def test_argilla_has_responses_in_records_and_in_columns(tmp_path):
    span = {"start": 0, "end": 3, "label": "answer"}
    fields = {"context": ANA, "question": "Who?"}
    drafts = {"answer": [{"value": [span], "user_id": "u", "status": "draft"}]}
    records = [
        {"id": "a", "fields": fields, "responses": {"answer": [{"value": [span], "user_id": "u"}]}},
        {"id": "b", "fields": fields, "suggestions": {"answer": {"value": [span]}}, "responses": drafts},
    ]
    assert [each.golds for each in examples_of(records, tmp_path)] == [(Gold("Ana", 0),), None]
    column = {"id": "c", **fields, "answer.responses": [[span], []], "answer.responses.users": ["u", "v"]}
    tasks, _ = tasks_of([column], tmp_path, "argilla")
    assert tasks[0].labels == (("u", (Gold("Ana", 0),)), ("v", ()))


SPAN = {"start": 0, "end": 3, "text": "Ana"}
FIELDS = {"context": ANA, "question": "Who?"}
LABELS = {"hypertextlabels": ["A"], "globalOffsets": {"start": 0, "end": 3}}
EXPORTS = {
    "label-studio": [
        label_studio(0, 3, "Ana", ANA),
        {"data": FIELDS, "completions": [{"result": [{"type": "hypertextlabels", "value": LABELS}]}]},
    ],
    "json-min": [{**FIELDS, "annotator": 1, "annotation_id": 2, "answer": [{**SPAN, "labels": ["A"]}]}],
    "doccano": [
        {"text": ANA, "question": "Who?", "label": [[0, 3, "A"]], "meta": {"id": 1}},
        {"text": ANA, "entities": [{"start_offset": 0, "end_offset": 3, "label": "Who?"}]},
    ],
    "argilla": [
        {"fields": FIELDS, "metadata": {"id": 1}, "responses": {"answer": [{"value": [SPAN], "user_id": "u"}]}},
        {"fields": FIELDS, "responses": {"who": [{"value": [SPAN], "status": "submitted"}]}},
        {**FIELDS, "answer.responses": [[SPAN]], "answer.responses.users": ["u"], "suggestions": {}, "fields": None},
    ],
    "squad": {"data": [{"title": "A", "paragraphs": [{"context": ANA, "qas": [{"question": "Who?", "id": 1}]}]}]},
    "pandas": {"columns": ["id", "question", "context"], "data": [[1, "Who?", ANA]]},
}
WRONG = (None, 5, "x", [5], {"x": 5})


def with_a_wrong_value(document):
    """Yield the document once for each of its parts and each of ``WRONG``, which replaces the part."""
    if isinstance(document, list | dict):
        for key, part in list(document.items() if isinstance(document, dict) else enumerate(document)):
            for wrong in (*WRONG, *with_a_wrong_value(part)):
                copy = document.copy()
                copy[key] = wrong
                yield copy


@pytest.mark.parametrize("tool", EXPORTS)
def test_values_of_a_wrong_type_are_read_or_reported(tmp_path, tool):
    for document in with_a_wrong_value(EXPORTS[tool]):
        tasks, problems = tasks_of(document, tmp_path)
        merge(tasks, score)
        assert tasks or problems.sentences()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"data": FIELDS, "annotations": [5]}, "number 1 of annotations must be an object, but is 5"),
        ({"data": FIELDS, "annotations": [{"result": [7]}]}, "number 1 of result must be an object, but is 7"),
        ({"data": FIELDS, "annotations": [{"result": "x"}]}, 'result must be a list, but is "x"'),
        ({"fields": FIELDS, "responses": {"answer": ["x"]}}, 'number 1 of answer must be an object, but is "x"'),
        (
            {"fields": FIELDS, "responses": {"answer": [{"value": "x"}]}},
            'a response must be a list of spans, but is "x"',
        ),
        ({"fields": FIELDS, "responses": [SPAN]}, "responses must be an object, but is a list"),
    ],
)
def test_a_wrong_type_is_not_an_unanswerable_question(tmp_path, document, said):
    _, problems = tasks_of([document], tmp_path)
    assert problems.sentences() == [f"export.json: record 1: {said}"]


def task(number, *golds):
    placed = [tuple(Gold(text, ANA.index(text)) for text in each) for each in golds]
    labels = tuple(zip("ab", placed, strict=False))
    return Task(f"record {number}", str(number), "Who?", ANA, "", labels)


TASKS = [
    task(1, ["Ana"], ["Ana"]),
    task(2, ["the light"], ["light"]),  # the same by SQuAD's rules
    task(3, ["Natal"], ["at Natal"]),
    task(4, ["Ana"], []),
    task(5, [], []),
    task(6, ["1903"]),
    task(7),
]


def test_annotators_are_compared_and_all_answers_are_kept():
    merged = merge(TASKS, score)
    agreement = merged.agreement
    assert agreement.questions == 5
    assert agreement.exact == pytest.approx(200 / 3)
    assert agreement.f1 == pytest.approx((100 + 100 + 200 / 3) / 3)
    assert agreement.answerability == 80
    assert [(each.task.id, each.kind, each.is_left_out) for each in merged.disagreements] == [
        ("3", "answer", False),
        ("4", "answerability", True),
    ]
    golds = {each.id: each.golds and [gold.text for gold in each.golds] for each in merged.examples}
    assert golds == {
        "1": ["Ana"],
        "2": ["the light", "light"],
        "3": ["Natal", "at Natal"],
        "5": (),
        "6": ["1903"],
        "7": None,
    }


def test_questions_with_disagreement_can_be_left_out():
    merged = merge(TASKS, score, "conflict")
    assert [each.id for each in merged.examples] == ["1", "2", "5", "6", "7"]
    assert [each.task.id for each in merged.disagreements if each.is_left_out] == ["3", "4"]


@pytest.fixture
def quoth(quoth):
    """Run ``quoth data convert``; return its exit status, stdout and stderr."""
    return partial(quoth, "data", "convert")


def test_the_command_converts_and_compares_two_files(quoth, tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    for path, text in ((first, "Natal"), (second, "at Natal")):
        write_format([Example("1", "Where?", ANA, (Gold(text, ANA.index(text)),))], path, "label-studio")
    out, differ = tmp_path / "out.csv", tmp_path / "differ.jsonl"
    status, printed, err = quoth(first, second, "-o", out, "--disagreements", differ)
    assert (status, err) == (0, "")
    assert printed.splitlines() == [
        "agreement on 1 question of several annotators: exact match 0.0, F1 66.7, answerability 100.0",
        "disagree about the answer: id 1: Where? first.json: Natal | second.json: at Natal",
        f"{out}: 1 question",
    ]
    assert [gold.text for gold in read_examples(out)[0].golds] == ["Natal", "at Natal"]
    (record,) = map(json.loads, differ.read_text().splitlines())
    assert [label["annotator"] for label in record["labels"]] == ["first.json", "second.json"]
    assert quoth(first, second, "-o", out, "--annotators", "conflict")[0] == 1
    status, printed, _ = quoth(first, "-o", tmp_path / "a.json", "--to", "argilla", "--json")
    assert (status, json.loads(printed)["questions"]) == (0, 1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "labelstudio"], "did you mean label-studio"),
        (["--annotators", "both"], "must be golds or conflict"),
        (["--to", "flat"], "must end in .jsonl, .csv or .tsv"),
    ],
)
def test_the_command_rejects_wrong_use(quoth, tmp_path, words, sentence):
    write_format([Example("1", "Where?", ANA, ())], tmp_path / "a.json", "squad")
    status, _, err = quoth(tmp_path / "a.json", "-o", tmp_path / "b.json", *words)
    assert (status, sentence in err) == (2, True)
