"""The inputs of ``answer_all``: every accepted form, and clear errors for all others."""

from pathlib import Path

import pytest

from quoth import evaluate
from quoth.errors import ConfigError, InputError
from quoth.records import Example
from support.readers import tiny_reader

QUESTION, CONTEXT = "Who keeps the lamp?", "The keeper of the lighthouse was Ana Ribeiro."
ROWS = [
    {"id": "a", "question": QUESTION, "context": CONTEXT, "more": 1},
    {"id": "b", "question": "Who?", "context": "Ana."},
]


def answered(source, **options):
    return [
        (each.id, each.question, each.contexts[0]) for each in tiny_reader("wordpiece").answer_all(source, **options)
    ]


WANTED = [("a", QUESTION, CONTEXT), ("b", "Who?", "Ana.")]


@pytest.mark.parametrize("make", [list, tuple, iter, lambda rows: (row for row in rows)])
def test_rows_are_answered(make):
    assert answered(make(ROWS)) == WANTED


@pytest.mark.torch
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "datasets"])
def test_frames_are_answered(library):
    module = pytest.importorskip(library)
    columns = {name: [row.get(name) for row in ROWS] for name in ("id", "question", "context")}
    if library == "datasets":
        frame = module.Dataset.from_dict(columns)
    else:
        frame = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    assert answered(frame) == WANTED


@pytest.mark.torch
def test_a_missing_text_of_a_frame_affects_only_its_row():
    import pandas as pd

    frame = pd.DataFrame({"question": ["Who?", None, "Who?"], "context": ["Ana.", "Ben.", float("nan")]})
    errors = []
    assert [id for id, *_ in answered(frame, on_error=errors.append)] == ["0"]
    assert [str(error) for error in errors] == [
        "question 1 must be text, but is None",
        "question 2: the context must be text, or several texts, but is None",
    ]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("dev.json", "but is 'dev.json'. Of a file: quoth.read_examples"),
        (Path("dev.json"), r"but is 'dev\.json'. Of a file: quoth.read_examples"),
        (None, "must be examples, pairs of a question and a context, rows or a frame .* but is None"),
        (3, "but is 3"),
        (Example("1", "Who?", "Ana."), "must be several examples, but is one: put it in a list"),
        (("Who?", "Ana."), "must be several pairs, but is one: put it in a list"),
        (ROWS[0], "must be several rows, but is one: put it in a list"),
        (["Who?"], "question 0: must be an Example, a row, or a pair .*, but is 'Who\\?'"),
        (
            [{"query": "Who?", "text": "Ana."}],
            "question 0: must have question and context, but has query, text",
        ),
    ],
)
def test_an_invalid_input_is_rejected_with_a_remedy(source, sentence):
    with pytest.raises(InputError, match=sentence):
        answered(source)


@pytest.mark.parametrize("source", ["dev.json", Path("dev.json"), None])
def test_evaluate_rejects_a_file_name_with_a_remedy(source):
    with pytest.raises(ConfigError, match="read them with read_examples"):
        evaluate(tiny_reader("wordpiece"), source)
