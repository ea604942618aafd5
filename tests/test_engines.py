"""Engines: the same logits whatever the batch, errors instead of crashes, cores counted."""

import shutil

import numpy as np
import pytest

from quoth.engines import usable_cores
from quoth.engines.onnx import OnnxEngine
from quoth.errors import ReaderError
from quoth.reader import Reader
from quoth.reading import Tokenizer, WindowBatch, Windower
from quoth.records import Example
from tiny_readers import KINDS, TINY, tiny_engine, tiny_folder, tiny_tokenizer

CONTEXT = "The lighthouse of Cabo Branco was built in 1972. Its lamp turns once every twelve seconds."


def batches(kind):
    """Return a batch of windows of different lengths, and each of them alone."""
    cutter = Windower(tiny_tokenizer(kind), max_tokens=100, overlap=0)
    windows = [cutter.windows(Example("q", "Who?", CONTEXT[:size]))[0] for size in (5, 40, 88)]
    pad = tiny_tokenizer(kind).pad_id
    return WindowBatch.of(windows, pad), [WindowBatch.of([window], pad) for window in windows]


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind):
    together, alone = batches(kind)
    logits = tiny_engine(kind).run(together)
    assert logits.start.shape == logits.end.shape == together.ids.shape
    assert logits.start.dtype == logits.end.dtype == np.float32
    for row, batch in enumerate(alone):
        single = tiny_engine(kind).run(batch)
        size = batch.ids.shape[1]
        assert logits.start[row, :size] == pytest.approx(single.start[0], abs=1e-4)
        assert logits.end[row, :size] == pytest.approx(single.end[0], abs=1e-4)
    # And the fixtures are worth their name: logits that are all alike would prove nothing.
    assert np.ptp(logits.start[2]) > 1


def test_mask_and_types_reach_the_network():
    together, _ = batches("wordpiece")
    engine = tiny_engine("wordpiece")
    known = engine.run(together).start
    everything = WindowBatch(together.ids, together.type_ids, np.ones_like(together.mask), together.windows)
    one_type = WindowBatch(together.ids, np.zeros_like(together.type_ids), together.mask, together.windows)
    for other in (everything, one_type):
        assert np.abs(engine.run(other).start[0] - known[0]).max() > 1e-2


def test_engine_says_what_it_is():
    assert (tiny_engine("bpe").name, tiny_engine("bpe").precision) == ("onnxruntime", "float32")
    assert OnnxEngine(TINY / "bpe" / "model.onnx", precision="int8", threads=1).precision == "int8"


def test_file_that_is_no_network(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(ReaderError, match=r"model\.onnx: must be an ONNX model, but cannot be loaded"):
        OnnxEngine(tmp_path / "model.onnx")
    with pytest.raises(ReaderError, match=r"absent\.onnx: must be an ONNX model, but cannot be loaded"):
        OnnxEngine(tmp_path / "absent.onnx")


@pytest.mark.parametrize(("known", "other"), [(b"start_logits", b"first_logits"), (b"input_ids", b"token_ids")])
def test_network_for_something_else(tmp_path, known, other):
    content = (TINY / "bpe" / "model.onnx").read_bytes()
    (tmp_path / "model.onnx").write_bytes(content.replace(known, other))
    with pytest.raises(ReaderError, match=rf"must take input_ids, .* but takes .*{other.decode()}"):
        OnnxEngine(tmp_path / "model.onnx")


def test_windows_longer_than_the_network_takes(tmp_path):
    tokenizer = Tokenizer.load(tiny_folder("wordpiece", tmp_path, "tokenizer.json"))
    windows = Windower(tokenizer, max_tokens=200, overlap=0).windows(Example("q", "Who?", "the " * 190))
    with pytest.raises(ReaderError, match=r"model\.onnx: must read 1 windows of 19\d tokens, but failed"):
        tiny_engine("wordpiece").run(WindowBatch.of(windows, 0))


def test_cores_are_those_of_the_control_group(tmp_path):
    cores = usable_cores(tmp_path / "absent")
    assert cores >= 1
    for content, expected in [
        ("max 100000", cores),
        ("100000 100000", 1),
        ("150000 100000", min(2, cores)),
        ("50000 100000", 1),
        ("6400000 100000", min(64, cores)),
        ("nonsense", cores),
        ("a b", cores),
        ("100000 0", cores),
        ("", cores),
    ]:
        (tmp_path / "cpu.max").write_text(content + "\n")
        assert usable_cores(tmp_path) == expected


@pytest.mark.torch
def test_torch_and_onnx_agree():
    from quoth.engines.torch import TorchEngine

    together, _ = batches("wordpiece")
    engine = TorchEngine.load(TINY / "wordpiece")
    assert (engine.name, engine.precision, engine.takes_types) == ("torch", "float32", True)
    found, expected = engine.run(together), tiny_engine("wordpiece").run(together)
    mask = together.mask.astype(bool)
    assert found.start[mask] == pytest.approx(expected.start[mask], abs=1e-4)
    assert found.end[mask] == pytest.approx(expected.end[mask], abs=1e-4)


@pytest.mark.torch
def test_torch_gives_no_types_to_a_network_of_one():
    from transformers import RobertaConfig, RobertaForQuestionAnswering

    from quoth.engines.torch import TorchEngine

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    config = RobertaConfig(vocab_size=480, max_position_embeddings=130, type_vocab_size=1, **sizes)
    engine = TorchEngine(RobertaForQuestionAnswering(config).eval())
    assert not engine.takes_types
    together, _ = batches("bpe")
    wrong_types = WindowBatch(together.ids, np.ones_like(together.ids), together.mask, together.windows)
    assert engine.run(wrong_types).start.shape == together.ids.shape


def test_the_shipped_reader_reads_a_window_the_same_in_any_batch():
    reader = Reader.load(threads=1)
    texts = [CONTEXT[:size] for size in range(4, len(CONTEXT), 3)]
    windows = [reader.windower.windows(Example("q", "Who?", text))[0] for text in texts]
    assert {len(window) % 2 for window in windows} == {0, 1}
    for number in (2, 3, 7):
        batch = WindowBatch.of(windows[-number:], reader.tokenizer.pad_id)
        together = reader.engine.run(batch)
        for row, window in enumerate(batch.windows):
            single = reader.engine.run(WindowBatch.of([window], reader.tokenizer.pad_id))
            np.testing.assert_array_equal(together.start[row, : len(window)], single.start[0])
            np.testing.assert_array_equal(together.end[row, : len(window)], single.end[0])


@pytest.mark.torch
def test_torch_takes_no_broken_folder(tmp_path):
    from quoth.engines.torch import TorchEngine

    with pytest.raises(ReaderError, match="must hold a question-answering model, but cannot be loaded"):
        TorchEngine.load(tmp_path)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(TINY / "wordpiece" / name, tmp_path / name)
    whole = (tmp_path / "model.safetensors").read_bytes()
    for broken in (b"cut short", whole[:-100]):
        (tmp_path / "model.safetensors").write_bytes(broken)
        with pytest.raises(ReaderError, match="must hold a question-answering model, but cannot be loaded"):
            TorchEngine.load(tmp_path)


@pytest.mark.torch
def test_torch_takes_no_encoder_for_a_reader(tmp_path):
    from transformers import BertConfig, BertModel

    from quoth.engines.torch import TorchEngine, quietly

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    with quietly():
        BertModel(BertConfig(vocab_size=420, **sizes)).save_pretrained(tmp_path)
    with pytest.raises(ReaderError, match=r"but lacks qa_outputs\.bias, qa_outputs\.weight\. Train one with: quoth"):
        TorchEngine.load(tmp_path)
