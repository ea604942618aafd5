"""What every engine that runs a ``model.onnx`` must know of the file: what goes in, and what comes out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from quoth.errors import ReaderError

# Inputs of the network -> the field of a batch that feeds it. A network takes those that it has.
FEEDS = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "type_ids"}
OUTPUTS = ("start_logits", "end_logits")


def check_network(model: Path, inputs: Collection[str], outputs: Collection[str]) -> dict[str, str]:
    """Return which field of a batch feeds each input of a network.

    Args:
        model: The file, for the message.
        inputs: Names of what it takes.
        outputs: Names of what it gives.

    Raises:
        ReaderError: If it takes or gives something else than ``input_ids, attention_mask[, token_type_ids]`` and
            ``start_logits, end_logits``.
    """
    if not {"input_ids", "attention_mask"} <= set(inputs) <= set(FEEDS) or not set(OUTPUTS) <= set(outputs):
        raise ReaderError(
            f"{model}: must take {', '.join(FEEDS)} and give start_logits and end_logits, but takes "
            f"{', '.join(sorted(inputs))} and gives {', '.join(sorted(outputs))}"
        )
    return {name: FEEDS[name] for name in inputs}


def cannot_run(model: Path, shape: tuple[int, ...], error: Exception) -> ReaderError:
    """Return what to raise where a network fails on a batch, ``shape``: (windows, tokens)."""
    rows, tokens = shape
    return ReaderError(
        f"{model}: must read {rows} windows of {tokens} tokens, but failed: {error}. "
        "Are the windows longer, or the token ids larger, than the network was made for?"
    )
