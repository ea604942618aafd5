"""``quoth data select``: uncertain questions, spread over articles, each once, and a random share that is marked."""

import json
from collections import Counter

import pytest
from hypothesis import given, strategies as st

from quoth.cli import main
from quoth.data.exchange import read_tasks, write_document
from quoth.data.exchange.suggest import TOOLS, tasks_of
from quoth.data.labels import read_labels
from quoth.data.rows import Problems
from quoth.data.select import select
from quoth.errors import ConfigError
from quoth.records import Answer, Example, Prediction, Span
from support.readers import TINY
from support.texts import few

pytestmark = pytest.mark.torch


def said(number, probability, text="Ana", title="", question=None):
    question = question or f"{number * 7919} which {number * 104729} thing {number}?"
    example = Example(str(number), question, f"Ana or Ben {title}", None, title)
    answer = Answer(text, Span(0, 3), 1.0, probability)
    return Prediction(example, (answer,), 0.0, False, null_probability=1 - probability)


def test_uncertain_questions_are_selected_and_random_ones_are_marked():
    predictions = [said(number, number / 100) for number in range(100)]
    found = select([predictions], 20)
    assert Counter(each.why for each in found) == {"uncertain": 15, "random": 5}
    assert {each.probability for each in found if each.why == "random"} == {0.05}
    uncertain = {int(each.example.id) for each in found if each.why == "uncertain"}
    assert max(uncertain) < 20
    assert sum(each.suggestion is None for each in found) == 6
    assert found == select([predictions], 20)


def test_questions_on_which_readers_disagree_are_selected():
    one = [said(number, 0.9) for number in range(10)]
    other = [said(number, 0.9, "Ben" if number == 7 else "Ana") for number in range(10)]
    assert [each.example.id for each in select([one, other], 1, random_share=0)] == ["7"]


def test_no_answer_of_probability_0_is_the_most_uncertain():
    sure, unsure = (Prediction(said(number, 0.9).example, (), 0.0, True, null_probability=number) for number in (1, 0))
    (found,) = select([[sure, unsure]], 1, random_share=0)
    assert (found.example.id, found.uncertainty) == ("0", 1.0)


def test_the_selection_is_spread_over_articles_without_near_duplicates():
    predictions = [said(number, 0.1, title="One") for number in range(10)]
    predictions += [said(10 + number, 0.3, title="Two") for number in range(10)]
    titles = Counter(each.example.title for each in select([predictions], 6, random_share=0))
    assert titles["Two"] >= 2
    same = [said(number, 0.1, question=f"How long is the old rope of the ferry{'!' * number}") for number in range(5)]
    assert len(select([same], 5, random_share=0)) == 1


@few
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 40), st.floats(0, 1), st.floats(0, 1))
def test_no_question_is_selected_twice(probabilities, number, random_share, hidden_share):
    predictions = [said(index, each) for index, each in enumerate(probabilities)]
    found = select([predictions], number, random_share=random_share, hidden_share=hidden_share)
    ids = [each.example.id for each in found]
    assert len(ids) == len(set(ids)) <= number
    assert len(ids) == min(number, len(probabilities))


@pytest.mark.parametrize("wrong", [{"random_share": 2}, {"hidden_share": -1}, {"number": 0}])
def test_invalid_arguments_are_rejected(wrong):
    with pytest.raises(ConfigError):
        select([[said(1, 0.5)]], wrong.pop("number", 1), **wrong)


def test_the_command_writes_tasks(tmp_path, capsys):
    rows = [{"id": str(n), "question": f"Who {n}?", "context": f"Ana Ribeiro kept lamp {n}."} for n in range(8)]
    rows.append({**rows[0], "id": "x", "answers": []})
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["data", "select", tmp_path / "q.jsonl", "-o", tmp_path / "t.json", "-n", 4]
    words = [str(word) for word in (*words, "--reader", TINY / "wordpiece")]
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 0
    assert "4 questions of 8: 3 by uncertainty, 1 at random" in capsys.readouterr().err
    tasks = json.loads((tmp_path / "t.json").read_text())
    assert len(tasks) == 4
    for task in tasks:
        for result in task.get("predictions", [{"result": []}])[0]["result"]:
            value = result["value"]
            assert task["data"]["text"][value["start"] : value["end"]] == value["text"]


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tasks_of_each_tool_are_the_questions_without_a_label(tmp_path, tool):
    selected = select([[said(number, 0.5) for number in range(8)]], 8, random_share=0.5)
    path = tmp_path / ("t.jsonl" if tool == "doccano" else "t.json")
    write_document(tasks_of(selected, "r", tool), path, tool)
    problems = Problems(str(path))
    tasks = read_tasks(str(path), problems, tool)
    assert problems.sentences() == []
    assert [(task.id, task.question, task.context, task.labels) for task in tasks] == [
        (each.example.id, each.example.question, each.example.context, ()) for each in selected
    ]
    if tool != "haystack":
        text = path.read_text()
        assert text.count('"selected": "random"') == 4
    suggested = sum(each.suggestion is not None for each in selected)
    assert path.read_text().count('"score"') == (suggested if tool in ("label-studio", "argilla") else 0)


def test_the_suggestion_of_argilla_is_the_answer():
    selected = select([[said(number, 0.5) for number in range(4)]], 4, hidden_share=0)
    for each, record in zip(selected, tasks_of(selected, "r", "argilla"), strict=True):
        assert record["suggestions"]["answer"]["value"] == [{"start": 0, "end": 3, "label": "answer"}]
        assert record["metadata"]["selected"] == each.why


def test_the_command_writes_tasks_for_other_tools_and_the_marks(tmp_path, quoth):
    rows = [{"id": f"={n}", "question": f"Who {n}?", "context": f"Ana Ribeiro kept lamp {n}."} for n in range(8)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["data", "select", tmp_path / "q.jsonl", "-n", 4, "--reader", TINY / "wordpiece"]
    status, _, err = quoth(*words, "--to", "doccano", "-o", tmp_path / "t.json")
    assert (status, "the name of a file for doccano must end in .jsonl" in err) == (2, True)
    status, _, err = quoth(*words, "--to", "prodigy", "-o", tmp_path / "t.json")
    assert (status, "a tool must be one of label-studio, argilla, doccano, haystack" in err) == (2, True)
    status, *_ = quoth(*words, "--to", "doccano", "-o", tmp_path / "t.jsonl", "--marks", tmp_path / "m.csv")
    assert status == 0
    assert len((tmp_path / "t.jsonl").read_text().splitlines()) == 4
    *_, err = quoth(*words, "--to", "doccano", "-o", tmp_path / "t.jsonl", "-n", 9)
    assert err.splitlines()[-1] == "requested 9, but there are only these."
    labels = read_labels(str(tmp_path / "m.csv"), "none")
    assert Counter(labels.values()) == {"uncertain": 3, "random": 1}
    safe = tmp_path / "safe.csv"
    status, *_ = quoth(*words, "--to", "doccano", "-o", tmp_path / "t.jsonl", "--marks", safe, "--excel-safe")
    assert (status, {id[:2] for id in read_labels(str(safe), "none")}) == (0, {"'="})
