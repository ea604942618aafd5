"""The drop-in: every kind of call, compared with the old pipeline and with Quoth's own answers."""

import hashlib
import itertools
import json
import queue
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st

import quoth
from quoth.dropin.calls import Parameters
from quoth.dropin.legacy import OldReader
from quoth.errors import ConfigError, ReaderError
from quoth.reader import Reader
from quoth.records import Example
from quoth.store import ReaderFolder, ReaderSettings
from support.readers import TINY, tiny_folder, tiny_reader, tiny_tokenizer
from support.texts import few, texts

GOLDEN = Path(__file__).parent / "golden"
FLOAT = Path(__file__).parent.parent / "readers" / "shipped"
KINDS = ("wordpiece", "bpe", "albert")
QUESTION = "Who keeps the lamp?"
CONTEXT = "The lighthouse of Cabo Branco was built in 1972. Its lamp turns all night. The keeper was Ana Ribeiro."
KEYS = ["score", "start", "end", "answer"]


def golden(kind):
    return json.loads((GOLDEN / f"dropin-{kind}.json").read_text(encoding="utf-8"))


def tiny(kind="wordpiece", **options):
    return quoth.pipeline("question-answering", model=str(TINY / kind), **options)


def said(result):
    answers = result if isinstance(result, list) else [result]
    return [[answer["answer"], answer["start"], answer["end"]] for answer in answers]


def scores(result):
    return [answer["score"] for answer in (result if isinstance(result, list) else [result])]


# Results


@pytest.mark.parametrize("kind", KINDS)
def test_compat_equals_the_old_pipeline(kind):
    document = golden(kind)
    weights = hashlib.sha256((TINY / kind / "model.safetensors").read_bytes()).hexdigest()
    assert weights == document["weights"], "the weights are others: run tools/parity.py again"
    qa = tiny(kind, compat=True)
    assert len(document["cases"]) > 30
    for case in document["cases"]:
        result = qa(question=case["question"], context=case["context"], **case["parameters"])
        assert type(result) is type(case["result"]), case
        assert said(result) == said(case["result"]), case
        assert scores(result) == pytest.approx(scores(case["result"]), abs=1e-4), case


@pytest.mark.skipif(not (FLOAT / "model.safetensors").is_file(), reason="the float checkpoint is not in this checkout")
def test_the_golden_answers_are_those_of_the_shipped_weights():
    weights = hashlib.sha256((FLOAT / "model.safetensors").read_bytes()).hexdigest()
    assert weights == golden("shipped")["weights"], "the weights are others: make refresh"


def test_the_shipped_reader_equals_the_old_pipeline_with_its_float_checkpoint():
    document = golden("shipped")
    # The shipped weights are int8, so scores differ slightly, and a few answers to unusual texts may differ.
    cases = [case for case in document["cases"] if case["set"] == "examples"]
    qa = quoth.pipeline("question-answering", compat=True)
    results = [qa(question=case["question"], context=case["context"], **case["parameters"]) for case in cases]
    pairs = [(said(result)[0], said(case["result"])[0]) for result, case in zip(results, cases, strict=True)]
    assert sum(one == other for one, other in pairs) >= len(cases) - 2 > 5
    same = [n for n, (one, other) in enumerate(pairs) if one == other]
    assert [scores(results[n])[0] for n in same] == pytest.approx(
        [scores(cases[n]["result"])[0] for n in same], abs=0.15
    )


@few
@given(context=texts.filter(bool), top_k=st.sampled_from([1, 4]), words=st.booleans())
def test_by_default_the_readers_answers_are_distinct(context, top_k, words):
    qa = tiny(max_seq_len=48, doc_stride=16, align_to_words=words)
    result = qa(question=QUESTION, context=context, top_k=top_k)
    answers = result if isinstance(result, list) else [result]
    assert [list(answer) for answer in answers] == [KEYS] * len(answers)
    assert scores(result) == sorted(scores(result), reverse=True)
    lowered = [answer["answer"].lower() for answer in answers]
    assert len(set(lowered)) == len(lowered)
    reader = tiny_reader("wordpiece", whole_words=words)
    expected = {}
    for answer in reader.answer(QUESTION, context, top_k=10**6, max_answer_tokens=15, overlapping=True).answers:
        expected.setdefault(answer.text.lower(), answer)
    for answer, one in itertools.zip_longest(answers, itertools.islice(expected.values(), top_k)):
        if one is None:
            assert answer == {"score": 0.0, "start": 0, "end": 0, "answer": ""}
        else:
            assert answer == {
                "score": pytest.approx(one.probability, abs=1e-6),
                "start": one.span.start,
                "end": one.span.end,
                "answer": one.text,
            }


def test_the_same_words_are_one_answer():
    # One word has more places than are examined first: the search continues until there are enough distinct answers.
    context = "Paris. PARIS. " * 30 + "Rome"
    answers = tiny()(question=QUESTION, context=context, top_k=3, max_answer_len=1, align_to_words=True)
    assert sorted(answer["answer"].lower() for answer in answers) == [".", "paris", "rome"]


def test_no_answer_is_returned_if_requested():
    qa = tiny()
    answers = qa(question=QUESTION, context=CONTEXT, top_k=10**4, handle_impossible_answer=True)
    null = [answer for answer in answers if answer["answer"] == ""]
    explanation = tiny_reader("wordpiece", max_tokens=128, overlap=64).explain(QUESTION, CONTEXT, max_answer_tokens=15)
    assert null == [
        {"score": pytest.approx(explanation.null_probability), "start": 0, "end": 0, "answer": ""},
    ]
    assert all(answer["answer"] for answer in qa(question=QUESTION, context=CONTEXT, top_k=10**4))
    texts_given = [answer["answer"].lower() for answer in answers]
    assert len(set(texts_given)) == len(texts_given) > 2
    blank = qa(question=QUESTION, context=" ", handle_impossible_answer=True)
    assert blank == {"score": 1.0, "start": 0, "end": 0, "answer": ""}


@few
@given(
    context=texts.filter(bool),
    threshold=st.sampled_from([-3.0, -1.0, 0.0, 1.0, "never"]),
    top_k=st.sampled_from([1, 4]),
)
def test_no_answer_is_returned_exactly_if_the_reader_abstains(context, threshold, top_k):
    reader = tiny_reader("wordpiece", null_threshold=threshold, null_bias=-0.5, odds_scale=3.0)
    qa = quoth.pipeline(model=reader, max_seq_len=48, doc_stride=16)
    prediction = reader.answer(QUESTION, context, max_answer_tokens=15)
    first = {"": qa(QUESTION, context, top_k=top_k, handle_impossible_answer=True)}
    answers = first[""] if isinstance(first[""], list) else [first[""]]
    assert (answers[0]["answer"] == "") == prediction.no_answer
    if prediction.answers:
        always = qa(QUESTION, context)
        assert always["answer"] == prediction.answers[0].text
        assert prediction.no_answer or answers[0]["answer"] == always["answer"]


def test_a_model_without_a_threshold_abstains_above_0():
    plain = Reader.load(TINY / "wordpiece").settings
    assert (plain.decode.null_threshold, plain.threshold_when_asked) == ("never", 0.0)
    assert tiny_reader("wordpiece").settings.threshold_when_asked == "never"


def test_the_shipped_reader_and_the_pipeline_make_the_same_decisions():
    reader = Reader.load(precision="float32")
    qa = quoth.pipeline(model=reader)
    context = "Ana kept the light at Natal from 1903. Ben baked the bread in Olinda."
    for question in ("Who sank the ship?", "Who kept the light?", "Who baked the bread?", "When did Ben sail?"):
        prediction = reader.answer(question, context, max_answer_tokens=15)
        said = qa(question=question, context=context, handle_impossible_answer=True)["answer"]
        assert said == (prediction.text or "")


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize(
    "engine", ["openvino", *(pytest.param(name, marks=pytest.mark.torch) for name in ("onnxruntime", "torch"))]
)
def test_windows_longer_than_the_models_positions_are_rejected(engine, compat, tmp_path):
    if engine != "openvino":
        pytest.importorskip(engine)
    # Neither tokenizer nor settings say how long a window may be: what an exported reader's folder holds.
    names = ["tokenizer.json", "model.safetensors" if engine == "torch" else "model.onnx"]
    folder = tiny_folder("wordpiece", tmp_path / "reader", *names, *(["config.json"] if engine == "torch" else []))
    ReaderFolder.open(folder).write_manifest(ReaderSettings(64, 16), {})
    qa = quoth.pipeline(model=Reader.load(folder, engine=engine, threads=1), compat=compat)
    for wrong in (129, 5000):
        with pytest.raises(ValueError, match=f"`max_seq_len` must be at most 128, .* but is {wrong}"):
            qa(QUESTION, CONTEXT, max_seq_len=wrong)
    assert qa(QUESTION, CONTEXT * 20, max_seq_len=128)["answer"]
    assert qa(QUESTION, CONTEXT * 20)["answer"]  # by default, what the model takes


def test_the_pipeline_ignores_the_stored_threshold_by_default():
    qa = quoth.pipeline(model=tiny_reader("wordpiece", null_threshold=-1e9))
    assert qa(question=QUESTION, context=CONTEXT)["answer"]


# Calls

SHAPES = [
    ((), {"question": QUESTION, "context": CONTEXT}, "one"),
    ((), {"question": [QUESTION], "context": [CONTEXT]}, "one"),
    ((), {"question": [QUESTION], "context": CONTEXT}, "one"),
    ((), {"question": [QUESTION, QUESTION], "context": CONTEXT}, "two"),
    ((), {"question": [QUESTION, QUESTION], "context": [CONTEXT, CONTEXT]}, "two"),
    (({"question": QUESTION, "context": CONTEXT},), {}, "one"),
    (([{"question": QUESTION, "context": CONTEXT}],), {}, "one"),
    (([{"question": QUESTION, "context": CONTEXT}] * 2,), {}, "two"),
    (({"question": QUESTION, "context": CONTEXT}, {"question": QUESTION, "context": CONTEXT}), {}, "two"),
    (({"question": [QUESTION, QUESTION], "context": [CONTEXT, CONTEXT]},), {}, "two"),
    (({"question": [QUESTION, QUESTION], "context": CONTEXT},), {}, "two"),
    ((QUESTION, CONTEXT), {}, "one"),
    ((), {"data": {"question": QUESTION, "context": CONTEXT}}, "one"),
    ((), {"X": [{"question": QUESTION, "context": CONTEXT}] * 2}, "two"),
    ((SimpleNamespace(question_text=QUESTION, context_text=CONTEXT),), {}, "one"),
    (([Example("1", QUESTION, CONTEXT)] * 2,), {}, "two"),
    (([],), {}, "none"),
]


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize(("args", "kwargs", "shape"), SHAPES)
def test_every_shape_of_call(args, kwargs, shape, compat):
    qa = tiny(compat=compat)
    one = qa(question=QUESTION, context=CONTEXT)
    assert qa(*args, **kwargs) == {"one": one, "two": [one, one], "none": []}[shape]
    assert qa.create_sample(QUESTION, CONTEXT) == Example("", QUESTION, CONTEXT)


class Rows:
    """A data set with the interface of torch's."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return {"question": QUESTION, "context": CONTEXT[: 30 + index], "id": index}


def test_generators_and_data_sets_are_streamed():
    qa = tiny()
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield {"question": QUESTION, "context": CONTEXT, "id": number}

    answers = qa(endless(), top_k=2)
    assert taken == []
    assert [said(next(answers)) for _ in range(3)] == [said(qa(question=QUESTION, context=CONTEXT, top_k=2))] * 3
    assert len(taken) < 1100
    expected = [qa(question=QUESTION, context=CONTEXT[: 30 + index]) for index in range(3)]
    assert [said(answer) for answer in qa(Rows())] == [said(answer) for answer in expected]


@pytest.mark.parametrize("compat", [False, True])
def test_a_generator_may_wait_for_the_last_answer(compat):
    answers = queue.Queue()

    def source():
        question = QUESTION
        for _ in range(4):
            yield {"question": question, "context": CONTEXT}
            question = answers.get(timeout=60) if not compat else said(found[-1])[0][0] + "?"

    found = []
    for answer in tiny(compat=compat)(source()):
        found.append(answer)
        answers.put(f"{answer['answer']}?")
    assert len(found) == 4


def test_an_invalid_item_of_a_generator_is_reported_after_the_answers_before_it():
    items = [{"question": QUESTION, "context": CONTEXT}] * 3 + [{"question": QUESTION, "context": None}]
    found = []
    with pytest.raises(ValueError, match="item 3: context must be a str, but is NoneType"):
        found.extend(tiny()(item for item in items))
    assert len(found) == 3
    items[3] = {"question": QUESTION * 100, "context": CONTEXT}
    found = []
    with pytest.raises(ValueError, match="question 3: must leave room"):
        found.extend(tiny()(item for item in items))
    assert len(found) == 3


def test_a_pipeline_can_be_saved(tmp_path):
    tiny().save_pretrained(tmp_path / "saved")
    again = quoth.pipeline("question-answering", model=str(tmp_path / "saved"))
    assert said(again(question=QUESTION, context=CONTEXT)) == said(tiny()(question=QUESTION, context=CONTEXT))


@pytest.mark.torch
def test_a_model_of_transformers_is_saved_as_transformers_saves_it(tmp_path):
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    parts = [kind.from_pretrained(TINY / "wordpiece") for kind in (AutoModelForQuestionAnswering, AutoTokenizer)]
    quoth.pipeline("question-answering", model=parts[0], tokenizer=parts[1]).save_pretrained(tmp_path / "saved")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in (tmp_path / "saved").iterdir()
    }


@pytest.mark.parametrize(
    ("args", "kwargs", "kind", "message"),
    [
        ((), {}, ValueError, "Unknown arguments {}"),
        ((), {"question": QUESTION}, ValueError, "Unknown arguments .*: a question and a context must be given"),
        ((), {"question": QUESTION, "context": [CONTEXT]}, ValueError, "Arguments can't be understood"),
        ((), {"question": [QUESTION] * 2, "context": [CONTEXT]}, ValueError, "don't have the same lengths"),
        (({"question": QUESTION},), {}, KeyError, "dictionary with keys"),
        (({"question": None, "context": CONTEXT},), {}, ValueError, "`question` cannot be None"),
        ((), {"question": None, "context": CONTEXT}, ValueError, "`question` cannot be None"),
        ((), {"question": QUESTION, "context": float("nan")}, ValueError, "`context` cannot be nan"),
        (({"question": QUESTION, "context": float("nan")},), {}, ValueError, "context must be a str, but is float"),
        (({"question": QUESTION, "context": ""},), {}, ValueError, "`context` cannot be empty"),
        ((), {"question": "", "context": CONTEXT}, ValueError, "`question` cannot be empty"),
        (({"question": 5, "context": CONTEXT},), {}, ValueError, "question must be a str, but is int"),
        (({"question": QUESTION, "context": CONTEXT, "id": 1},), {}, TypeError, "id"),
        ((5,), {}, ValueError, "Invalid arguments"),
        (([5],), {}, ValueError, r"5 argument needs to be of type \(SquadExample, dict\)"),
        (("a text",), {}, ValueError, "a argument needs to be of type"),
        ((QUESTION, CONTEXT), {"top_k": 0}, ValueError, r"top_k parameter should be >= 1 \(got 0\)"),
        ((QUESTION, CONTEXT), {"max_answer_len": 0}, ValueError, "max_answer_len parameter should be >= 1"),
        ((QUESTION, CONTEXT), {"doc_stride": 200, "max_seq_len": 100}, ValueError, "is larger than `max_seq_len`"),
        ((QUESTION, CONTEXT), {"padding": "wide"}, ValueError, "is not a valid PaddingStrategy"),
        ((QUESTION * 30, CONTEXT), {}, ValueError, "must leave room"),
    ],
)
@pytest.mark.parametrize("compat", [False, True])
def test_wrong_calls(args, kwargs, kind, message, compat):
    with pytest.raises(kind, match=message):
        tiny(compat=compat)(*args, **kwargs)


def test_parameters_are_kept_and_overridden():
    qa = tiny(top_k=3, max_answer_len=2, unknown=1)
    assert len(qa(QUESTION, CONTEXT)) == 3
    assert isinstance(qa(QUESTION, CONTEXT, top_k=1), dict)
    assert len(qa(QUESTION, CONTEXT, top_k=None)) == 3
    with pytest.warns(UserWarning, match="topk parameter is deprecated, use top_k instead"):
        assert len(qa(QUESTION, CONTEXT, topk=2)) == 2
    assert Parameters() == Parameters(1, None, 15, None, 64, False, True, "do_not_pad")
    assert Parameters().window(None) == Parameters().window(10**4) == (384, 128)
    assert Parameters().window(200) == (200, 100)


def test_threads_with_different_windows_do_not_share_their_length():
    reader = tiny_reader("wordpiece")
    old = OldReader(reader.tokenizer, reader.engine)
    example = Example("", QUESTION, CONTEXT)

    def lengths(longest):
        parameters = Parameters().changed({"max_seq_len": longest, "doc_stride": 4})
        return {len(old._windows(example, parameters)[0].allowed) for _ in range(400)}

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lengths, [24, 32] * 2)) == [{24}, {32}] * 2
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("compat", [False, True])
def test_results_do_not_depend_on_batches(compat):
    qa = tiny(compat=compat, batch_size=4)
    long = " ".join([CONTEXT] * 20)
    one, many = qa(QUESTION, long, batch_size=1, top_k=3), qa(QUESTION, long, top_k=3)
    assert said(one) == said(many) == said(qa(QUESTION, long, padding=True, top_k=3))
    assert scores(one) == pytest.approx(scores(many), abs=1e-5)


def test_the_parts_of_a_pipeline():
    reader = tiny_reader("bpe")
    qa = quoth.pipeline(model=reader)
    assert (qa.task, qa.device, qa.framework) == ("question-answering", "cpu", "pt")
    assert qa.model is reader.engine
    assert qa.tokenizer is reader.tokenizer
    assert repr(qa) == "QuestionAnsweringPipeline(device='cpu', compat=False)"
    rows = [{"question": QUESTION, "context": CONTEXT}] * 2
    assert qa.predict(rows) == qa.transform(rows) == qa(rows)
    other = quoth.pipeline(model=str(TINY / "wordpiece"), tokenizer=str(TINY / "wordpiece"), device=-1)
    assert said(other(QUESTION, CONTEXT)) == said(tiny()(QUESTION, CONTEXT))
    own = quoth.pipeline(model=TINY / "wordpiece", tokenizer=tiny_tokenizer("wordpiece"), device="cpu")
    assert said(own(QUESTION, CONTEXT)) == said(tiny()(QUESTION, CONTEXT))


def test_wrong_parts_are_rejected():
    with pytest.raises(KeyError, match="Unknown task summarization"):
        quoth.pipeline("summarization")
    with pytest.raises(Exception, match="Impossible to guess which tokenizer to use"):
        quoth.pipeline(model=object())
    with pytest.raises(ConfigError, match="tokenizer must be a fast tokenizer of transformers"):
        quoth.pipeline(model=TINY / "wordpiece", tokenizer=5)
    with pytest.raises(ConfigError, match="dtype must be one of float32, bfloat16, float16, but is int4"):
        quoth.pipeline(model=TINY / "wordpiece", dtype="int4")
    with pytest.raises(ReaderError, match="must be the folder of a reader"):
        quoth.pipeline(model="/no/such/folder")


# Models of transformers, and transformers itself


@pytest.mark.torch
@pytest.mark.parametrize("compat", [False, True])
def test_models_and_tokenizers_of_transformers(compat):
    import torch
    from transformers import AutoModelForQuestionAnswering, PreTrainedTokenizerFast

    model = AutoModelForQuestionAnswering.from_pretrained(TINY / "wordpiece")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(TINY / "wordpiece" / "tokenizer.json"),
        cls_token="[CLS]",
        pad_token="[PAD]",
        model_max_length=128,
    )
    qa = quoth.pipeline(
        "question-answering", model=model, tokenizer=tokenizer, device=torch.device("cpu"), compat=compat
    )
    assert (qa.model, qa.tokenizer, qa.device) == (model, tokenizer, "cpu")
    expected = tiny(compat=compat)(QUESTION, CONTEXT, top_k=3)
    assert said(qa(QUESTION, CONTEXT, top_k=3)) == said(expected)
    assert scores(qa(QUESTION, CONTEXT, top_k=3)) == pytest.approx(scores(expected), abs=1e-5)


@pytest.mark.torch
def test_half_precision_runs_on_torch():
    qa = tiny(dtype="bfloat16")
    assert qa.model.config.model_type == "bert"
    assert scores(qa(QUESTION, CONTEXT)) == pytest.approx(scores(tiny()(QUESTION, CONTEXT)), abs=0.1)
    assert tiny(torch_dtype="auto").model is not None


@pytest.mark.torch
@pytest.mark.long
def test_the_patch_works_in_every_transformers_module():
    program = """
import transformers
from transformers import AutoTokenizer
import quoth, sys
before = transformers
patch = quoth.patch_transformers()
assert before.QuestionAnsweringPipeline is quoth.dropin.QuestionAnsweringPipeline
from transformers import QuestionAnsweringPipeline
assert QuestionAnsweringPipeline is before.QuestionAnsweringPipeline
assert before is not sys.modules["transformers"], "transformers is imported once: the test has lost its point"
patch.undo()
assert not hasattr(before, "QuestionAnsweringPipeline")
print("all is well")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("all is well\n", 0), done.stderr


@pytest.mark.torch
def test_patched_transformers_has_the_task_again(tmp_path):
    import transformers
    from transformers import pipeline

    with pytest.raises(KeyError, match="question-answering has been removed"):
        pipeline("question-answering", model=str(TINY / "wordpiece"))
    before = dict(transformers.pipelines.SUPPORTED_TASKS), dict(transformers.pipelines.REMOVED_TASKS)
    folder = tmp_path / "model"
    folder.mkdir()
    for file in (TINY / "wordpiece").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    # transformers 5 requires a class; without one it uses the model's, which lower-cases texts.
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": "PreTrainedTokenizerFast"}))
    for compat in (False, True):
        with quoth.patch_transformers(compat=compat), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            qa = pipeline("question-answering", model=str(folder), top_k=2)
            assert qa.compat is compat
            assert isinstance(qa, transformers.QuestionAnsweringPipeline)
            assert isinstance(qa, transformers.pipelines.QuestionAnsweringPipeline)
            assert transformers.QuestionAnsweringPipeline is sys.modules["transformers"].QuestionAnsweringPipeline
            expected = tiny(compat=compat)(QUESTION, CONTEXT, top_k=2)
            assert said(qa(question=QUESTION, context=CONTEXT)) == said(expected)
            assert scores(qa(question=QUESTION, context=CONTEXT)) == pytest.approx(scores(expected), abs=1e-5)
            assert "question-answering" in transformers.pipelines.get_supported_tasks()
            # Patching twice has the same effect as once, and undoing the second patch does nothing.
            quoth.patch_transformers().undo()
            assert "question-answering" in transformers.pipelines.get_supported_tasks()
    assert before == (transformers.pipelines.SUPPORTED_TASKS, transformers.pipelines.REMOVED_TASKS)
    assert "QuestionAnsweringPipeline" not in vars(transformers.pipelines)
    assert not hasattr(sys.modules["transformers"], "QuestionAnsweringPipeline")
    with pytest.raises(KeyError, match="has been removed"):
        pipeline("question-answering", model=str(folder))
