"""Engines: logits that do not depend on the batch, clear errors, and the number of cores."""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quoth.engine_benchmark import EngineFigures, candidates, default_engine, measure_engines
from quoth.engines import usable_cores
from quoth.engines.openvino import OpenVinoEngine
from quoth.engines.select import (
    best_precision,
    cache_folder,
    checked_streams,
    computes_int8,
    installed,
    open_onnx,
    processor,
)
from quoth.errors import ConfigError, ReaderError
from quoth.reader import Reader
from quoth.reading import Tokenizer, WindowBatch, Windower
from quoth.records import Example
from quoth.store import shipped_folder
from support.readers import KINDS, TINY, TIPPED, tiny_engine, tiny_folder, tiny_tokenizer

ASKED = [Example("1", "Who keeps it?", "The keeper was Ana Ribeiro.")]
CONTEXT = "The lighthouse of Cabo Branco was built in 1972. Its lamp turns once every twelve seconds."


# ONNX Runtime is an extra.
each_engine = pytest.mark.parametrize("name", ["openvino", pytest.param("onnxruntime", marks=pytest.mark.torch)])


def batches(kind):
    """Return a batch of windows of different lengths, and a batch of each window alone."""
    cutter = Windower(tiny_tokenizer(kind), max_tokens=100, overlap=0)
    windows = [cutter.windows(Example("q", "Who?", CONTEXT[:size]))[0] for size in (5, 40, 88)]
    pad = tiny_tokenizer(kind).pad_id
    return WindowBatch.of(windows, pad), [WindowBatch.of([window], pad) for window in windows]


@pytest.mark.parametrize("kind", KINDS)
def test_padding_does_not_change_the_logits(kind):
    together, alone = batches(kind)
    logits = tiny_engine(kind).run(together)
    assert logits.start.shape == logits.end.shape == together.ids.shape
    assert logits.start.dtype == logits.end.dtype == np.float32
    for row, batch in enumerate(alone):
        single = tiny_engine(kind).run(batch)
        size = batch.ids.shape[1]
        assert logits.start[row, :size] == pytest.approx(single.start[0], abs=1e-4)
        assert logits.end[row, :size] == pytest.approx(single.end[0], abs=1e-4)
    # The logits of the fixtures differ; equal logits would prove nothing.
    assert np.ptp(logits.start[2]) > 1


def test_mask_and_types_reach_the_network():
    together, _ = batches("wordpiece")
    engine = tiny_engine("wordpiece")
    known = engine.run(together).start
    everything = WindowBatch(together.ids, together.type_ids, np.ones_like(together.mask), together.windows)
    one_type = WindowBatch(together.ids, np.zeros_like(together.type_ids), together.mask, together.windows)
    for other in (everything, one_type):
        assert np.abs(engine.run(other).start[0] - known[0]).max() > 1e-2


def test_the_repr_of_an_engine():
    assert (tiny_engine("bpe").name, tiny_engine("bpe").precision) == ("openvino", "float32")


@each_engine
def test_a_file_that_is_not_a_network_is_rejected(tmp_path, name):
    (tmp_path / "model.onnx").write_bytes(b"nothing of the kind")
    for file in ("model.onnx", "absent.onnx"):
        with pytest.raises(ReaderError, match=rf"{file}: must be an ONNX model, but cannot be loaded"):
            open_onnx(tmp_path / file, engine=name, cache=tmp_path)


@pytest.mark.parametrize(("known", "other"), [(b"start_logits", b"first_logits"), (b"input_ids", b"token_ids")])
def test_a_network_with_other_inputs_or_outputs_is_rejected(tmp_path, known, other):
    content = (TINY / "bpe" / "model.onnx").read_bytes()
    (tmp_path / "model.onnx").write_bytes(content.replace(known, other))
    with pytest.raises(ReaderError, match=rf"must have the inputs input_ids, .* but has .*{other.decode()}"):
        open_onnx(tmp_path / "model.onnx")


@each_engine
def test_windows_longer_than_the_network_supports_are_rejected(tmp_path, name):
    tokenizer = Tokenizer.load(tiny_folder("wordpiece", tmp_path, "tokenizer.json"))
    windows = Windower(tokenizer, max_tokens=200, overlap=0).windows(Example("q", "Who?", "the " * 190))
    file, cache = TINY / "wordpiece" / "model.onnx", tmp_path / "cache"
    for _ in range(2):  # as it is compiled, and as it was
        engine = open_onnx(file, engine=name, precision="float32", threads=1, cache=cache)
        with pytest.raises(ReaderError, match=r"model\.onnx: cannot run 1 windows of 19\d tokens"):
            engine.run(WindowBatch.of(windows, 0))
    together, _ = batches("wordpiece")
    assert engine.run(together).start == pytest.approx(tiny_engine("wordpiece").run(together).start, abs=1e-4)


def saved_network(file, *nodes):
    """Write a network of ``(operation, inputs, output)`` that computes floats from ids and mask."""
    import onnx
    from onnx import TensorProto, helper

    to_float = {"to": TensorProto.FLOAT}
    made = [
        helper.make_node(kind, given, [name], **(to_float if kind == "Cast" else {})) for kind, given, name in nodes
    ]
    values = [
        [helper.make_tensor_value_info(name, kind, ["b", "t"]) for name in names]
        for names, kind in (
            (("input_ids", "attention_mask"), TensorProto.INT64),
            (("start_logits", "end_logits"), TensorProto.FLOAT),
        )
    ]
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(helper.make_graph(made, "small", *values), opset_imports=opset), file)
    return file


@pytest.mark.torch
def test_windows_longer_than_512_tokens_are_read_if_the_network_supports_them(tmp_path):
    """The network has no positions: its logits are its inputs."""
    file = saved_network(
        tmp_path / "echo.onnx",
        ("Cast", ["input_ids"], "start_logits"),
        ("Cast", ["attention_mask"], "end_logits"),
    )
    ids = np.arange(1400).reshape(2, 700)
    found = OpenVinoEngine(file).run(WindowBatch(ids, np.zeros_like(ids), np.ones_like(ids), ()))
    assert np.array_equal(found.start, ids)


@pytest.mark.torch
@each_engine
def test_inputs_and_outputs_may_have_further_names(tmp_path, name):
    """OpenVINO removes an Identity, and gives both of its names to one input or output."""
    file = saved_network(
        tmp_path / "named.onnx",
        ("Identity", ["input_ids"], "/embeddings/ids"),
        ("Cast", ["/embeddings/ids"], "/ids"),
        ("Cast", ["attention_mask"], "/mask"),
        ("Add", ["/ids", "/mask"], "/qa/out"),
        ("Identity", ["/qa/out"], "start_logits"),
        ("Identity", ["/mask"], "end_logits"),
    )
    ids = np.arange(6).reshape(2, 3)
    batch = WindowBatch(ids, np.zeros_like(ids), np.ones_like(ids), ())
    for _ in range(2):  # compiled, then from the cache
        found = open_onnx(file, engine=name, precision="float32", threads=1, cache=tmp_path).run(batch)
        assert np.array_equal(found.start, ids + 1)
        assert np.array_equal(found.end, batch.mask)


def test_usable_cores_respect_the_control_group(tmp_path):
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
def test_torch_rejects_batches_that_the_network_does_not_support():
    from quoth.engines.torch import TorchEngine

    loaded = TorchEngine.load(TINY / "wordpiece")
    own = TorchEngine(type(loaded.model)(loaded.model.config).eval())
    own.model.name_or_path = ""
    too_long, unknown_id = np.ones((1, 200), np.int64), np.full((2, 8), 10**6)
    no_memory = np.lib.stride_tricks.as_strided(np.ones(1, np.int64), (2**40, 128), (0, 0))
    for engine, name in ((loaded, "wordpiece"), (own, "BertForQuestionAnswering")):
        for ids in (too_long, unknown_id, no_memory):
            size = f"{ids.shape[0]} windows of {ids.shape[1]} tokens"
            with pytest.raises(ReaderError, match=rf"{name}: cannot run {size}: .*\. Check that"):
                engine.run(WindowBatch(ids, ids, ids, ()))
    together, _ = batches("wordpiece")
    assert loaded.run(together).start.shape == together.ids.shape


@pytest.mark.torch
def test_torch_passes_no_types_to_a_network_with_one_token_type():
    from transformers import RobertaConfig, RobertaForQuestionAnswering

    from quoth.engines.torch import TorchEngine

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    config = RobertaConfig(vocab_size=480, max_position_embeddings=130, type_vocab_size=1, **sizes)
    engine = TorchEngine(RobertaForQuestionAnswering(config).eval())
    assert not engine.takes_types
    together, _ = batches("bpe")
    wrong_types = WindowBatch(together.ids, np.ones_like(together.ids), together.mask, together.windows)
    assert engine.run(wrong_types).start.shape == together.ids.shape


@each_engine
def test_engines_agree(name):
    together, _ = batches("wordpiece")
    engine = open_onnx(TINY / "wordpiece" / "model.onnx", engine=name, precision="float32", threads=1)
    assert (engine.name, engine.precision) == (name, "float32")
    found, expected, mask = engine.run(together), tiny_engine("wordpiece").run(together), together.mask == 1
    assert found.start[mask] == pytest.approx(expected.start[mask], abs=1e-4)
    assert found.end[mask] == pytest.approx(expected.end[mask], abs=1e-4)


@each_engine
def test_an_unsupported_precision_is_rejected(name):
    with pytest.raises(ReaderError, match=rf"{name}: precision must be .*float32.*, but is float16"):
        open_onnx(TINY / "bpe" / "model.onnx", engine=name, precision="float16")


def test_an_engine_is_thread_safe():
    _, alone = batches("wordpiece")
    engine = tiny_engine("wordpiece")
    expected = [engine.run(batch).start for batch in alone]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(engine.run, alone * 20))
    for place, logits in enumerate(found):
        np.testing.assert_array_equal(logits.start, expected[place % len(alone)])


def test_several_batches_at_the_same_time_have_the_same_logits():
    _, alone = batches("wordpiece")
    engine = open_onnx(TINY / "wordpiece" / "model.onnx", engine="openvino", precision="float32", threads=2)
    assert engine.streams == 2
    assert engine.parallel is engine.parallel is not engine
    assert engine.parallel.parallel is engine.parallel
    expected = [engine.run(batch) for batch in alone]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(engine.parallel.run, alone * 20))
    for place, logits in enumerate(found):
        np.testing.assert_array_equal(logits.start, expected[place % len(alone)].start)
        np.testing.assert_array_equal(logits.end, expected[place % len(alone)].end)


@pytest.mark.parametrize(("streams", "threads", "expected"), [(None, 3, 3), (None, 64, 16), (64, 64, 64), (1, 8, 1)])
def test_there_is_a_stream_for_each_thread_but_at_most_16_by_default(streams, threads, expected):
    assert checked_streams(streams, threads) == expected


@pytest.mark.parametrize("threads", [1, 2])
def test_one_stream_needs_no_second_network(threads):
    engine = open_onnx(TINY / "wordpiece" / "model.onnx", engine="openvino", threads=threads, streams=1)
    assert engine.streams == 1
    assert engine.parallel is engine


@pytest.mark.parametrize(
    ("name", "streams", "message"),
    [
        ("openvino", 3, "streams must be at most the number of threads, 2, but is 3"),
        ("openvino", 0, "streams must be at least 1, but is 0"),
        ("onnxruntime", 2, "streams must be 1 with engine onnxruntime, but is 2. Use engine openvino"),
    ],
)
def test_wrong_numbers_of_streams_are_rejected(name, streams, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        open_onnx(TINY / "wordpiece" / "model.onnx", engine=name, threads=2, streams=streams)


def test_compiled_networks_are_cached_and_recompiled_if_damaged(tmp_path):
    together, _ = batches("wordpiece")
    model, cache = TINY / "wordpiece" / "model.onnx", tmp_path / "cache"
    first = OpenVinoEngine(model, threads=1, cache=cache).run(together)
    [blob] = cache.iterdir()
    whole = blob.read_bytes()
    made = blob.stat().st_mtime_ns
    np.testing.assert_array_equal(OpenVinoEngine(model, threads=1, cache=cache).run(together).start, first.start)
    assert blob.stat().st_mtime_ns == made, "the second time it is read, not made"
    for damaged in (b"", whole[:100], whole[: len(whole) // 2]):
        blob.write_bytes(damaged)
        again = OpenVinoEngine(model, threads=1, cache=cache).run(together)
        np.testing.assert_array_equal(again.start, first.start)
        assert blob.read_bytes() != damaged
    assert len(list(cache.iterdir())) == 1
    other = OpenVinoEngine(TINY / "bpe" / "model.onnx", threads=1, cache=cache)
    assert len(list(cache.iterdir())) == 2, f"{other.name}: another network is another file"


def test_an_unwritable_cache_is_ignored(tmp_path):
    (tmp_path / "file").write_text("in the way")
    engine = OpenVinoEngine(TINY / "bpe" / "model.onnx", threads=1, cache=tmp_path / "file" / "cache")
    assert engine.run(batches("bpe")[0]).start.shape[0] == 3


@pytest.mark.skipif(sys.platform != "linux", reason="users are numbers on Linux")
def test_a_user_without_a_home_has_no_cache_folder():
    """A container's user is often a number without an entry in the list of users, and HOME need not be set."""
    code = "import os\nfrom quoth.engines.select import cache_folder\nos.setuid(10001)\nprint(cache_folder())"
    if os.getuid() != 0:
        code = code.replace("os.setuid(10001)", "os.getuid = lambda: 10001")
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "None\n"


def test_the_cache_folder_follows_the_conventions_of_the_system():
    assert cache_folder() == Path(os.environ["XDG_CACHE_HOME"]) / "quoth"


@pytest.mark.torch
def test_without_int8_products_an_int8_network_computes_as_with_float_weights(tmp_path):
    """The shipped network has int8 weights; its float copy is made here from these weights, without OpenVINO."""
    import onnx

    model = shipped_folder().onnx
    float_copy = tmp_path / "float.onnx"
    onnx.save(without_rounded_activations(onnx.load(model)), float_copy)
    windows = list(Reader.load(threads=1).windower.windows(Example("q", "Who?", "Ana Ribeiro kept the light. " * 30)))
    batch = WindowBatch.of(windows, 0, limit=384)
    expected = OpenVinoEngine(float_copy, threads=1).run(batch)
    found = OpenVinoEngine(model, threads=1, int8=False).run(batch)
    np.testing.assert_allclose(found.start, expected.start, rtol=0, atol=1e-4)
    rounded = OpenVinoEngine(model, threads=1).run(batch)
    assert np.abs(rounded.start - expected.start).max() > 0.01, "int8 rounds activations"


def without_rounded_activations(model):
    """Return a network whose int8 activations are replaced by the floats from which they were rounded."""
    constants = {item.name for item in model.graph.initializer}
    source = {node.output[0]: node for node in model.graph.node}
    given = {}
    for node in model.graph.node:
        before = source.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if before is not None and before.op_type == "QuantizeLinear" and before.input[0] not in constants:
            given[node.output[0]] = before.input[0]
    assert len(given) == 20
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = given.get(name, name)
    return model


def test_the_cache_distinguishes_int8_and_float_products(tmp_path):
    batch, _ = batches("wordpiece")
    for int8 in (True, False, True):
        OpenVinoEngine(TINY / "wordpiece" / "model.onnx", threads=1, int8=int8, cache=tmp_path).run(batch)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(("threads", "tokens"), [(1, 1_024), (2, 1_024), (7, 3_584), (64, 8_192)])
def test_the_size_of_a_batch_depends_on_the_threads(threads, tokens):
    assert OpenVinoEngine(TINY / "wordpiece" / "model.onnx", threads=threads).batch_tokens == tokens


@pytest.mark.parametrize(
    ("flags", "kind", "precision", "int8"),
    [
        ("fpu avx2 avx512_vnni avx512_bf16 amx_bf16 amx_tile amx_int8", "amx", "bfloat16", True),
        ("fpu avx2 avx512_vnni avx512_bf16", "avx512_bf16", "bfloat16", True),
        ("fpu avx2 avx512_vnni", "avx512_vnni", "float32", True),
        ("fpu avx2 avx_vnni", "avx_vnni", "float32", True),
        ("fpu avx2 avx512f", "avx2", "float32", False),
        ("fpu", "other", "float32", True),
    ],
)
def test_the_kind_of_cpu_is_detected(tmp_path, flags, kind, precision, int8):
    (tmp_path / "cpuinfo").write_text(
        f"processor\t: 0\nmodel name\t: avx512_bf16\nflags\t\t: {flags}\n\nprocessor\t: 1\n"
    )
    assert processor(tmp_path / "cpuinfo") == kind
    assert best_precision("openvino", kind) == precision
    assert computes_int8(kind) is int8
    assert best_precision("onnxruntime", kind) == "float32"


def test_an_unknown_cpu_is_of_the_kind_other(tmp_path):
    assert processor(tmp_path / "absent") == "other"
    (tmp_path / "cpuinfo").write_text("processor : 0\nFeatures : fp asimd bf16 i8mm\n")
    assert processor(tmp_path / "cpuinfo") == "other"


def test_signals_work_after_readers_were_destroyed():
    """With two OpenVINO plugins, the second one to be destroyed restored a signal stack that had been freed."""
    code = f"""
import signal
from pathlib import Path
from quoth.engines.openvino import OpenVinoEngine
seen = []
signal.signal(signal.SIGTERM, lambda *_: seen.append("SIGTERM"))
first, second = (OpenVinoEngine(Path({str(TINY / "bpe" / "model.onnx")!r})) for _ in range(2))
del first
del second
signal.raise_signal(signal.SIGTERM)
print(*seen)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "SIGTERM")


def test_concurrent_first_threads_share_one_core():
    code = """
from concurrent.futures import ThreadPoolExecutor
from quoth.engines.openvino import one_core
with ThreadPoolExecutor(8) as pool:
    print(len({id(core) for core in list(pool.map(lambda _: one_core(), range(8)))}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_an_unknown_engine_is_rejected():
    with pytest.raises(ConfigError, match="engine must be auto, openvino, onnxruntime or torch, but is tensorrt"):
        open_onnx(TINY / "bpe" / "model.onnx", engine="tensorrt")


def test_no_telemetry_is_sent(tmp_path):
    """An audit hook detects connections that Python opens; identifiers would be written to the home folder."""
    code = f"""
import sys
seen = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        seen.append((event, arguments))
sys.addaudithook(hook)
from pathlib import Path
from quoth.engines.select import installed, open_onnx
for name in installed():
    open_onnx(Path({str(TINY / "bpe" / "model.onnx")!r}), engine=name, cache=Path({str(tmp_path / "cache")!r}))
print(seen)
"""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "cache").mkdir()
    # In CI, the runtimes disable their telemetry themselves.
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment = {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"
    assert list(home.iterdir()) == [], "no consent, no identifier, nothing"


def test_logits_of_the_shipped_reader_do_not_depend_on_the_batch():
    reader = Reader.load(threads=1)
    limit = reader.settings.max_tokens
    texts = [CONTEXT[:size] for size in range(4, len(CONTEXT), 3)]
    windows = [reader.windower.windows(Example("q", "Who?", text))[0] for text in texts]
    assert {len(window) % 2 for window in windows} == {0, 1}
    for number in (2, 3, 7):
        batch = WindowBatch.of(windows[-number:], reader.tokenizer.pad_id, limit=limit)
        together = reader.engine.run(batch)
        for row, window in enumerate(batch.windows):
            single = reader.engine.run(WindowBatch.of([window], reader.tokenizer.pad_id, limit=limit))
            real = slice(len(window))
            np.testing.assert_allclose(together.start[row, real], single.start[0, real], rtol=0, atol=TIPPED)
            np.testing.assert_allclose(together.end[row, real], single.end[0, real], rtol=0, atol=TIPPED)


@pytest.mark.torch
def test_torch_rejects_a_broken_folder(tmp_path):
    from quoth.engines.torch import TorchEngine

    with pytest.raises(ReaderError, match="must be a question-answering model, but cannot be loaded"):
        TorchEngine.load(tmp_path)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(TINY / "wordpiece" / name, tmp_path / name)
    whole = (tmp_path / "model.safetensors").read_bytes()
    for broken in (b"cut short", whole[:-100]):
        (tmp_path / "model.safetensors").write_bytes(broken)
        with pytest.raises(ReaderError, match="must be a question-answering model, but cannot be loaded"):
            TorchEngine.load(tmp_path)


@pytest.mark.torch
def test_torch_rejects_an_encoder_without_a_head(tmp_path):
    from transformers import BertConfig, BertModel

    from quoth.engines.torch import TorchEngine, quietly

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    with quietly():
        BertModel(BertConfig(vocab_size=420, **sizes)).save_pretrained(tmp_path)
    with pytest.raises(ReaderError, match=r"but has no qa_outputs\.bias, qa_outputs\.weight\. Train one with: quoth"):
        TorchEngine.load(tmp_path)


@pytest.mark.torch
@pytest.mark.long
def test_the_command_measures_every_available_engine(tmp_path):
    folder = tiny_folder("wordpiece", tmp_path / "reader")
    words = ["engines", "--reader", folder, "--threads", 1, "--limit", 8, "--json"]
    done = subprocess.run([sys.executable, "-m", "quoth", *map(str, words)], capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert document["processor"] == processor()
    assert document["questions"] == 8
    rows = {(row["engine"], row["precision"]): row for row in document["engines"]}
    assert {("openvino", "float32"), ("openvino", "bfloat16"), ("onnxruntime", "float32")} <= set(rows)
    first = rows["openvino", "float32"]
    assert first["difference"] == 0
    assert rows["onnxruntime", "float32"]["difference"] < 1e-4
    for key in ("questions_per_second", "latency", "load_seconds", "memory"):
        assert first[key] > 0
    bfloat16 = rows["openvino", "bfloat16"]
    assert "bfloat16 needs a CPU" in bfloat16["problem"] if bfloat16["problem"] else bfloat16["difference"] > 0


def torch_folder(folder):
    """A reader that only torch can run, with its weights in an old checkpoint."""
    import torch
    from transformers import AutoModelForQuestionAnswering

    model = AutoModelForQuestionAnswering.from_pretrained(TINY / "wordpiece")
    tiny_folder("wordpiece", folder, "config.json", "tokenizer.json", "tokenizer_config.json")
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


@pytest.mark.torch
@pytest.mark.long
def test_a_reader_that_only_torch_can_run_is_measured_with_torch(tmp_path):
    folder = torch_folder(tmp_path / "reader")
    assert candidates(str(folder)) == [("torch", "float32"), ("torch", "bfloat16")]
    words = ["engines", "--reader", folder, "--threads", 1, "--limit", 2]
    done = subprocess.run([sys.executable, "-m", "quoth", *map(str, words)], capture_output=True, text=True, check=True)
    assert "torch   float32 " in done.stdout
    assert "Without --engine: torch float32." in done.stderr


def test_the_default_engine_is_the_best_available_one(tmp_path):
    folder = str(tiny_folder("wordpiece", tmp_path / "reader"))
    openvino, other = EngineFigures("openvino", best_precision("openvino")), EngineFigures("onnxruntime", "float32")
    broken = replace(openvino, problem="it does not run here")
    assert default_engine(folder, [openvino]) == openvino
    assert default_engine(folder, [broken]) is None
    if "onnxruntime" in installed():
        assert default_engine(folder, [other, openvino]) == openvino
        assert default_engine(folder, [broken, other]) == other


def test_a_reader_without_an_available_engine_is_an_error(tmp_path):
    folder = tiny_folder("wordpiece", tmp_path / "reader", "tokenizer.json", "tokenizer_config.json")
    with pytest.raises(ReaderError, match=r"must contain model\.onnx or model\.safetensors, but contains neither"):
        list(measure_engines(str(folder), ASKED))


@pytest.mark.parametrize("asked", [[], [replace(ASKED[0], context=" \n ")]])
def test_an_engine_is_not_measured_without_text(asked):
    with pytest.raises(ConfigError, match="--data must have at least one question with a text, but has none"):
        list(measure_engines(None, asked))


def test_a_blank_text_among_others_is_allowed(tmp_path):
    folder = str(tiny_folder("wordpiece", tmp_path / "reader"))
    asked = [replace(ASKED[0], context=" ")] * 40 + ASKED
    first = next(measure_engines(folder, asked, threads=1))
    assert (first.problem, first.difference) == (None, 0)


class Deadly:
    """Kills the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (3,)


def test_an_engine_whose_process_is_killed_is_reported(tmp_path):
    folder = str(tiny_folder("wordpiece", tmp_path / "reader"))
    rows = list(measure_engines(folder, ASKED, threads=Deadly()))
    assert len(rows) >= 2
    assert {row.problem for row in rows} == {"its process exited without an error message (out of memory?)"}


@pytest.mark.torch
def test_operations_are_counted_in_products_with_weights_and_of_activations(tmp_path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from quoth.engines.counters import Operations

    weights = {"table": np.ones((50, 16)), "weights": np.ones((16, 8))}
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("MatMul", ["embedded", "weights"], ["smaller"]),
        helper.make_node("Transpose", ["smaller"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["smaller", "turned"], ["pairs"]),
    ]
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])],
        [helper.make_tensor_value_info("pairs", TensorProto.FLOAT, ["batch", "tokens", "tokens"])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "model.onnx"
    )
    assert Operations.of(tmp_path / "model.onnx") == (2 * 16 * 8, 2 * 8)


@pytest.mark.long
def test_a_profile_shows_where_the_time_goes(quoth):
    words = ("engines", "--profile", "--reader", TINY / "wordpiece", "--limit", 20, "--threads", 1)
    status, out, err = quoth(*words, "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["questions"] == 20
    assert found["windows"] >= 20
    assert 0 <= found["padding"] < 0.5
    assert sum(layer["share"] for layer in found["layers"]) == pytest.approx(1)
    assert "FullyConnected" in {layer["kind"].removesuffix("Compressed") for layer in found["layers"]}
    assert all(layer["seconds"] > 0 for layer in found["layers"])
    assert {"int8", "float32"} <= found["peaks"].keys()
    assert 0 < found["products_per_second"] < 2 * max(found["peaks"].values())
    status, out, _ = quoth(*words)
    assert status == 0
    assert "matrix products: " in out
    assert f"20 questions, {found['windows']} windows" in out


def test_a_reader_without_an_onnx_file_cannot_be_profiled(quoth, tmp_path):
    folder = tiny_folder("wordpiece", tmp_path / "reader", "tokenizer.json", "config.json", "model.safetensors")
    status, _, err = quoth("engines", "--profile", "--reader", folder)
    assert (status, "must have a model.onnx to be profiled. Create it with: quoth export" in err) == (1, True)
