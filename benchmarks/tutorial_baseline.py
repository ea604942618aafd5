"""The baseline of two benchmarks: pre- and post-processing of the tutorial on which Quoth is based.

Everything that affects its speed is unchanged: windows padded to 384 tokens, Python loops over tokens and over 20 x 20
pairs, and a row of the data set read again for each window. One error is corrected: the answer of an example is
selected after the loop over its windows (cell 71 selects it inside). Needs ``datasets`` and ``transformers``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerFast

MAX_LENGTH = 384
STRIDE = 128
N_LARGEST = 20
MAX_ANSWER_LENGTH = 30


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load the ``tokenizer.json`` of a BERT vocabulary, as AutoTokenizer would from the hub."""
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    return PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **names)


def load_squad(file: Path, limit: int | None = None) -> Dataset:
    """Return the rows of a nested SQuAD file, with the columns of the hub's "squad"."""
    rows = [
        {
            "id": question["id"],
            "title": article["title"],
            "context": paragraph["context"],
            "question": question["question"],
            "answers": {
                "text": [answer["text"] for answer in question["answers"]],
                "answer_start": [answer["answer_start"] for answer in question["answers"]],
            },
        }
        for article in json.loads(file.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    return Dataset.from_list(rows[:limit])


def find_answer_token_idx(
    ctx_start: int, ctx_end: int, ans_start_char: int, ans_end_char: int, offset: list[tuple[int, int]]
) -> tuple[int, int]:
    """Cell 41: tokens that start and end exactly where the answer does; index 0 if there are none."""
    start_idx = end_idx = 0
    if offset[ctx_start][0] > ans_start_char or offset[ctx_end][1] < ans_end_char:
        return start_idx, end_idx
    i = ctx_start
    for start, end in offset[ctx_start:]:
        if start == ans_start_char:
            start_idx = i
        if end == ans_end_char:
            end_idx = i
            break
        i += 1
    return start_idx, end_idx


def tokenize_train(batch: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> Any:
    """Cell 45: windows of a batch of rows, with the positions of their answers."""
    inputs = tokenizer(
        [question.strip() for question in batch["question"]],
        batch["context"],
        max_length=MAX_LENGTH,
        truncation="only_second",
        stride=STRIDE,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding="max_length",
    )
    offset_mapping = inputs.pop("offset_mapping")
    orig_sample_idxs = inputs.pop("overflow_to_sample_mapping")
    start_idxs, end_idxs = [], []
    for i, offset in enumerate(offset_mapping):
        answer = batch["answers"][orig_sample_idxs[i]]
        ans_start_char = answer["answer_start"][0]
        ans_end_char = ans_start_char + len(answer["text"][0])
        sequence_ids = inputs.sequence_ids(i)
        ctx_start = sequence_ids.index(1)
        ctx_end = len(sequence_ids) - sequence_ids[::-1].index(1) - 1
        start_idx, end_idx = find_answer_token_idx(ctx_start, ctx_end, ans_start_char, ans_end_char, offset)
        start_idxs.append(start_idx)
        end_idxs.append(end_idx)
    inputs["start_positions"] = start_idxs
    inputs["end_positions"] = end_idxs
    return inputs


def tokenize_validation(batch: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> Any:
    """Cell 48: windows of a batch of rows, with their ids, and offsets that are ``None`` outside the context."""
    inputs = tokenizer(
        [question.strip() for question in batch["question"]],
        batch["context"],
        max_length=MAX_LENGTH,
        truncation="only_second",
        stride=STRIDE,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding="max_length",
    )
    orig_sample_idxs = inputs.pop("overflow_to_sample_mapping")
    sample_ids = []
    for i in range(len(inputs["input_ids"])):
        sample_ids.append(batch["id"][orig_sample_idxs[i]])
        sequence_ids = inputs.sequence_ids(i)
        offset = inputs["offset_mapping"][i]
        inputs["offset_mapping"][i] = [x if sequence_ids[j] == 1 else None for j, x in enumerate(offset)]
    inputs["sample_id"] = sample_ids
    return inputs


def decode(
    start_logits: np.ndarray, end_logits: np.ndarray, processed_dataset: Dataset, orig_dataset: Dataset
) -> list[tuple[str | None, float]]:
    """Cell 75, without its metric: the best answer of each example and its score, by a loop over 20 x 20 pairs."""
    sample_id2idxs: dict[str, list[int]] = {}
    for i, id_ in enumerate(processed_dataset["sample_id"]):
        sample_id2idxs.setdefault(id_, []).append(i)

    predicted = []
    for sample in orig_dataset:
        context = sample["context"]
        best_score = float("-inf")
        best_answer = None
        for idx in sample_id2idxs[sample["id"]]:
            start_logit = start_logits[idx]
            end_logit = end_logits[idx]
            offsets = processed_dataset[idx]["offset_mapping"]
            start_indices = (-start_logit).argsort()
            end_indices = (-end_logit).argsort()
            for start_idx in start_indices[:N_LARGEST]:
                for end_idx in end_indices[:N_LARGEST]:
                    if offsets[start_idx] is None or offsets[end_idx] is None:
                        continue
                    if end_idx < start_idx:
                        continue
                    if (end_idx - start_idx + 1) > MAX_ANSWER_LENGTH:
                        continue
                    score = start_logit[start_idx] + end_logit[end_idx]
                    if score > best_score:
                        best_score = score
                        first_ch = offsets[start_idx][0]
                        last_ch = offsets[end_idx][1]
                        best_answer = context[first_ch:last_ch]
        predicted.append((best_answer, float(best_score)))
    return predicted
