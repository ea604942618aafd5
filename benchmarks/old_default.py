"""The old pipeline's default network, distilbert-base-cased-distilled-squad, in shape only: with random weights."""

from __future__ import annotations

from pathlib import Path

# F1 on SQuAD v1.1 dev, as published (https://huggingface.co/distilbert/distilbert-base-cased-distilled-squad).
PUBLISHED_F1 = 86.9


def make(folder: Path, vocabulary: Path, reader: Path) -> None:
    """Save a network of 6 layers, 768 wide, in the layout of Hugging Face.

    Args:
        folder: Where to save it.
        vocabulary: Folder of the tokenizer of bert-base-cased, which the network has.
        reader: Folder whose tokenizer is used where there is no such folder: the texts have about as many tokens.
    """
    from transformers import BertTokenizerFast, DistilBertConfig, DistilBertForQuestionAnswering

    cased = (vocabulary / "tokenizer.json").exists()
    tokenizer = BertTokenizerFast(
        tokenizer_file=str((vocabulary if cased else reader) / "tokenizer.json"),
        do_lower_case=not cased,
        model_input_names=["input_ids", "attention_mask"],  # it has no types of tokens
    )
    network = DistilBertForQuestionAnswering(DistilBertConfig(vocab_size=len(tokenizer)))
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
