"""Creates ``tests/tiny/known``: a reader with known answers, for tests that must not depend on trained weights.

    python tests/tiny/make_known.py

Its network is a table: it quotes the first occurrence of "Tam Ferris", and abstains if the question contains "cost".
For other texts, the first word is the best answer. Its stored null threshold is 1.5.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from quoth.reading import DecodeSettings
from quoth.store import ReaderFolder, ReaderSettings

HERE = Path(__file__).parent / "known"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
# Contribution of a word: to the start logit, to the end logit, and to the null score wherever it occurs.
WORDS = {"tam": (9, 0, 0), "ferris": (0, 9, 0), "goose": (4, 3, 0), "glass": (3, 4, 0), "cost": (0, 0, 40)}
# Ties go to the first and shortest span.
LATER = -0.01


def tokenizer() -> Tokenizer:
    """Return a tokenizer of whole words; words that are not in the table are [UNK]."""
    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *WORDS])}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(SPECIAL)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def network() -> onnx.ModelProto:
    """Return the table as a network: a logit is what its token adds, less for later ones; [CLS] takes what all add."""
    tables = np.array([(0, 0, 0)] * len(SPECIAL) + list(WORDS.values()), np.float32)
    constants = {
        "starts": tables[:, 0],
        "ends": tables[:, 1],
        "nothing": tables[:, 2],
        "cls": np.array(SPECIAL.index("[CLS]"), np.int64),
        "later": np.array(LATER, np.float32),
        "axis": np.array(1, np.int64),
        "axes": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["attention_mask"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("CumSum", ["ones", "axis"], ["places"]),
        helper.make_node("Mul", ["places", "later"], ["later_ones"]),
        helper.make_node("Gather", ["nothing", "input_ids"], ["nothings"]),
        helper.make_node("ReduceSum", ["nothings", "axes"], ["null"], keepdims=1),
        helper.make_node("Equal", ["input_ids", "cls"], ["is_cls"]),
        helper.make_node("Cast", ["is_cls"], ["at_cls"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["at_cls", "null"], ["null_there"]),
        helper.make_node("Add", ["later_ones", "null_there"], ["rest"]),
    ]
    for side in ("start", "end"):
        nodes.append(helper.make_node("Gather", [f"{side}s", "input_ids"], [f"{side}_words"]))
        nodes.append(helper.make_node("Add", [f"{side}_words", "rest"], [f"{side}_logits"]))
    shape = ["rows", "tokens"]
    graph = helper.make_graph(
        nodes,
        "known",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info(f"{side}_logits", TensorProto.FLOAT, shape) for side in ("start", "end")],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def make() -> None:
    """Write the folder."""
    HERE.mkdir(exist_ok=True)
    tokenizer().save(str(HERE / "tokenizer.json"), pretty=False)
    (HERE / "tokenizer_config.json").write_text(json.dumps({"cls_token": "[CLS]", "pad_token": "[PAD]"}) + "\n")
    onnx.save(network(), HERE / "model.onnx")
    ReaderFolder(HERE).write_manifest(ReaderSettings(decode=DecodeSettings(null_threshold=1.5)), {})
    # A card would say of which data it knows; it knows none.
    (HERE / "README.md").unlink(missing_ok=True)


if __name__ == "__main__":
    make()
