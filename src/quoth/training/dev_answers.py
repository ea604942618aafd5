"""Answers the dev questions with a model in training; each process answers its share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from quoth.engines.precisions import FROM_ACCELERATE
from quoth.engines.torch import TorchEngine
from quoth.reader import Reader
from quoth.reading import Tokenizer
from quoth.records import Example, Prediction
from quoth.store import ReaderSettings
from quoth.training.dev_loss import LossEngine


def answer_dev(
    model: Any,
    tokenizer: Tokenizer,
    settings: ReaderSettings,
    dev: Sequence[Example],
    accelerator: Accelerator,
    stopped: Callable[[], object],
) -> tuple[list[Prediction], float]:
    """Answer the dev questions.

    Args:
        model: The model, not wrapped, in evaluation mode.
        tokenizer: Its tokenizer.
        settings: Window sizes and decoding settings.
        dev: All labelled examples; each process answers every n-th of them.
        accelerator: The processes, and their precision.
        stopped: Called after each question; if the result is true, the remaining questions are not answered.

    Returns:
        The predictions of all processes, each with its best answer only, and the mean loss per window.
    """
    engine = TorchEngine(model, precision=FROM_ACCELERATE[accelerator.mixed_precision])
    losses = LossEngine(engine, tokenizer.pad_id, settings.max_tokens)
    reader = Reader(tokenizer, losses, settings)
    mine = dev[accelerator.process_index :: accelerator.num_processes]
    read = takewhile(lambda _: not stopped(), reader.answer_all(mine))
    predictions = gather_object([replace(each, answers=each.answers[:1]) for each in read])
    loss, windows = torch.tensor(gather_object([(losses.total, losses.windows)])).sum(dim=0).tolist()
    return predictions, loss / max(1, windows)
