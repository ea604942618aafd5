"""Readers on the hub, from its cache, offline: folders have exactly the layout of the cache."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Inner, pre_tokenizers, processors

from quoth.errors import MissingExtraError, ReaderError, TokenizerError
from quoth.reader import Reader
from quoth.reading import Tokenizer, lost_letters
from quoth.store import ReaderFolder, find_folder
from quoth.store.hub import hub_folder, is_hub_name, wanted_files
from support.readers import KINDS, TINY, tiny_reader, tiny_tokenizer

NAME = "keepers/lamp-squad"
FIRST, SECOND = "a" * 40, "b" * 40
QUESTION, CONTEXT = "Who keeps the lamp?", "The keeper was Ana Ribeiro."


def cached(cache, name, kind="wordpiece", revision=FIRST, files=("tokenizer.json", "tokenizer_config.json"), **more):
    """Create a repository with the layout of the hub's cache; ``more`` are further files by name."""
    root = cache / f"models--{name.replace('/', '--')}"
    snapshot = root / "snapshots" / revision
    for number, (place, source) in enumerate([*((file, file) for file in files), *more.items()]):
        blob = root / "blobs" / f"{revision[:8]}{number}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TINY / kind / source, blob)
        link = snapshot / place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    refs = root / "refs"
    refs.mkdir(exist_ok=True)
    (refs / "main").write_text(revision)
    return snapshot


def process(code, home, **environment):
    """Run Python with a given home of the hub, offline; return its output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = kept | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"} | environment
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    return done.stdout.strip() + done.stderr.strip()


ASK = f"""
from quoth import Reader
reader = Reader.load({NAME!r}, precision='float32', REVISION)
print(reader.engine.name, reader.answer({QUESTION!r}, {CONTEXT!r}).answers[0])
"""


@pytest.mark.parametrize("place", ["model.onnx", pytest.param("onnx/model.onnx", marks=pytest.mark.long)])
def test_an_onnx_file_of_the_hub_is_used_without_torch(tmp_path, place):
    cached(tmp_path / "hub", NAME, **{place: "model.onnx"})
    code = ASK.replace(", REVISION", "") + "\nimport sys; print('torch' in sys.modules)"
    expected = tiny_reader("wordpiece", max_tokens=128, overlap=42).answer(QUESTION, CONTEXT).answers[0]
    assert process(code, tmp_path).splitlines() == [f"openvino {expected}", "False"]


def test_a_reader_on_the_hub_is_identified_by_its_files(tmp_path):
    snapshot = cached(tmp_path / "hub", NAME, **{"onnx/model.onnx": "model.onnx"})
    code = (
        "from quoth.serve.http.identity import ServedReader\n"
        f"for source in ({NAME!r}, {str(snapshot)!r}):\n"
        "    reader = ServedReader.load(source, precision='float32'); print(reader.name, reader.hash)"
    )
    (name, of_hub), (_, of_folder) = (line.split() for line in process(code, tmp_path).splitlines())
    assert (name, of_hub) == ("lamp-squad", of_folder)


def test_revisions_and_branches(tmp_path):
    first = cached(tmp_path, NAME, "bpe", FIRST, **{"model.onnx": "model.onnx"})
    second = cached(tmp_path, NAME, "wordpiece", SECOND, **{"model.onnx": "model.onnx"})
    (tmp_path / "models--keepers--lamp-squad" / "refs" / "old").write_text(FIRST)
    assert hub_folder(NAME, cache_dir=tmp_path) == second
    assert hub_folder(NAME, revision="old", cache_dir=tmp_path) == first
    assert hub_folder(NAME, revision=FIRST, cache_dir=tmp_path) == first
    with pytest.raises(ReaderError, match=r"keepers/lamp-squad at v9: must be .* not in the hub's cache"):
        hub_folder(NAME, revision="v9", cache_dir=tmp_path)


def test_an_unknown_hub_name(tmp_path):
    with pytest.raises(
        ReaderError, match=r"nobody/nothing: must be the folder of a reader, or the name of one on the hub"
    ):
        hub_folder("nobody/nothing", cache_dir=tmp_path)
    out = process(
        "import sys; from quoth.cli import main; main(['ask', 'Who?', '--text', 'x', '--reader', 'no/one'])", tmp_path
    )
    assert out.startswith("quoth: no/one: must be the folder of a reader, or the name of one on the hub, but")
    assert "Traceback" not in out


def test_valid_hub_names(tmp_path):
    assert is_hub_name("deepset/roberta-base-squad2")
    assert is_hub_name("distilbert-base-cased-distilled-squad")
    for path in ("/a/b", "./a", "../a/b", "a/b/c", "~/a", "a/", "", ".", "a b/c", str(tmp_path)):
        assert not is_hub_name(path), path
    assert not is_hub_name(Path("deepset/roberta-base-squad2"))
    assert find_folder(TINY / "wordpiece").path == TINY / "wordpiece"


ALL = ["model.onnx", "onnx/model.onnx", "model.safetensors", "pytorch_model.bin", "config.json", "tf_model.h5"]


@pytest.mark.parametrize(
    ("files", "weights"),
    [
        (ALL, "model.onnx"),
        (ALL[1:], "onnx/model.onnx"),
        (ALL[2:], "model.safetensors"),
        (["model.safetensors.index.json", "model-00001-of-00002.safetensors", *ALL[3:]], "model-*.safetensors"),
        (ALL[3:], "pytorch_model.bin"),
        (ALL[4:], None),
    ],
)
def test_only_the_best_weights_are_downloaded(files, weights):
    wanted = wanted_files(files)
    assert "config.json" in wanted
    assert "tokenizer*" in wanted
    heavy = [name for name in wanted if name.endswith((".onnx", ".bin", ".safetensors", ".h5"))]
    assert heavy == ([weights] if weights else [])


def test_a_folder_with_only_a_vocabulary(tmp_path):
    cached(tmp_path / "hub", NAME, files=("tokenizer_config.json", "config.json"), **{"model.onnx": "model.onnx"})
    folder = hub_folder(NAME, cache_dir=tmp_path / "hub")
    with pytest.raises(TokenizerError, match=r"must contain a tokenizer.json, but contains none.* quoth export"):
        Reader.load(folder)


def test_positions_reserved_for_padding_are_subtracted(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    for kind, padding, longest in [("bert", 0, 130), ("roberta", 1, 128), ("camembert", 1, 128), ("mpnet", 1, 128)]:
        config = {"model_type": kind, "max_position_embeddings": 130, "pad_token_id": padding}
        (tmp_path / "config.json").write_text(json.dumps(config))
        assert ReaderFolder.open(tmp_path).settings().max_tokens == longest
    assert ReaderFolder.open(tmp_path).settings(64).max_tokens == 64


@pytest.mark.parametrize("kind", [*KINDS, "albert"])
def test_correct_offsets_lose_no_letters(kind):
    assert lost_letters(tiny_tokenizer(kind)) == ()


def test_offsets_that_lose_a_letter_cause_a_warning(tmp_path):
    inner = Inner.from_file(str(TINY / "bpe" / "tokenizer.json"))
    # As some files on the hub have it: a blank is put before the text, and then cut off its first letter.
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, trim_offsets=True)
    inner.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    assert lost_letters(Tokenizer(inner)) == ("The",)
    shutil.copy(TINY / "bpe" / "model.onnx", tmp_path)
    inner.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 128}')
    with pytest.warns(UserWarning, match=r"offsets lose letters \(of 'The'\).* quoth export"):
        Reader.load(tmp_path)


def test_a_missing_torch_is_reported(tmp_path):
    cached(tmp_path / "hub", NAME, **{"config.json": "config.json", "model.safetensors": "model.safetensors"})
    missing = "import sys; sys.modules['torch'] = None; sys.modules['transformers'] = None\n"
    code = missing + (
        "from quoth import Reader, QuothError\n"
        f"try: Reader.load({NAME!r})\nexcept QuothError as error: print(type(error).__name__, error)"
    )
    out = process(code, tmp_path)
    assert out.startswith(MissingExtraError.__name__)
    assert "quoth export" in out
    assert "pip install 'quoth[torch]'" in out


@pytest.mark.torch
def test_old_checkpoints_are_loaded_without_running_code(tmp_path):
    import torch
    from safetensors.torch import load_file

    for file in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        shutil.copy(TINY / "wordpiece" / file, tmp_path)
    old = tmp_path / "pytorch_model.bin"
    torch.save(load_file(TINY / "wordpiece" / "model.safetensors"), old)
    reader = Reader.load(tmp_path)
    assert reader.engine.name == "torch"
    expected = tiny_reader("wordpiece", max_tokens=128, overlap=42).answer(QUESTION, CONTEXT).best
    found = reader.answer(QUESTION, CONTEXT).best
    assert (found.span, found.score) == (expected.span, pytest.approx(expected.score, abs=1e-4))

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weights": Evil()}, old)
    with pytest.raises(ReaderError, match=r"pytorch_model.bin: must contain only weights"):
        Reader.load(tmp_path)
    assert not (tmp_path / "ran").exists()
    old.write_bytes(b"nothing")
    with pytest.raises(ReaderError, match="or is damaged"):
        Reader.load(tmp_path)
    torch.save([1, 2], old)
    with pytest.raises(ReaderError, match="must be a dictionary of weights, but is list"):
        Reader.load(tmp_path)


def test_a_misspelt_folder_does_not_query_the_hub(tmp_path):
    (tmp_path / "runs" / "1").mkdir(parents=True)
    with contextlib.chdir(tmp_path):
        assert not is_hub_name("runs/2")  # its parent is there
    for path in ("runs/2", "out/checkpoint-500", "runs/run-3"):
        assert not is_hub_name(path)
        with pytest.raises(ReaderError, match="must be the folder of a reader, but there is no such folder"):
            Reader.load(path)
    for name in ("deepset/roberta-base-squad2", "distilbert-base-cased", "owner/model-2"):
        assert is_hub_name(name)
