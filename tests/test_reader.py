"""The reader, with real tokenizers and tiny real networks."""

import itertools
import json
import math
import pickle
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

import quoth
from quoth import Reader
from quoth.cli import main
from quoth.errors import ConfigError, InputError, QuestionTooLongError, ReaderError
from quoth.reading import Windower
from quoth.records import Example, Gold, Span
from quoth.text import normalize_answer
from support.oracle import grapheme_boundaries, inside_word, places
from support.readers import KINDS, tiny_folder, tiny_reader, tiny_tokenizer
from support.texts import few, texts

QUESTION = "Who keeps the lamp?"
CONTEXT = (
    "The lighthouse of Cabo Branco was built in 1972 at the easternmost point of the coast. Its lamp turns once every "
    "twelve seconds, and its beam is seen from a distance of thirty kilometres. The keeper was Ana Ribeiro."
)


@pytest.mark.parametrize("kind", KINDS)
@few
@given(context=texts, top_k=st.sampled_from([1, 5, 1000]), whole_words=st.booleans())
def test_every_text_is_quoted_exactly(kind, context, top_k, whole_words):
    reader = tiny_reader(kind, whole_words=whole_words)
    prediction = reader.answer(QUESTION, context, top_k=top_k, overlapping=True)
    answers = prediction.answers

    windows = Windower(tiny_tokenizer(kind), max_tokens=48, overlap=16).windows(Example("q", QUESTION, context))
    available = places(windows, reader.settings.decode.max_answer_tokens, whole_words)
    assert len(answers) == min(top_k, len(available))
    assert {answer.span for answer in answers} <= available
    assert len({answer.span for answer in answers}) == len(answers)

    assert all(context[answer.span.start : answer.span.end] == answer.text != "" for answer in answers)
    assert all(first.score >= second.score for first, second in itertools.pairwise(answers))
    assert all(0 <= answer.probability <= 1 for answer in answers)
    assert math.fsum(answer.probability for answer in answers) <= 1 + 1e-9
    ends = {position for answer in answers for position in (answer.span.start, answer.span.end)}
    assert ends <= grapheme_boundaries(context)
    assert not whole_words or not any(inside_word(context, position) for position in ends)

    assert prediction.no_answer == (not answers)
    assert (prediction.best is None) == (prediction.reason is not None) == prediction.no_answer
    assert prediction.text == (answers[0].text if answers else "")


@pytest.mark.parametrize("kind", KINDS)
@few
@given(question=texts)
def test_every_question_is_answered_or_rejected_with_a_message(kind, question):
    reader = tiny_reader(kind, max_tokens=128)
    tokens = len(tiny_tokenizer(kind).encode([question.strip()])[0])
    if 0 < tokens < 128 - len(reader.tokenizer.template):
        prediction = reader.answer(question, CONTEXT)
        assert prediction.best.span.of(CONTEXT) == prediction.best.text
    else:
        with pytest.raises(InputError, match=r"question: must |the question must not be empty"):
            reader.answer(question, CONTEXT)


@pytest.mark.parametrize("context", ["", "  ", "\n\t\u3000", []])
@pytest.mark.parametrize("kind", KINDS)
def test_a_context_without_text_has_no_answer(kind, context):
    prediction = tiny_reader(kind).answer(QUESTION, context, top_k=3)
    assert (prediction.answers, prediction.best, prediction.no_answer) == ((), None, True)
    assert prediction.reason == "the context has no text to quote"


@pytest.mark.parametrize("question", ["", " \n "])
def test_empty_question(question):
    with pytest.raises(InputError, match="the question must not be empty"):
        tiny_reader("bpe").answer(question, CONTEXT)


def test_long_question():
    with pytest.raises(QuestionTooLongError, match="Ask it in fewer words"):
        tiny_reader("bpe").answer(QUESTION * 20, CONTEXT)
    with pytest.raises(QuestionTooLongError, match="question 56be: must leave room"):
        list(tiny_reader("bpe").answer_all([Example("1", QUESTION, CONTEXT), Example("56be", QUESTION * 20, CONTEXT)]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_question_is_read_in_longer_windows(kind):
    reader = tiny_reader(kind)
    narrow = reader.with_settings(replace(reader.settings, widens=False))
    question = " ".join(["keeper"] * (18 if kind == "wordpiece" else 12)) + " " + QUESTION
    wide, usual = (each.answer(question, CONTEXT * 4) for each in (reader, narrow))
    assert wide.windows < usual.windows / 2
    long = [len(window) for window in reader.windower.windows(wide.example)]
    assert reader.settings.max_tokens < max(long) <= 2 * reader.settings.max_tokens
    together = [Example(str(n), question, CONTEXT * n) for n in (1, 4, 2)]
    mixed = [*together, Example("short", QUESTION, CONTEXT)]
    for example, prediction in zip(mixed, reader.answer_all(mixed), strict=True):
        assert prediction.answers == reader.answer(example.question, example.contexts).answers


@pytest.mark.parametrize("kind", KINDS)
def test_best_among_several_contexts(kind):
    reader = tiny_reader(kind)
    contexts = [CONTEXT[:40], "", CONTEXT, "Ana Ribeiro", "  "]
    together = reader.answer(QUESTION, contexts, top_k=40, overlapping=True)
    single = [reader.answer(QUESTION, context, top_k=40, overlapping=True) for context in contexts]
    expected = sorted(
        (-answer.score, index, answer.span) for index, each in enumerate(single) for answer in each.answers
    )[:40]
    assert [-answer.score for answer in together.answers] == pytest.approx([e[0] for e in expected], abs=1e-4)
    assert all(answer.text == answer.span.of(contexts[answer.context_index]) for answer in together.answers)
    assert together.best.context_index == expected[0][1]
    assert together.null_score == pytest.approx(min(e.null_score for e in single if e.null_score is not None), abs=1e-4)
    assert reader.answer(QUESTION, tuple(contexts), top_k=40, overlapping=True) == together


def test_same_context_twice_gives_the_first():
    prediction = tiny_reader("wordpiece").answer(QUESTION, [CONTEXT, CONTEXT], top_k=2, overlapping=True)
    assert [answer.context_index for answer in prediction.answers] == [0, 1]
    assert prediction.answers[0].span == prediction.answers[1].span


@pytest.mark.parametrize("kind", KINDS)
def test_answer_all_equals_answer(kind):
    reader = tiny_reader(kind)
    examples = [
        Example(f"q{n}", QUESTION if n % 3 else "How bright is it?", CONTEXT[n % 50 : 60 + 5 * n] if n % 7 else " ")
        for n in range(30)
    ]
    margins = sorted(p.null_score - p.answers[0].score for p in reader.answer_all(examples) if p.answers)
    gap = max(itertools.pairwise(margins), key=lambda pair: pair[1] - pair[0])
    reader = tiny_reader(kind, null_threshold=sum(gap) / 2)
    predictions = list(reader.answer_all(iter(examples), top_k=4))
    assert [prediction.id for prediction in predictions] == [example.id for example in examples]
    assert any(prediction.no_answer for prediction in predictions if prediction.answers)
    assert any(not prediction.no_answer for prediction in predictions)
    for prediction, example in zip(predictions, examples, strict=True):
        alone = reader.answer(example.question, example.context, top_k=4)
        assert prediction.no_answer == alone.no_answer
        assert [a.span for a in prediction.answers] == [a.span for a in alone.answers]
        assert [a.score for a in prediction.answers] == pytest.approx([a.score for a in alone.answers], abs=1e-4)
        assert [a.probability for a in prediction.answers] == pytest.approx(
            [a.probability for a in alone.answers], abs=1e-4
        )


def test_the_input_may_be_infinite():
    def endless():
        for number in itertools.count():
            assert number < 1000, "read too far ahead"
            yield Example(str(number), QUESTION, "Ana Ribeiro")

    predictions = tiny_reader("wordpiece").answer_all(endless())
    assert [next(predictions).id for _ in range(3)] == ["0", "1", "2"]
    assert list(tiny_reader("wordpiece").answer_all([])) == []


def test_arguments_override_stored_settings():
    reader = tiny_reader("wordpiece", null_threshold="never", max_answer_tokens=30, whole_words=False)
    assert not reader.answer(QUESTION, CONTEXT).no_answer
    silent = reader.answer(QUESTION, CONTEXT, null_threshold=-math.inf)
    assert silent.no_answer
    assert silent.best is None
    assert silent.answers[0].span == reader.answer(QUESTION, CONTEXT).answers[0].span
    (silent,) = reader.answer_all([Example("q", QUESTION, CONTEXT)], null_threshold=-math.inf)
    assert silent.no_answer

    short = reader.answer(QUESTION, "Ana the keeper", top_k=99, max_answer_tokens=1, overlapping=True)
    tokens = tiny_tokenizer("wordpiece").encode(["Ana the keeper"])[0]
    assert {answer.span for answer in short.answers} == {Span(start, end) for start, end in tokens.offsets.tolist()}
    assert reader.settings.decode.max_answer_tokens == 30


@pytest.mark.parametrize("wrong", [{"top_k": 0}, {"max_answer_tokens": 0}, {"max_answer_tokens": -1}])
def test_invalid_arguments_are_rejected(wrong):
    reader = tiny_reader("wordpiece")
    with pytest.raises(ConfigError, match="must be at least 1"):
        reader.answer(QUESTION, CONTEXT, **wrong)
    with pytest.raises(ConfigError, match="must be at least 1"):
        list(reader.answer_all([], **wrong))


def test_the_shipped_reader_answers_the_tutorials_question():
    context = "Tomorrow the Atlântico is going to have a delicious team lunch!"
    best = Reader.load().answer("What did the Atlântico is going to have tomorrow?", context).best
    assert normalize_answer(best.text) == "delicious team lunch"
    assert best.text == best.span.of(context)


def test_repr_names_the_precision_of_weights_and_computation():
    assert "precision='int8 and float32'" in repr(Reader.load(precision="float32", threads=1))
    assert "precision='float32'" in repr(tiny_reader("wordpiece"))


def test_shipped_reader_is_small():
    shipped = Path(str(files("quoth") / "shipped"))
    assert sum(file.stat().st_size for file in shipped.iterdir()) <= 25e6


@pytest.mark.data
@pytest.mark.long
def test_shipped_reader_on_squad_dev(squad_folder):
    """Its scores are those in the README, within the differences between CPUs."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    sets = {"v1.1": ("10,570", "never"), "v2.0": ("11,873", None)}
    for version, (count, threshold) in sets.items():
        said = re.search(rf"^\| SQuAD {version} dev[^|]*\| {count} \| ([\d.]+) \| ([\d.]+) \|", readme, re.MULTILINE)
        assert said, f"the README must say what the shipped reader scores on SQuAD {version} dev"
        examples = quoth.read_examples(squad_folder / f"squad-{version}-dev.json")
        predictions = Reader.load().answer_all(examples, null_threshold=threshold)
        report = quoth.score(examples, predictions)
        assert f"{report.total:,}" == count
        assert report.exact == pytest.approx(float(said[1]), abs=0.3)
        assert report.f1 == pytest.approx(float(said[2]), abs=0.3)


@pytest.mark.long
def test_a_reader_is_thread_safe():
    # Fewer remembered than there are, so that some are forgotten while others are looked up; threads that often change.
    class Forgetful(Windower):
        remembered_contexts = 50

    cutter = Forgetful(tiny_tokenizer("wordpiece"), max_tokens=48, overlap=16)
    examples = [Example("q", "Who?", f"{number}") for number in range(120)]
    lengths = [len(cutter.windows(example)) for example in examples]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda example: len(cutter.windows(example)), examples * 30))
    finally:
        sys.setswitchinterval(before)
    assert found == lengths * 30


def test_contexts_are_cached_up_to_a_number_of_tokens():
    class Forgetful(Windower):
        remembered_tokens = 100

    cutter = Forgetful(tiny_tokenizer("wordpiece"), max_tokens=48, overlap=16)
    for number in range(9):
        cutter.windows(Example("q", QUESTION, f"{number} {CONTEXT}"))
    assert 1 <= len(cutter._contexts) <= 2
    # The last one is kept however long it is: the next question may be about it.
    cutter.windows(Example("q", QUESTION, CONTEXT * 40))
    assert [*cutter._contexts] == [CONTEXT * 40]


def test_a_misspelt_engine_is_wrong_use(tmp_path, capsys):
    plain = tiny_folder("wordpiece", tmp_path / "plain", "tokenizer.json", "config.json", "model.safetensors")
    for folder in (plain, tmp_path / "none"):
        with pytest.raises(SystemExit) as ended:
            main(["ask", QUESTION, "--text", CONTEXT, "--reader", str(folder), "--engine", "onnx"])
        assert ended.value.code == 2
        sentence = "quoth: engine must be auto, openvino, onnxruntime or torch, but is onnx\n"
        assert capsys.readouterr().err == sentence


def test_a_prediction_has_its_question_and_contexts():
    reader = tiny_reader("wordpiece")
    example = Example("7", QUESTION, ["Ana", CONTEXT], (Gold("keeper", CONTEXT.index("keeper"), context_index=1),))
    (prediction,) = reader.answer_all([example])
    assert prediction.example is example
    assert (prediction.id, prediction.question, prediction.contexts) == ("7", QUESTION, ("Ana", CONTEXT))
    alone = reader.answer(QUESTION, ["Ana", CONTEXT])
    assert (alone.id, alone.question, alone.contexts) == ("", QUESTION, ("Ana", CONTEXT))
    assert [answer.span for answer in alone.answers] == [answer.span for answer in prediction.answers]


def test_answer_all_takes_pairs_too():
    reader = tiny_reader("wordpiece")
    pairs = [(QUESTION, CONTEXT), (QUESTION, ["Ana", CONTEXT]), ["Who?", "Ana Ribeiro"]]
    predictions = list(reader.answer_all(pairs))
    assert [each.id for each in predictions] == ["0", "1", "2"]
    assert [each.contexts for each in predictions] == [(CONTEXT,), ("Ana", CONTEXT), ("Ana Ribeiro",)]
    assert [each.answers[0].span for each in predictions] == [reader.answer(*pair).answers[0].span for pair in pairs]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("Who?", math.nan), "question 1: the context must be text, or several texts, but is nan"),
        (("Who?", ["Ana", None]), "question 1: the context must be text, or several texts, but is None"),
        ((None, CONTEXT), "question 1 must be text, but is None"),
        ((" ", CONTEXT), "question 1 must not be empty"),
        ("Who?", "question 1: must be an Example, a row, or a pair of a question and a context or several, but is"),
        (("Who?",), "question 1: must be an Example, a row, or a pair"),
    ],
)
def test_an_invalid_pair_is_reported_by_its_number(asked, message):
    with pytest.raises(InputError, match=message):
        list(tiny_reader("wordpiece").answer_all([(QUESTION, CONTEXT), asked]))


def test_an_example_accepts_context_and_contexts():
    one = Example("1", "Who?", "Ana")
    assert one == Example("1", "Who?", context="Ana") == Example("1", "Who?", contexts=["Ana"])
    assert (one.context, one.contexts) == ("Ana", ("Ana",))
    assert replace(one, context="Ben").contexts == ("Ben",)
    assert replace(one, golds=()).contexts == ("Ana",)
    assert pickle.loads(pickle.dumps(one)) == one
    assert Example("1", "Who?", ()).context == ""
    with pytest.raises(TypeError, match="must have contexts"):
        Example("1", "Who?")


def test_a_gold_may_name_its_context():
    cutter = Windower(tiny_tokenizer("wordpiece"), max_tokens=64, overlap=16)
    text = "The keeper was Ana."
    windows = cutter.windows(Example("1", "Who?", [text, text], (Gold("Ana", 15, context_index=1),)))
    assert [(window.context_index, bool(window.target)) for window in windows] == [(0, False), (1, True)]


@pytest.mark.parametrize(
    ("question", "context", "message"),
    [
        (None, CONTEXT, "the question must be text, but is None"),
        (float("nan"), CONTEXT, "the question must be text, but is nan"),
        (QUESTION, None, "the context must be text, or several texts, but is None"),
        (QUESTION, [CONTEXT, float("nan")], "the context must be text, or several texts, but is nan"),
    ],
)
def test_values_that_are_not_text_are_reported(question, context, message):
    with pytest.raises(InputError, match=message):
        tiny_reader("wordpiece").answer(question, context)


def test_an_example_with_a_wrong_type_is_reported():
    reader = tiny_reader("wordpiece")
    examples = [Example("q1", QUESTION, CONTEXT), Example("q2", QUESTION, [float("nan")])]
    with pytest.raises(InputError, match="question q2: the context must be text, but is nan"):
        list(reader.answer_all(examples))
    with pytest.raises(InputError, match="question q3 must not be empty"):
        list(reader.answer_all([Example("q3", " ", CONTEXT)]))


def test_torch_with_an_exported_reader_reports_what_is_missing(tmp_path):
    folder = tiny_folder("wordpiece", tmp_path)
    for options in ({"engine": "torch"}, {"device": "cuda"}):
        with pytest.raises(
            ReaderError, match=r"must contain model.safetensors for torch, but contains only model.onnx"
        ):
            Reader.load(folder, **options)
    with pytest.raises(ConfigError, match="device must be cpu with engine openvino, but is cuda"):
        Reader.load(folder, engine="openvino", device="cuda")


def test_warnings_of_a_command_are_one_sentence(capsys, tmp_path):
    folder = tiny_folder("bpe", tmp_path)
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    document["normalizer"] = {"type": "Replace", "pattern": {"String": "\u0130"}, "content": "i"}
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["ask", QUESTION, "--text", CONTEXT, "--reader", str(folder)])
    for line in capsys.readouterr().err.splitlines():
        assert line.startswith("quoth: warning: ")
        assert ".py" not in line


def test_answers_are_distinct_by_default():
    reader = Reader.load()
    context = "Ana kept the light until 1912.\n\nBen kept the light after that."
    first, second = reader.answer("Who kept the light?", context, top_k=2).answers
    assert {first.text, second.text} == {"Ana", "Ben"}
    assert first.probability + second.probability <= 1
    every = reader.answer("Who kept the light?", context, top_k=2, overlapping=True).answers
    assert every[0].span == first.span
    assert every[1].span.start < every[0].span.end
    (all_of_it,) = reader.answer_all([("Who kept the light?", context)], top_k=2)
    assert [answer.text for answer in all_of_it.answers] == [first.text, second.text]


def test_min_probability_excludes_a_threshold():
    reader = tiny_reader("wordpiece")
    assert reader.answer(QUESTION, CONTEXT, min_probability=1.0).no_answer
    assert not reader.answer(QUESTION, CONTEXT, min_probability=0.0).no_answer
    with pytest.raises(ConfigError, match="min_probability and null_threshold cannot be used together"):
        reader.answer(QUESTION, CONTEXT, min_probability=0.5, null_threshold="never")


@few
@given(context=texts, most=st.integers(1, 5))
def test_reading_the_best_windows_quotes_only_from_them(context, most):
    reader = tiny_reader("wordpiece")
    context = context * 30
    whole = reader.answer(QUESTION, context, top_k=10, overlapping=True)
    some = reader.answer(QUESTION, context, top_k=10, overlapping=True, passages=most)
    assert some.windows == min(most, whole.windows)
    assert some.windows + some.skipped == whole.windows
    assert whole.skipped == 0
    assert all(context[answer.span.start : answer.span.end] == answer.text for answer in some.answers)
    if not some.skipped:
        assert some == whole


def test_the_search_picks_the_window_with_the_words_of_the_question():
    filler = "Nothing of note was written on that day, nor on the next one. " * 60
    reader = tiny_reader("wordpiece")
    text = filler + "Zephyr keeps the lamp. " + filler
    prediction = reader.answer("Who keeps the lamp?", text, passages=1, null_threshold="never")
    start = text.index("Zephyr")
    assert (prediction.windows, prediction.skipped > 20) == (1, True)
    assert abs(prediction.best.span.start - start) < 500
    unspaced = "何も書かれていない。" * 100
    found = reader.answer(
        "灯台守は誰ですか", unspaced + "灯台守は雪です。" + unspaced, passages=1, null_threshold="never"
    )
    assert found.skipped
    with pytest.raises(ConfigError, match="passages must be at least 1, but is 0"):
        reader.answer("Who?", text, passages=0)
    with pytest.raises(ConfigError, match=r"passages must be of type int, but is 1.5"):
        reader.answer("Who?", text, passages=1.5)
    assert reader.answer("Who?", text, passages=10**30).skipped == 0


@few
@given(context=texts)
def test_citations_count_code_points_utf16_units_and_bytes(context):
    context = f"🐦 {context} Ana kept the lamp."
    for answer in tiny_reader("wordpiece").answer(QUESTION, context, top_k=3).answers:
        found = answer.to_citation(context, "Log")
        assert context[found["start_char_index"] : found["end_char_index"]] == found["cited_text"] == answer.text
        units, data = context.encode("utf-16-le", "surrogatepass"), context.encode("utf-8", "surrogatepass")
        cut = units[2 * found["start_utf16_index"] : 2 * found["end_utf16_index"]]
        assert cut == answer.text.encode("utf-16-le", "surrogatepass")
        cut = data[found["start_byte_index"] : found["end_byte_index"]]
        assert cut == answer.text.encode("utf-8", "surrogatepass")
        [verdict] = quoth.verify([found | {"document_title": None}], context)
        assert (verdict.status, verdict.offsets) == ("exact", "right")
