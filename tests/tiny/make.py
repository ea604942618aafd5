"""Make the tiny readers that the tests use: three kinds of tokenizer, each with a network of random weights.

    python tests/tiny/make.py

Needs torch, transformers, tokenizers, onnx and onnxscript (``pip install quoth[export]``). Seeds are fixed: with the
pinned versions, it always writes the same tokenizers and weights. The output is committed, so that tests need no torch
to have a reader.

| folder | tokenizer | pair | network, 128 tokens |
|---|---|---|---|
| wordpiece | WordPiece, BERT's, cased | ``[CLS] q [SEP] c [SEP]``, types 0 0 0 1 1 | BERT |
| bpe | byte-level BPE, blanks in the offsets | ``<s> q </s></s> c </s>``, no types | RoBERTa |
| unigram | Unigram, Metaspace | ``q <sep> c <sep> <cls>``, types 0 0 1 1 2 | BERT with three types |
| albert | the same | ``<cls> q <sep> c <sep>``, types 0 0 0 1 1 | ALBERT |

All except ``unigram`` also have their weights as safetensors, so that they can be compared with transformers.

The weights are random. Those of the head are scaled up, so that the logits differ from token to token.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn
from transformers import (
    AlbertConfig,
    AlbertForQuestionAnswering,
    BertConfig,
    BertForQuestionAnswering,
    RobertaConfig,
    RobertaForQuestionAnswering,
)

from quoth.engines.torch import TorchEngine
from quoth.exporting.graph import write_onnx

HERE = Path(__file__).parent
TOKENS = 128
TEXT = """
The lighthouse of Cabo Branco was built in 1972 at the easternmost point of the coast. Its lamp turns once every
twelve seconds, and its beam is seen from a distance of thirty kilometres. Who keeps the lamp? For many years the
keeper was Ana Ribeiro, who lived in the small white house beside the tower with two dogs and a parrot. In winter the
sea takes a metre of the cliff; therefore the road that led to the door was closed in 2008. The keeper's daughter,
Teresa, studied physics in Recife and came back to measure the light. How bright is it? She found that the lens, made
of French glass by Barbier, Bénard & Turenne, loses less than a tenth of what it is given. What does it cost to keep?
About 4,300 a month, of which the town pays half. When will it be repaired? The work was to begin in the spring of
2019, but nobody has started: the stones have to come by ship. Where do they come from? From a quarry near Natal, some
hundred and fifty kilometres to the north. Why is the tower triangular? The architect, Pedro Abrahão Dieb, wanted it
to look like a sisal plant. Which birds nest there? Terns and a pair of falcons. Whose idea was the garden?
Tomorrow the Atlântico is going to have a delicious team lunch! What did the Atlântico is going to have tomorrow?
Прохожий спросил: где маяк? Маяк стоит на берегу моря. 東京の灯台は海のそばにある。 المنارة على الساحل
""".strip().splitlines()


def wordpiece() -> Tokenizer:
    """Return a small tokenizer like BERT's cased one."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    splitter = pre_tokenizers.BertPreTokenizer()
    words = [word for line in TEXT for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(line))]
    # Not the library's trainer, here and below: what it makes differs a little from run to run.
    vocabulary = {piece: index for index, piece in enumerate([*special, *pieces(words, 420 - len(special), "##")])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def pieces(words: list[str], count: int, later: str = "") -> Counter[str]:
    """Return how often every character and the most frequent longer pieces occur.

    Args:
        words: The words.
        count: How many pieces to return.
        later: Stands before a piece that does not start its word.
    """
    found = Counter(
        (later if start else "") + word[start:end]
        for word in words
        for start in range(len(word))
        for end in range(start + 1, len(word) + 1)
    )
    single = sorted(piece for piece in found if len(piece.removeprefix(later)) == 1)
    longer = sorted(set(found) - set(single), key=lambda piece: (-found[piece] * len(piece), piece))
    return Counter({piece: found[piece] for piece in [*single, *longer][:count]})


def bpe() -> Tokenizer:
    """Return a small tokenizer like RoBERTa's; its offsets include the space before a word."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=False, add_prefix_space=False
    )
    return tokenizer


def unigram() -> Tokenizer:
    """Return a small tokenizer like XLNet's: CLS is at the end, with a separate token type."""
    special = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>"]
    splitter = pre_tokenizers.Metaspace()
    words = [word for line in TEXT for word, _ in splitter.pre_tokenize_str(line)]
    found = pieces(words, 263 - len(special))
    total = sum(found.values())
    # As the files of SentencePiece have it, the special tokens stand in the vocabulary too, with the best score of all.
    vocabulary = [*((name, 0.0) for name in special), *((name, math.log(n / total)) for name, n in found.items())]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <sep> <cls>:2", pair="$A <sep> $B:1 <sep>:1 <cls>:2", special_tokens=[("<sep>", 4), ("<cls>", 3)]
    )
    return tokenizer


def albert() -> Tokenizer:
    """Return a small tokenizer like ALBERT's."""
    tokenizer = unigram()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<cls> $A <sep>", pair="<cls> $A <sep> $B:1 <sep>:1", special_tokens=[("<sep>", 4), ("<cls>", 3)]
    )
    return tokenizer


def network(tokenizer: Tokenizer, kind: str) -> nn.Module:
    """Return a network of random weights that fits a tokenizer."""
    torch.manual_seed(2)
    sizes = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    if kind == "bpe":
        # RoBERTa counts positions from the one after the padding's id.
        positions = {"max_position_embeddings": TOKENS + 2, "type_vocab_size": 1, "pad_token_id": 1}
        model = RobertaForQuestionAnswering(RobertaConfig(**sizes, **positions))
    elif kind == "albert":
        positions = {"max_position_embeddings": TOKENS, "type_vocab_size": 2, "pad_token_id": 5}
        model = AlbertForQuestionAnswering(AlbertConfig(**sizes, **positions, embedding_size=16))
    else:
        types, pad = (3, 5) if kind == "unigram" else (2, 0)
        model = BertForQuestionAnswering(
            BertConfig(**sizes, max_position_embeddings=TOKENS, type_vocab_size=types, pad_token_id=pad)
        )
    with torch.no_grad():
        model.qa_outputs.weight *= 20
        for name, weights in model.named_parameters():
            if ".attention." in name and "norm" not in name.lower():
                # So that a token's logits depend on the others, and batches, masks and types matter.
                weights *= 10
    return model.eval()


def make(kind: str, tokenizer: Tokenizer, config: dict[str, object]) -> None:
    """Write the folder of one tiny reader."""
    folder = HERE / kind
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "model_max_length": TOKENS}, indent=2) + "\n")
    model = network(tokenizer, kind)
    write_onnx(TorchEngine(model), folder / "model.onnx")
    if kind != "unigram":
        model.save_pretrained(folder)


if __name__ == "__main__":
    make("wordpiece", wordpiece(), {"cls_token": "[CLS]", "pad_token": "[PAD]"})
    make("bpe", bpe(), {"cls_token": "<s>", "pad_token": "<pad>"})
    make("unigram", unigram(), {"cls_token": "<cls>", "pad_token": "<pad>"})
    make("albert", albert(), {"cls_token": "<cls>", "pad_token": "<pad>"})
