"""The tiny readers of ``tests/tiny``, each loaded once."""

import json
import shutil
from functools import cache
from pathlib import Path

from quoth.engines.openvino import OpenVinoEngine
from quoth.engines.select import processor
from quoth.reader import Reader
from quoth.reading import DecodeSettings, Tokenizer
from quoth.store import ReaderSettings

TINY = Path(__file__).parent / "tiny"
KINDS = ("wordpiece", "bpe", "unigram")
# The longest window that their networks take.
TOKENS = 128
# By how much the batch may change logits of int8: nothing where that was measured; on other processors a sum may differ
# in its last bit, which may tip a rounding (docs/decisions/0007-engines.md).
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
    """Copy the named files of a tiny reader into a folder; all but the torch ones if none is named."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or ("tokenizer.json", "tokenizer_config.json", "model.onnx"):
        shutil.copy(TINY / kind / name, folder / name)
    return folder


def tokenizer_document(kind):
    """Return a ``tokenizer.json``, to be changed."""
    return json.loads((TINY / kind / "tokenizer.json").read_text(encoding="utf-8"))
