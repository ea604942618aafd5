"""Export of small models: parity with torch, the int8 gate, and atomic output."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quoth import Reader, evaluate
from quoth.engines.select import ENGINES, open_onnx
from quoth.errors import ConfigError, ExportError, OverlapWarning, ReaderError
from quoth.evaluation import compare, score
from quoth.reading import WindowBatch
from quoth.records import Gold
from quoth.store import ReaderFolder
from support import towns
from support.readers import TIPPED

# The tiny readers are gated on their own training data.
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::quoth.errors.OverlapWarning")]
TINY = Path(__file__).parent / "tiny"
OUTPUTS = ("start_logits", "end_logits")
# A few questions are enough for these tests.
INT8 = {"int8": True, "least_questions": 1}
_IDS = np.arange(2, 34).reshape(2, 16)
BATCH = WindowBatch(_IDS, np.zeros_like(_IDS), np.ones_like(_IDS), ())


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A tiny reader that answers well enough for a loss of F1 to be measurable."""
    from quoth.training import train

    folder = tmp_path_factory.mktemp("export")
    towns.base(folder / "base", TINY / "wordpiece", hidden=64)
    settings = {"base": str(folder / "base"), "max_tokens": 64, "overlap": 16, "precision": "float32", "threads": 1}
    train(
        towns.examples(64),
        out=folder / "run",
        epochs=30.0,
        batch_size=8,
        learning_rate=2e-3,
        tracking=False,
        **settings,
    )
    return folder / "run"


@pytest.fixture(scope="session")
def whole(trained, tmp_path_factory):
    """Its float32 export; torch takes seconds to trace even a tiny network."""
    from quoth import export

    return export(trained, tmp_path_factory.mktemp("whole") / "out")


@pytest.fixture(scope="session")
def small(trained, tmp_path_factory):
    """The same in int8."""
    from quoth import export

    return export(
        trained, tmp_path_factory.mktemp("small") / "out", gate_data=towns.examples(64), max_f1_drop=20.0, **INT8
    )


@pytest.mark.long
def test_onnx_and_torch_have_the_same_logits(trained, whole):
    assert 0 < whole.difference < 1e-3
    content = (whole.folder / "model.onnx").read_bytes()
    assert b"site-packages" not in content, "no paths of the machine that exported it"
    assert sorted(path.name for path in whole.folder.iterdir()) == [
        "README.md",
        "model.onnx",
        "quoth.json",
        "seen.npz",
        "tokenizer.json",
    ]
    examples = towns.examples(40, seed=9)
    torch_reader, onnx_reader = Reader.load(trained), Reader.load(whole.folder, precision="float32")
    assert (torch_reader.engine.name, onnx_reader.engine.name) == ("torch", "openvino")
    for one, other in zip(torch_reader.answer_all(examples), onnx_reader.answer_all(examples), strict=True):
        assert one.best.span == other.best.span
        assert one.best.score == pytest.approx(other.best.score, abs=1e-3)
        assert one.null_score == pytest.approx(other.null_score, abs=1e-3)


@pytest.mark.long
def test_int8_is_smaller_with_the_same_f1(whole, small):
    assert small.float_report.f1 > 60
    assert small.int8_report.f1 > small.float_report.f1 - 5.0
    # A little network has little to shrink: its rows are shorter than a block, its graph as long as any.
    assert small.size < 0.8 * whole.size
    reader = Reader.load(small.folder)
    assert evaluate(reader, towns.examples(64)).f1 == pytest.approx(small.int8_report.f1)
    manifest = json.loads((small.folder / "quoth.json").read_text())
    assert manifest["precision"] == "int8"
    low, high = manifest["scores"]["gate"]["f1_difference"]["interval"]
    assert low <= small.int8_report.f1 - small.float_report.f1 <= high
    assert manifest["scores"]["gate"]["f1"] == pytest.approx(small.int8_report.f1)
    assert manifest["trained_on"]["questions"] == 64


def test_int8_has_no_bias(tmp_path):
    """The mean rounding error of a product is added to its bias."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from quoth.exporting.quantize import quantize

    draw = np.random.default_rng(0)
    table = np.abs(draw.normal(size=(40, 16))).astype(np.float32)  # all of one sign, so that errors add up
    weights, bias = draw.normal(size=(16, 8)).astype(np.float32), np.zeros(8, np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("MatMul", ["embedded", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Gather", ["logits", "first"], ["start_logits"], axis=2),
        helper.make_node("Gather", ["logits", "second"], ["end_logits"], axis=2),
    ]
    shape = ["batch", "tokens"]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, shape) for n in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in OUTPUTS]
    constants = {"table": table, "weights": weights, "bias": bias, "first": np.array(0), "second": np.array(1)}
    graph = helper.make_graph(
        nodes, "net", inputs, outputs, [numpy_helper.from_array(value, name) for name, value in constants.items()]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "float.onnx")
    quantize(tmp_path / "float.onnx", tmp_path / "int8.onnx", [BATCH])
    exact, rounded = (
        open_onnx(tmp_path / f"{kind}.onnx", engine="onnxruntime").run(BATCH) for kind in ("float", "int8")
    )
    for one, other in ((exact.start, rounded.start), (exact.end, rounded.end)):
        assert np.abs(one - other).max() > 1e-3, "it is rounded"
        assert abs((one - other).mean()) < 1e-4


@pytest.mark.long
def test_int8_answers_do_not_depend_on_the_batch(small):
    reader, examples = Reader.load(small.folder), towns.examples(30)
    together = [prediction.best.score for prediction in reader.answer_all(examples)]
    alone = [reader.answer(example.question, example.context).best.score for example in examples]
    assert together == pytest.approx(alone, rel=0, abs=2 * TIPPED)


@pytest.mark.long
def test_int8_is_deterministic_and_both_engines_read_it(trained, small, tmp_path):
    from quoth import export

    again = export(trained, tmp_path / "again", gate_data=towns.examples(64), max_f1_drop=20.0, **INT8)
    one, other = (result.folder / "model.onnx" for result in (small, again))
    assert one.read_bytes() == other.read_bytes()
    logits = [open_onnx(one, engine=name, precision="float32", threads=1, int8=True).run(BATCH) for name in ENGINES]
    # One rounds to the nearest step and the other too, but their sums differ in the last bit, which may tip a step.
    assert np.abs(logits[0].start - logits[1].start).max() < 0.1 * np.ptp(logits[0].start)


@pytest.mark.long
def test_the_records_of_the_calibrations_are_kept(trained, tmp_path):
    from quoth import export

    copy = ReaderFolder.open(trained)
    records = {"calibration": {"questions": 3}, "corpus_calibration": {"questions": 4}}
    copy = copy.with_settings(copy.settings(), records, tmp_path / "copy")
    manifest = ReaderFolder.open(export(copy.path, tmp_path / "out").folder).manifest
    assert {name: manifest[name] for name in records} == records


@pytest.mark.long
def test_a_gate_on_training_data_causes_a_warning(trained, tmp_path):
    from quoth import export

    with pytest.warns(OverlapWarning, match=r"examples in memory: 64 of 64 questions are in examples in memory, which"):
        made = export(trained, tmp_path / "out", gate_data=towns.examples(64), max_f1_drop=20.0, **INT8)
    roles = [(each.role, each.data.questions) for each in ReaderFolder.open(made.folder).used]
    assert roles[0][0] == "training"
    assert roles[-1] == ("gating", 64)


def test_the_int8_gate_needs_enough_questions(tmp_path):
    from quoth import export

    with pytest.raises(ConfigError, match=r"at least 2,000 labelled questions, but has 64: .* Gate on another set"):
        export(TINY / "albert", tmp_path / "out", int8=True, gate_data=towns.examples(64))


@pytest.mark.long
def test_int8_that_fails_the_gate_leaves_no_files(tmp_path):
    """A channel with far larger activations than all others leaves no int8 steps for the others."""
    import torch
    from transformers import AutoModelForQuestionAnswering

    from quoth import export

    towns.base(tmp_path / "base", TINY / "wordpiece", hidden=64)
    network = AutoModelForQuestionAnswering.from_pretrained(tmp_path / "base")
    with torch.no_grad():
        network.bert.embeddings.LayerNorm.weight[0] = 1000.0
    network.save_pretrained(tmp_path / "base")
    asked = towns.examples(40)
    answers = [prediction.best for prediction in Reader.load(tmp_path / "base").answer_all(asked)]
    own = [replace(one, golds=(Gold(best.text, best.span.start),)) for one, best in zip(asked, answers, strict=True)]
    out = tmp_path / "new" / "out"
    with pytest.raises(ExportError, match=r"must lose at most 0\.1 F1 on the gate data, but may lose "):
        export(tmp_path / "base", out, gate_data=own, max_f1_drop=0.1, **INT8)
    assert list(out.parent.iterdir()) == []


def test_the_gate_uses_the_upper_bound_of_the_drop():
    """One of 50 questions is lost: 2 points of F1, but the loss on other questions may be higher."""
    from quoth.exporting.run import raise_if_worse

    asked = towns.examples(50)
    asked = [replace(example, title=f"article {number}") for number, example in enumerate(asked)]
    right = {example.id: example.golds[0].text for example in asked}
    gate = compare(score(asked, right), score(asked, right | {"q7": "nowhere"}))
    upper = max(-end for end in gate.f1.interval)
    assert -gate.f1.points == pytest.approx(2.0)
    assert upper > 3.0
    with pytest.raises(ExportError, match=rf"at most 3\.0 F1 .* may lose {upper:.2f}: from 100\.00 to 98\.00"):
        raise_if_worse(gate, 3.0)
    raise_if_worse(gate, upper)


@pytest.mark.parametrize("points", [float("nan"), -0.1])
def test_an_invalid_gate_is_wrong_use(tmp_path, points):
    from quoth import export

    with pytest.raises(ConfigError, match=f"--max-f1-drop must be a number of F1 points, 0 or more, but is {points:g}"):
        export(TINY / "albert", tmp_path / "out", gate_data=towns.examples(8), max_f1_drop=points, **INT8)


def test_gate_data_without_int8_is_wrong_use(tmp_path):
    from quoth import export

    with pytest.raises(ConfigError, match="--gate-data is only used with --int8"):
        export(TINY / "albert", tmp_path / "out", gate_data=towns.examples(8))


@pytest.mark.long
def test_another_network_fails_the_parity_check(trained, tmp_path):
    """The parity check can fail: two readers of different weights differ."""
    from quoth.engines.torch import TorchEngine
    from quoth.exporting.graph import PARITY, largest_difference

    towns.base(tmp_path / "other", TINY / "wordpiece", seed=3, hidden=64)
    one = TorchEngine.load(trained)
    from transformers import AutoModelForQuestionAnswering

    other = TorchEngine(AutoModelForQuestionAnswering.from_pretrained(tmp_path / "other").eval())
    sizes = {"vocabulary": one.model.config.vocab_size, "max_tokens": 64}
    assert largest_difference(one, one, **sizes) == 0
    assert largest_difference(one, other, **sizes) > PARITY


def test_the_parity_check_sees_every_token_of_the_vocabulary():
    from quoth.engines.torch import TorchEngine
    from quoth.exporting.graph import PARITY, largest_difference

    one, other = TorchEngine.load(TINY / "albert"), TorchEngine.load(TINY / "albert")
    other.model.get_input_embeddings().weight.data[1:] = 0.0
    sizes = {"vocabulary": one.model.config.vocab_size, "max_tokens": 64}
    assert largest_difference(one, other, **sizes) > PARITY


@pytest.mark.long
def test_logits_that_differ_too_much_fail_the_export(trained, tmp_path):
    from quoth.engines.torch import TorchEngine
    from quoth.exporting.run import _write_float
    from quoth.store import ReaderFolder

    # The logits of bfloat16 differ from those of the float32 file by more than the check allows.
    engine = TorchEngine.load(trained, precision="bfloat16")
    with pytest.raises(ExportError, match=r"logits of torch and ONNX must differ by at most 0\.001, but differ by"):
        _write_float(engine, ReaderFolder.open(trained).settings(), tmp_path / "model.onnx")


def test_wrong_use_is_reported(tmp_path):
    from quoth import export

    with pytest.raises(ConfigError, match="int8 needs labelled data for the F1 gate"):
        export(TINY / "albert", tmp_path / "out", int8=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="must be a new or empty folder"):
        export(TINY / "albert", tmp_path / "full")
    with pytest.raises(ReaderError, match="no such folder"):
        export(tmp_path / "none", tmp_path / "out")
    bare = tmp_path / "bare"  # what a reader without torch needs, and no more
    bare.mkdir()
    for name in ("model.onnx", "tokenizer.json", "config.json"):
        (bare / name).write_bytes((TINY / "bpe" / name).read_bytes())
    with pytest.raises(ReaderError, match=r"has been exported already: it contains only model\.onnx\. Use the"):
        export(bare, tmp_path / "out")
    (bare / "model.onnx").unlink()
    with pytest.raises(ReaderError, match="must be"):
        export(bare, tmp_path / "out")


@pytest.mark.long
def test_a_folder_saved_by_the_tutorial_loads_and_exports(tmp_path):
    """DistilBERT has no token types, and Trainer's save_model writes no quoth.json."""
    import torch
    from transformers import BertTokenizerFast, DistilBertConfig, DistilBertForQuestionAnswering

    from quoth import export

    torch.manual_seed(0)
    tokenizer = BertTokenizerFast(tokenizer_file=str(TINY / "wordpiece" / "tokenizer.json"))
    config = DistilBertConfig(
        vocab_size=len(tokenizer), dim=32, hidden_dim=64, n_layers=2, n_heads=2, max_position_embeddings=64
    )
    seed = tmp_path / "distilbert_bertqa"
    DistilBertForQuestionAnswering(config).save_pretrained(seed)
    tokenizer.save_pretrained(seed)
    reader = Reader.load(seed)
    assert reader.settings.max_tokens == 64, "no window is longer than the model's positions"
    first = reader.answer("Where does Ada live ?", "Ada lives in Rome .")
    exported = Reader.load(export(seed, tmp_path / "out").folder)
    second = exported.answer("Where does Ada live ?", "Ada lives in Rome .")
    assert second.best.span == first.best.span
    assert second.best.probability == pytest.approx(first.best.probability, abs=1e-4)


@pytest.mark.long
def test_a_reader_whose_layers_share_their_weights_is_exported_in_int8(tmp_path):
    """ALBERT applies the same layer repeatedly."""
    import onnx

    from quoth import export

    made = export(TINY / "albert", tmp_path / "out", gate_data=towns.examples(8), max_f1_drop=100, **INT8)
    graph = onnx.load(made.folder / "model.onnx").graph
    int8 = [tuple(item.dims) for item in graph.initializer if item.data_type == onnx.TensorProto.INT8]
    assert int8.count((16, 16)) == 5, "the way in, and the layer's attention once"
    small = Reader.load(made.folder, precision="float32", threads=1).engine.run(BATCH)
    whole = Reader.load(TINY / "albert", engine="torch", threads=1).engine.run(BATCH)
    assert 0 < np.abs(small.start - whole.start).max() < 0.1 * np.ptp(whole.start)


@pytest.mark.long
def test_the_command_prints_the_parity_and_the_gate(trained, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "quoth", "export", str(trained), "-o", str(tmp_path / "out"), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(done.stdout)
    assert 0 < document["largest_difference"] < 1e-3
    assert document["folder"] == str(tmp_path / "out")


def network(file, nodes, constants):
    """Write a network with given nodes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    tensors = [
        numpy_helper.from_array(value if name == "axes" else value.astype(np.float32), name)
        for name, value in constants.items()
    ]
    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "little",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in OUTPUTS],
        tensors,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), file)


@pytest.mark.parametrize(("largest", "rounded"), [(3, True), (100, False)])
def test_activations_are_quantized_if_the_noise_is_low(tmp_path, largest, rounded):
    import onnx
    from onnx import helper

    from quoth.exporting.quantize import quantize

    # One entry of each channel is far from the others, and no factor of a channel helps: those share few steps.
    random = np.random.default_rng(0)
    table = random.normal(size=(500, 16))
    np.fill_diagonal(table, largest)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("MatMul", ["embedded", "weights"], ["product"]),
        *(helper.make_node("ReduceSum", ["product", "axes"], [name], keepdims=0) for name in OUTPUTS),
    ]
    constants = {"table": table, "weights": random.normal(size=(16, 16)), "axes": np.array([-1])}
    network(tmp_path / "f.onnx", nodes, constants)
    ids = random.integers(0, 500, (8, 60))
    batch = WindowBatch(ids, np.zeros_like(ids), np.ones_like(ids), ())
    quantize(tmp_path / "f.onnx", tmp_path / "q.onnx", [batch])

    kinds = {node.op_type for node in onnx.load(tmp_path / "q.onnx").graph.node}
    assert "DequantizeLinear" in kinds
    assert ("QuantizeLinear" in kinds) == rounded


def test_the_range_of_activations_is_over_all_batches_without_padding(tmp_path):
    from onnx import helper

    from quoth.exporting.activations import activations

    random = np.random.default_rng(0)
    table = random.normal(size=(50, 8)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        *(helper.make_node("ReduceSum", ["embedded", "axes"], [name], keepdims=0) for name in OUTPUTS),
    ]
    network(tmp_path / "f.onnx", nodes, {"table": table, "axes": np.array([-1])})
    ids = random.integers(0, 50, (3, 4, 6))
    mask = np.ones_like(ids)
    mask[:, :, 4:] = 0
    batches = [WindowBatch(some, np.zeros_like(some), real, ()) for some, real in zip(ids, mask, strict=True)]
    found = activations(tmp_path / "f.onnx", ["embedded"], batches)["embedded"]
    values = table[ids[mask == 1]]
    assert np.array_equal(found.least, values.min(axis=0))
    assert np.array_equal(found.most, values.max(axis=0))
    assert len(found.rows) == len(values), "a sample of few tokens has all of them"


@pytest.mark.parametrize("largest", [3, 100])
def test_shared_constants_are_quantized_once(tmp_path, largest):
    import onnx
    from onnx import helper

    from quoth.exporting.quantize import quantize

    random = np.random.default_rng(0)
    table = random.normal(size=(500, 128))
    np.fill_diagonal(table, largest)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("Gather", ["table", "input_ids"], ["again"]),
        helper.make_node("MatMul", ["embedded", "weights"], ["first"]),
        helper.make_node("Add", ["first", "again"], ["between"]),
        helper.make_node("MatMul", ["between", "weights"], ["second"]),
        *(helper.make_node("ReduceSum", ["second", "axes"], [name], keepdims=0) for name in OUTPUTS),
    ]
    weights = random.normal(size=(128, 128)) / 8
    network(tmp_path / "f.onnx", nodes, {"table": table, "weights": weights, "axes": np.array([-1])})
    ids = random.integers(0, 500, (8, 60))
    batch = WindowBatch(ids, np.zeros_like(ids), np.ones_like(ids), ())
    quantize(tmp_path / "f.onnx", tmp_path / "q.onnx", [batch])

    graph = onnx.load(tmp_path / "q.onnx").graph
    large = sorted((item.data_type, tuple(item.dims)) for item in graph.initializer if np.prod(item.dims) > 1_000)
    assert large == [(onnx.TensorProto.INT8, (128, 128)), (onnx.TensorProto.INT8, (500, 128))]
    whole, small = (
        open_onnx(tmp_path / name, precision="float32", int8=True).run(batch) for name in ("f.onnx", "q.onnx")
    )
    assert 0 < np.abs(small.start - whole.start).max() < 0.05 * np.ptp(whole.start)
