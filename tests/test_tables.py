"""Tables: the function on Arrow batches, and frames of any library."""

import inspect
import pickle
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

import quoth
from quoth.errors import ConfigError
from quoth.records import Example
from quoth.tables import ReaderChoice, TableAnswerer, TableSettings, answer_batch, answer_table, output_schema
from quoth.tables.columns import ANSWER_TYPES
from quoth.tables.rows import PIECE_BYTES, Rows
from support.readers import TINY, tiny_reader

pytestmark = pytest.mark.torch
CHOICE = ReaderChoice(str(TINY / "wordpiece"), threads=1)
SETTINGS = TableSettings(reader=CHOICE)
GOOD = ("Where does Ada live?", "Ada lives in Paris. Bela lives in Rome.")
# Every bad kind of row, with its code.
BAD = [
    (None, GOOD[1], "null_question"),
    ("", GOOD[1], "empty_question"),
    (" \n", GOOD[1], "empty_question"),
    ("\u200b\u0000", GOOD[1], "empty_question"),
    ("who " * 300, GOOD[1], "question_too_long"),
    (GOOD[0], None, "null_context"),
    (GOOD[0], "x" * 5001, "context_too_long"),
]


@pytest.fixture(scope="module")
def reader():
    return tiny_reader("wordpiece", max_tokens=64, overlap=16)


def table(rows=5):
    return pa.table(
        {
            "n": range(rows),
            "question": [f"Where does Ada live in {n}?" for n in range(rows)],
            "context": [f"In {n} Ada lives in Paris. " * (1 + n % 5) for n in range(rows)],
        }
    )


def answers(answered):
    return answered.select(list(ANSWER_TYPES)).to_pylist()


def test_answers_equal_those_of_the_reader_in_row_order():
    reader = quoth.Reader.load(TINY / "wordpiece", threads=1)
    given = table(700)
    answered = answer_batch(given, SETTINGS)
    examples = [Example(str(row["n"]), row["question"], row["context"]) for row in given.to_pylist()]
    assert answered.select(["n", "question", "context"]).equals(given)
    assert answered.column("answer").to_pylist() == [p.text for p in reader.answer_all(examples)]
    first, best = answers(answered)[0], reader.answer(examples[0].question, examples[0].context).best
    assert (first["start"], first["end"], first["probability"]) == (
        *vars_of(best.span),
        pytest.approx(best.probability),
    )
    assert answered.schema == output_schema(given.schema, SETTINGS)


def vars_of(span):
    return span.start, span.end


@pytest.mark.long
def test_a_row_that_cannot_be_read_has_an_error_and_affects_no_other(reader):
    settings = {"max_context_chars": 5000}
    # Bad rows first, last, side by side, and more than one block of the stream holds.
    rows = [*BAD, *([(*GOOD, None)] * 300), *BAD, (*GOOD, None), *([BAD[4]] * 260), (*GOOD, None)]
    given = pa.table({"question": [row[0] for row in rows], "context": [row[1] for row in rows]})
    answered = answers(answer_table(reader, given, **settings))
    assert [row["error_code"] for row in answered] == [row[2] for row in rows]
    assert {row["answer"] for row, (*_, code) in zip(answered, rows, strict=True) if code} == {None}
    [good] = {(row["answer"], row["start"]) for row in answered if not row["error_code"]}
    assert GOOD[1].startswith(good[0], good[1])
    assert answered[4]["error"].startswith("the question must leave room for its context in a window of 128 tokens")


def test_texts_with_invalid_utf8_are_errors(reader):
    raw = pa.array([b"Ada lives in Paris.", b"Ada \xff lives", None], pa.binary())
    context = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    answered = answer_table(reader, pa.table({"question": ["Where?"] * 3, "context": context}))
    assert answered.column("error_code").to_pylist() == [None, "not_utf8", "null_context"]


def test_an_abstention_has_a_reason_and_no_error(reader):
    given = pa.table({"question": ["Where?", "Where?"], "context": [" ", GOOD[1]]})
    for row in answers(answer_table(reader, given, min_probability=1.0)):
        assert (row["answer"], row["start"], row["score"], row["error_code"]) == (None,) * 4
        assert row["reason"]


def test_top_k_gives_a_list_of_answers(reader):
    answered = answer_table(reader, table(3), top_k=3)
    for row in answered.to_pylist():
        assert len(row["answers"]) == 3
        assert row["answers"][0]["text"] == row["answer"] == row["context"][row["start"] : row["end"]]


def test_answer_table_has_the_options_and_defaults_of_the_settings():
    signature = inspect.signature(answer_table).parameters
    settings = {each.name: each.default for each in fields(TableSettings) if each.name != "reader"}
    assert signature.keys() - {"reader", "frame"} == settings.keys()
    same = settings.keys() - {"question", "questions"}  # None shows which of these two was given
    assert {name: signature[name].default for name in same} == {name: settings[name] for name in same}


def test_questions_for_every_row_give_a_long_or_wide_table(reader):
    given, asked = table(3), {"where": "Where does Ada live?", "who": "Who lives there?"}
    long = answer_table(reader, given.rename_columns(["n", "q", "context"]), questions=asked)
    wide = answer_table(reader, given, questions=asked, wide=True, columns=["n"])
    assert long.column("question").to_pylist() == list(asked.values()) * 3
    assert long.column("n").to_pylist() == [0, 0, 1, 1, 2, 2]
    assert wide.schema.names[:3] == ["n", "where_answer", "where_start"]
    assert wide.column("who_answer").to_pylist() == long.column("answer").to_pylist()[1::2]
    unnamed = answer_table(reader, given, questions=["Who?"], wide=True)
    assert "q1_answer" in unnamed.schema.names


def test_forty_questions_encode_each_text_once(reader):
    counted = CountedTokenizer(reader.tokenizer)
    windower = type(reader.windower)(counted, max_tokens=64, overlap=16)
    reader = type(reader)(counted, reader.engine, reader.settings)
    reader.windower = windower
    given = table(30)
    answer_table(reader, given, questions=[f"Where does Ada live in {n}?" for n in range(40)], prefix="a_")
    assert set(Counter(counted.texts).values()) == {1}
    assert set(counted.texts) == set(given.column("context").to_pylist())


class CountedTokenizer:
    """A tokenizer that records the contexts that it encodes."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self.texts = []

    def encode(self, texts):
        self.texts += texts
        return self._tokenizer.encode(texts)

    def __getattr__(self, name):
        return getattr(self._tokenizer, name)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({"q": ["a"], "context": ["b"]}, {}, "must have a column 'question', but has q, context"),
        ({"question": ["a"], "contexts": ["b"]}, {}, "did you mean 'contexts'"),
        ({"question": [1], "body": ["b"]}, {"context": "body"}, "'question' must contain text, but is of type int64. "),
        ({"question": [1], "body": ["b"]}, {"context": "body"}, "Columns with text: body"),
        ({"question": ["a"], "context": ["b"], "score": [1]}, {}, "names of answer columns, but has score.*prefix="),
        ({"question": ["a"], "context": ["b"]}, {"questions": ["c"]}, "names of answer columns, but has question"),
        ({"question": ["a"], "context": ["b"]}, {"columns": ["n"]}, "must have a column 'n'"),
        ({"question": ["a"], "context": ["b"]}, {"questions": [" "]}, "question '1': must be a non-empty Unicode text"),
        ({"question": ["a"], "context": ["b"]}, {"questions": "c"}, "but is one text"),
        ({"question": ["a"], "context": ["b"]}, {"questions": 5}, "must be a list or a mapping, but is 5"),
        ({"question": ["a"], "context": ["b"]}, {"questions": ["\ud800?"]}, "must be a non-empty Unicode text"),
        ({"question": ["a"], "context": ["b"]}, {"columns": "n"}, "columns must be a list of names, but is 'n'"),
        ({"question": ["a"], "context": ["b"]}, {"columns": [1]}, r"columns must be a list of names, but is \[1\]"),
        ({"question": ["a"], "context": ["b"]}, {"prefix": None}, "prefix must be a text, but is None"),
        ({"question": ["a"], "context": ["b"]}, {"wide": True}, "wide output needs questions"),
        ({"question": ["a"], "context": ["b"]}, {"min_probability": 2}, "must be from 0 to 1"),
        (
            {"question": ["a"], "context": ["b"]},
            {"question": 1},
            "question must be the name of a column, a text, but is 1",
        ),
    ],
)
def test_an_unsuitable_table_is_rejected_with_a_remedy(reader, given, options, message):
    with pytest.raises(ConfigError, match=message):
        answer_table(reader, pa.table(given), **options)


def test_duplicate_names_of_used_columns_are_rejected(reader):
    given = pa.Table.from_arrays([pa.array(["a"])] * 4, ["question", "context", "x", "x"])
    with pytest.raises(ConfigError, match="several of 'x'"):
        answer_table(reader, given)
    answered = answer_table(reader, given, columns=["context"])
    assert answered.schema.names == ["context", *ANSWER_TYPES]


def test_an_empty_table_keeps_its_columns(reader):
    given = table(0).cast(table(1).schema)
    answered = answer_table(reader, given)
    assert (answered.num_rows, answered.schema.names) == (0, ["n", "question", "context", *ANSWER_TYPES])


def test_null_and_dictionary_columns_are_read_as_text(reader):
    given = pa.table({"question": pa.nulls(2), "context": pa.array(["a", "a"]).dictionary_encode()})
    assert answer_table(reader, given).column("error_code").to_pylist() == ["null_question"] * 2
    for kind in (pa.large_string(), pa.string_view()):
        assert answer_table(
            reader, table(2).cast(pa.schema([("n", pa.int64()), ("question", kind), ("context", kind)]))
        )


def test_a_very_long_text_is_read_to_its_end(reader):
    text = "Bela lives in Rome. " * 5_000 + "Ada lives in Paris."
    answered = answer_table(reader, pa.table({"question": [GOOD[0]], "context": [text]}), top_k=2)
    [row] = answered.to_pylist()
    assert (row["error_code"], row["windows"] > 1000) == (None, True)
    assert text[row["start"] : row["end"]] == row["answer"]


def test_pieces_end_where_their_texts_are_long():
    given = pa.table(
        {"question": ["Who?"] * 300, "context": ["x" * (PIECE_BYTES // 2 if n % 10 == 9 else 9) for n in range(300)]}
    )
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        one = given.set_column(1, "context", given.column("context").cast(pa.string()).cast(kind))
        sizes = [rows.table.num_rows for rows in Rows(one).pieces(128)]
        assert sizes == [20] * 15
    assert [rows.table.num_rows for rows in Rows(table(300)).pieces(128)] == [128, 128, 44]


def test_the_answers_to_many_questions_about_a_long_text_are_in_several_tables():
    # In one table, forty copies of a text of 2 MB would be 80 MB.
    text = "Ada lives in Paris. " * 100_000
    given = pa.table({"context": [None, text, GOOD[1]]})
    settings = TableSettings(questions=[f"Where in {n}?" for n in range(40)], max_context_chars=1000, reader=CHOICE)
    pieces = [*TableAnswerer(settings).stream(Rows(given).pieces(3))]
    assert max(piece.nbytes for piece in pieces) < 16 << 20
    whole = pa.concat_tables(pieces)
    assert whole.column("question").to_pylist() == [question for _, question in settings.asked] * 3
    codes = whole.column("error_code").to_pylist()
    assert codes == ["null_context"] * 40 + ["context_too_long"] * 40 + [None] * 40
    assert [len(value or "") for value in whole.column("context").to_pylist()] == [0] * 40 + [len(text)] * 40 + [
        len(GOOD[1])
    ] * 40


def test_a_misspelt_option_gets_a_suggestion(reader):
    with pytest.raises(TypeError, match=r"answer_table\(\) has no argument 'topk'; did you mean 'top_k'\?"):
        answer_table(reader, table(1), topk=3)


def test_the_answerer_is_pickled_as_its_settings():
    answerer = TableAnswerer(SETTINGS)
    answerer(table(1))  # its reader is loaded
    sent = pickle.dumps(answerer)
    assert len(sent) < 1000
    assert pickle.loads(sent) == answerer
    assert answerer.reader is TableAnswerer(TableSettings(top_k=2, reader=CHOICE)).reader


def test_a_batch_goes_in_and_a_table_comes_out():
    [batch] = table(2).to_batches()
    assert TableAnswerer(SETTINGS)(batch).equals(answer_batch(table(2), SETTINGS))


def test_types_that_arrow_supports_partially_are_kept(reader):
    # Arrow can neither take rows of views, nor cast a dictionary of views to views; polars writes both.
    words = pa.array(["a", "b"], pa.string_view())
    dictionary = pa.DictionaryArray.from_arrays(pa.array([1, None, 0], pa.int8()), words)
    ends = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"]))
    views = pa.array([["a"], None, []], pa.list_(pa.string_view()))
    given = table(3).append_column("d", dictionary).append_column("e", ends).append_column("v", views)
    answered = answer_table(reader, given)
    assert answered.select(given.schema.names).equals(given)
    long = answer_table(reader, given.drop_columns("question"), questions=["Where?", "Who?"])
    assert long.column("d").to_pylist() == ["b", "b", None, None, "a", "a"]
    assert long.column("e").to_pylist() == ["a"] * 4 + ["b"] * 2
    assert long.column("v").to_pylist() == [["a"]] * 2 + [None] * 2 + [[]] * 2


def test_two_questions_cannot_have_the_same_column(reader):
    for questions in ({"1": "Where?", "q1": "Who?"}, {"a": "Where?", "a_null": "Who?"}):
        with pytest.raises(ConfigError, match=r"would have a column 'q1_answer'|would have a column 'a_null_p"):
            answer_table(reader, table(1), questions=questions, wide=True)
        answer_table(reader, table(1).drop_columns("question"), questions=questions)


def test_pandas_frames_give_pandas_frames(reader):
    pd = pytest.importorskip("pandas")
    frame = table(4).to_pandas().set_index(pd.Index(list("abcd")))
    frame["question"] = [frame["question"].iloc[0], 3.5, float("nan"), None]
    frame["question"] = frame["question"].astype(object)
    answered = answer_table(reader, frame)
    assert list(answered.index) == list("abcd")
    assert list(answered["error_code"].fillna("")) == ["", "not_text", "null_question", "null_question"]
    assert (answered["start"].dtype, answered["n"].dtype) == ("Int64", "int64")
    # The caller's own columns are as they were.
    assert answered[list(frame.columns)].equals(frame)
    wide = answer_table(reader, frame, questions=["Where?"], wide=True, columns=["n"])
    assert (list(wide.index), list(wide.columns[:2])) == (list("abcd"), ["n", "q1_answer"])
    empty = answer_table(reader, frame.iloc[:0])
    assert (len(empty), empty["start"].dtype) == (0, "Int64")
    long = answer_table(reader, frame.drop(columns="question"), questions=["Where?", "Who?"])
    assert (list(long.index), list(long["n"])) == (list(range(8)), [0, 0, 1, 1, 2, 2, 3, 3])


def test_a_value_of_a_pandas_frame_that_is_not_text_is_an_error_of_its_row(reader):
    pd = pytest.importorskip("pandas")
    cases = [
        ("Where?", None),
        ("\ud800?", "not_utf8"),
        (b"Where?", "not_text"),
        (5, "not_text"),
        (pd.NA, "null_question"),
        (pd.NaT, "null_question"),
        (Decimal("nan"), "null_question"),
        (["Where?"], "not_text"),
    ]
    for kind, some in ((object, cases), ("category", cases[:-1])):  # a list cannot be a category
        values, codes = zip(*some, strict=True)
        frame = pd.DataFrame({"question": pd.Series(values, dtype=object).astype(kind), "context": GOOD[1]})
        found = answer_table(reader, frame)["error_code"]
        assert list(found.astype(object).where(found.notna(), None)) == list(codes)
    # A column of nulls is of some type, such as float.
    frame = pd.DataFrame({"question": [float("nan")] * 2, "context": GOOD[1]})
    assert list(answer_table(reader, frame)["error_code"]) == ["null_question"] * 2
    with pytest.raises(ConfigError, match="'question' must contain text, but is of type double"):
        answer_table(reader, frame.assign(question=[float("nan"), 1.5]))


def test_a_frame_of_a_subclass_stays_one(reader):
    pd = pytest.importorskip("pandas")

    class Frame(pd.DataFrame):
        @property
        def _constructor(self):
            return Frame

    assert isinstance(answer_table(reader, Frame({"question": ["Where?"], "context": [GOOD[1]]})), Frame)


def test_polars_frames_give_polars_frames(reader):
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(table(3))
    answered = answer_table(reader, frame)
    assert isinstance(answered, pl.DataFrame)
    assert answered["answer"].to_list() == answer_table(reader, table(3)).column("answer").to_pylist()
    assert answered["n"].dtype == pl.Int64
    # Its own columns are kept as they are, of whatever type.
    frame = frame.with_columns(
        pl.lit("k").cast(pl.Categorical).alias("kind"), pl.lit(7).cast(pl.Int128).alias("id"), pl.lit([1]).alias("list")
    )
    assert answer_table(reader, frame).select(frame.columns).equals(frame)
    assert answer_table(reader, frame, columns=["id"]).columns == ["id", *ANSWER_TYPES]
    assert answer_table(reader, frame, columns=[]).columns == list(ANSWER_TYPES)
    wide = answer_table(reader, frame, questions=["Where?", "Who?"], wide=True)
    assert wide.select(frame.columns).equals(frame)
    long = answer_table(reader, frame.drop("question"), questions=["Where?", "Who?"])
    assert (long["n"].to_list(), long["question"].to_list()) == ([0, 0, 1, 1, 2, 2], ["Where?", "Who?"] * 3)
    assert answer_table(reader, frame.with_columns(pl.col("question").cast(pl.Categorical)))["answer"].to_list() == (
        answered["answer"].to_list()
    )
    with pytest.raises(ConfigError, match="'question' must contain text, but is of type fixed_size_binary"):
        answer_table(reader, pl.DataFrame({"question": pl.Series([object()], dtype=pl.Object), "context": [GOOD[1]]}))


def test_datasets_give_datasets(reader):
    datasets = pytest.importorskip("datasets")
    kind = datasets.ClassLabel(names=["no", "yes"])
    features = datasets.Features({**{name: datasets.Value("string") for name in ("question", "context")}, "kind": kind})
    data = datasets.Dataset.from_dict(
        {"question": ["Where?", "Who?"], "context": [GOOD[1]] * 2, "kind": [0, 1]}, features=features
    )
    answered = answer_table(reader, data.select([1, 0]))
    assert answered["question"][:] == ["Who?", "Where?"]
    assert answered.features["kind"] == kind
    assert answered["kind"][:] == [1, 0]


def test_what_is_no_table_is_rejected_with_a_remedy(reader):
    datasets, pd, pl = (pytest.importorskip(name) for name in ("datasets", "pandas", "polars"))
    data = datasets.Dataset.from_dict({"question": ["Where?"], "context": [GOOD[1]]})
    streamed = data.to_iterable_dataset()
    for frame, remedy in (
        (pl.LazyFrame({"question": ["Where?"]}), "collect"),
        (pl.Series(["Where?"]), r"to_frame\(\)"),
        (pd.Series(["Where?"]), r"to_frame\(\)"),
        (streamed, r"is a datasets\.IterableDataset\. Convert it first"),
        (datasets.DatasetDict({"train": data}), "Choose one of its splits"),
        (datasets.IterableDatasetDict({"train": streamed}), "Choose one of its splits"),
        (pa.array(["Where?"]), r"cannot be converted to Arrow|is a pyarrow\.StringArray"),
        ({"question": ["Where?"]}, r"is a builtins\.dict"),
    ):
        with pytest.raises(ConfigError, match=remedy):
            answer_table(reader, frame)


def test_other_arrow_producers_give_a_pyarrow_table(reader):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        relation = connection.sql("select 'Where?' as question, 'Ada lives in Paris.' as context")
        assert answer_table(reader, relation).num_rows == 1
    with pytest.raises(ConfigError, match=r"but is a builtins\.list"):
        answer_table(reader, [1])


def test_answering_a_frame_imports_no_other_frame_library():
    # pyarrow itself imports pandas where it is installed.
    code = (
        "import sys, pyarrow as pa; from quoth import Reader, answer_table; "
        f"reader = Reader.load({str(TINY / 'wordpiece')!r}, threads=1); "
        "answer_table(reader, pa.table({'question': ['Who?'], 'context': ['Ada.']})); "
        "print([name for name in ('polars', 'datasets', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_min_probability_replaces_the_null_threshold():
    with pytest.raises(ConfigError, match="min_probability and null_threshold cannot be used together"):
        TableSettings(min_probability=0.5, null_threshold=1.0)


def test_the_extra_with_everything_has_tables():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert "tables" in extras["all"][0].partition("[")[2].rstrip("]").split(",")
    assert any(requirement.startswith("pyarrow") for requirement in extras["tables"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 0}, "top_k must be at least 1, but is 0"),
        ({"min_probability": 1.5}, r"min_probability must be from 0 to 1, but is 1\.5"),
        ({"max_context_chars": 0}, "max_context_chars must be at least 1, but is 0"),
    ],
)
def test_settings_out_of_range_are_rejected(options, message):
    with pytest.raises(ConfigError, match=message):
        TableSettings(**options)
