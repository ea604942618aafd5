"""The tiny readers of ``tests/tiny``, each loaded once."""

import json
import shutil
from functools import cache
from pathlib import Path

import pytest

from quoth.engines.openvino import OpenVinoEngine
from quoth.engines.select import processor
from quoth.reader import Reader
from quoth.reading import DecodeSettings, Tokenizer
from quoth.store import ReaderSettings

TINY = Path(__file__).parents[1] / "tiny"
KINDS = ("wordpiece", "bpe", "unigram")
# Maximum window length of their networks, in tokens.
TOKENS = 128
# By how much int8 logits may depend on the batch: not at all on CPUs where this was measured; on other CPUs, a sum may
# differ in its last bit, which may change a rounding (docs/decisions/0007-engines.md).
TIPPED = 0.0 if processor() == "avx512_bf16" else 0.3


@cache
def tiny_tokenizer(kind):
    return Tokenizer.load(TINY / kind)


@cache
def tiny_engine(kind):
    return OpenVinoEngine(TINY / kind / "model.onnx", threads=1)


def tiny_reader(kind, max_tokens=48, overlap=16, **decode):
    settings = ReaderSettings(max_tokens, overlap, DecodeSettings(**decode))
    return Reader(tiny_tokenizer(kind), tiny_engine(kind), settings)


def tiny_folder(kind, folder, *names):
    """Copy the named files of a tiny reader to a folder; by default, all files except those of torch."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or ("tokenizer.json", "tokenizer_config.json", "model.onnx"):
        shutil.copy(TINY / kind / name, folder / name)
    return folder


# Layout of the weights in a folder -> the files that contain them.
LAYOUTS = {
    "one": ("model.onnx",),
    "sub-folder": ("onnx/model.onnx",),
    "data": ("model.onnx", "model.onnx_data"),
    "data in sub-folder": ("onnx/model.onnx", "onnx/weights"),
    "shards": (
        "model.safetensors.index.json",
        "model-00001-of-00003.safetensors",
        "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
    ),
    "old": ("pytorch_model.bin",),
}
_COPIED = ("one", "sub-folder")
# All layouts as test parameters; layouts that need an extra are marked.
EACH_LAYOUT = [name if name in _COPIED else pytest.param(name, marks=pytest.mark.torch) for name in LAYOUTS]


def tiny_layout(layout, folder):
    """Create a plain folder of a tiny reader with a given layout of the weights."""
    tiny_folder("wordpiece", folder, "tokenizer.json", "tokenizer_config.json", "config.json")
    source, names = TINY / "wordpiece", LAYOUTS[layout]
    (folder / names[0]).parent.mkdir(exist_ok=True)
    if layout in _COPIED:
        shutil.copy(source / "model.onnx", folder / names[0])
    elif names[0].endswith(".onnx"):
        import onnx

        location = Path(names[1]).name
        network = onnx.load(source / "model.onnx")
        onnx.save(network, folder / names[0], save_as_external_data=True, location=location, size_threshold=0)
    elif layout == "shards":
        from transformers import AutoModelForQuestionAnswering

        AutoModelForQuestionAnswering.from_pretrained(source).save_pretrained(folder, max_shard_size="20KB")
    else:
        import torch
        from safetensors.torch import load_file

        torch.save(load_file(source / "model.safetensors"), folder / names[0])
    return folder


def changeable_reader(folder):
    """Create a reader for :func:`change_weights`."""
    return tiny_layout(next(iter(LAYOUTS)), folder)


def change_weights(folder):
    """Put other weights into the folder of a reader, at once."""
    weights = folder / LAYOUTS[next(iter(LAYOUTS))][-1]
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    fresh = weights.with_name("fresh")
    fresh.write_bytes(content)
    fresh.replace(weights)


def tokenizer_document(kind):
    """Return the content of a ``tokenizer.json``, which the caller may change."""
    return json.loads((TINY / kind / "tokenizer.json").read_text(encoding="utf-8"))
