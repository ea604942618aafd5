"""Readers in other processes: pickled as their origin, and loaded there once."""

import contextlib
import functools
import multiprocessing
import os
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor

import pytest

import quoth
from quoth.errors import ConfigError, ReaderError
from quoth.reader import Reader
from quoth.reading import DecodeSettings
from quoth.store import ReaderSettings
from support.readers import TINY, tiny_folder, tiny_reader, tiny_tokenizer

QUESTION = "Who keeps the lamp?"
CONTEXT = "The lighthouse of Cabo Branco was built in 1972. Its lamp turns all night. The keeper was Ana Ribeiro."
ROWS = [{"question": QUESTION, "context": CONTEXT[: 60 + number]} for number in range(4)]


def answered(reader, row):
    """Answer a row with a reader, and return the id of the process."""
    return {"text": reader.answer(row["question"], row["context"]).text, "process": os.getpid()}


def called(pipeline, row):
    """Answer a row with a pipeline, and return the id of the process."""
    return {"text": pipeline(**row)["answer"], "process": os.getpid()}


def engines(readers):
    """Count the distinct engines of some readers."""
    return len({id(reader.engine) for reader in readers})


def same_elsewhere(found, answer, with_):
    """Check that other processes returned the same answers, and not this process."""
    assert [row["text"] for row in found] == [answer(with_, row)["text"] for row in ROWS]
    assert os.getpid() not in {row["process"] for row in found}


@pytest.mark.parametrize(
    "engine", ["openvino", *(pytest.param(name, marks=pytest.mark.torch) for name in ("onnxruntime", "torch"))]
)
def test_a_reader_is_pickled_as_its_origin(engine):
    if engine != "openvino":
        pytest.importorskip(engine)
    reader = Reader.load(TINY / "wordpiece", engine=engine, threads=1, precision="float32")
    content = pickle.dumps(reader)
    assert len(content) < 2_000
    again = pickle.loads(content)
    assert "not loaded yet" in repr(again)
    assert again.answer(QUESTION, CONTEXT) == reader.answer(QUESTION, CONTEXT)
    assert (repr(again), again.engine.name) == (repr(reader), engine)


def test_changed_settings_are_pickled():
    loaded = Reader.load(TINY / "wordpiece")
    settings = tiny_reader("wordpiece", max_tokens=40, overlap=8, null_threshold=-1e9).settings
    again = pickle.loads(pickle.dumps(loaded.with_settings(settings)))
    assert again.settings == settings
    assert again.answer(QUESTION, CONTEXT).no_answer
    assert again.windower.max_tokens == 40


def test_a_process_loads_a_reader_once():
    contents = [pickle.dumps(Reader.load(TINY / "wordpiece", threads=1)) for _ in range(3)]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(engines, list(map(pickle.loads, contents))).result() == 1
    other = pickle.loads(pickle.dumps(Reader.load(TINY / "wordpiece", threads=2)))
    assert engines([other, *map(pickle.loads, contents)]) == 2


def test_a_reader_without_an_origin_is_not_pickled():
    reader = tiny_reader("wordpiece")
    with pytest.raises(TypeError, match=r"must come from Reader.load to be pickled, but this one was created"):
        pickle.dumps(reader)
    with pytest.raises(TypeError, match=r"must come from Reader.load"):
        pickle.dumps(quoth.pipeline(model=reader))


def test_a_missing_reader_is_reported_at_its_first_use(tmp_path):
    folder = tiny_folder("wordpiece", tmp_path / "reader")
    content = pickle.dumps(Reader.load(folder))
    shutil.rmtree(folder)
    again = pickle.loads(content)  # no error here: a pool would wait for ever
    with pytest.raises(ReaderError, match="there is no such folder"):
        again.answer(QUESTION, CONTEXT)


def test_a_relative_folder_is_found_from_another_working_directory(tmp_path):
    tiny_folder("wordpiece", tmp_path / "reader")
    with contextlib.chdir(tmp_path):
        content = pickle.dumps(Reader.load("reader"))
    assert pickle.loads(content).answer(QUESTION, CONTEXT).text


@pytest.mark.parametrize("compat", [False, True])
def test_the_pipeline_is_pickled_with_its_parameters(compat):
    qa = quoth.pipeline(model=str(TINY / "wordpiece"), compat=compat, top_k=2, tokenizer=tiny_tokenizer("wordpiece"))
    expected = qa(QUESTION, CONTEXT)
    again = pickle.loads(pickle.dumps(qa))
    assert again(QUESTION, CONTEXT) == expected
    assert len(expected) == 2
    assert (again.task, repr(again)) == (qa.task, repr(qa))


@pytest.mark.torch
def test_a_pipeline_over_a_model_of_transformers_is_pickled_with_it():
    from transformers import AutoModelForQuestionAnswering

    model = AutoModelForQuestionAnswering.from_pretrained(TINY / "wordpiece")
    qa = quoth.pipeline(model=model, tokenizer=tiny_tokenizer("wordpiece"))
    assert pickle.loads(pickle.dumps(qa))(QUESTION, CONTEXT) == qa(QUESTION, CONTEXT)


@pytest.mark.parametrize("start", ["spawn", pytest.param("forkserver", marks=pytest.mark.long)])
def test_a_process_pool_answers(start):
    reader = Reader.load(TINY / "wordpiece", threads=1)
    with multiprocessing.get_context(start).Pool(2) as pool:
        found = pool.map_async(functools.partial(answered, reader), ROWS).get(timeout=60)
    same_elsewhere(found, answered, reader)


@pytest.mark.torch
@pytest.mark.parametrize(
    "engine", ["openvino", *(pytest.param(name, marks=pytest.mark.long) for name in ("onnxruntime", "torch"))]
)
def test_a_forked_process_answers_after_its_parent(engine):
    # More than one thread, whose pools are not there after the fork; and OpenVINO keeps those of a reader that is gone.
    for _ in range(2):
        reader = Reader.load(TINY / "wordpiece", engine=engine, threads=2)
        reader.answer(QUESTION, CONTEXT)
        assert reader.engine.parallel
    long = [{**row, "context": row["context"] * 40} for row in ROWS]
    expected = [answered(reader, row)["text"] for row in long]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map_async(functools.partial(answered, reader), long).get(timeout=60)
    assert [row["text"] for row in found] == expected


@pytest.mark.long
@pytest.mark.torch
def test_joblib_answers():
    joblib = pytest.importorskip("joblib")
    for thing, answer in [
        (Reader.load(TINY / "wordpiece", threads=1), answered),
        (quoth.pipeline(model=str(TINY / "wordpiece")), called),
    ]:
        found = joblib.Parallel(2, backend="loky")(joblib.delayed(answer)(thing, row) for row in ROWS)
        same_elsewhere(found, answer, thing)


@pytest.mark.torch
def test_datasets_map_works_with_two_processes():
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list(ROWS)
    for thing, answer in [
        (Reader.load(TINY / "wordpiece", threads=1), answered),
        (quoth.pipeline(model=str(TINY / "wordpiece")), called),
    ]:
        same_elsewhere(list(rows.map(functools.partial(answer, thing), num_proc=2)), answer, thing)


def test_a_reader_is_saved_with_its_current_settings(tmp_path):
    settings = ReaderSettings(40, 8, DecodeSettings(null_threshold=1.5))
    Reader.load(TINY / "wordpiece").with_settings(settings).save(tmp_path / "new")
    assert Reader.load(tmp_path / "new").settings == settings
    with pytest.raises(ConfigError, match="must be a new or empty folder"):
        Reader.load(TINY / "wordpiece").save(tmp_path / "new")
    with pytest.raises(TypeError, match=r"must come from Reader\.load to be saved"):
        tiny_reader("wordpiece").save(tmp_path / "other")
