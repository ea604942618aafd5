"""The inputs and outputs of a ``model.onnx``, for every engine that runs one, and the error of a network that fails."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from quoth.errors import ReaderError

# Input of the network -> field of the batch. A network may have a subset of these inputs.
FEEDS = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "type_ids"}
OUTPUTS = ("start_logits", "end_logits")


def check_network(model: Path, inputs: Collection[str], outputs: Collection[str]) -> dict[str, str]:
    """Return the field of a batch for each input of a network.

    Args:
        model: The file, for error messages.
        inputs: Names of the inputs.
        outputs: Names of the outputs.

    Raises:
        ReaderError: If the inputs are not ``input_ids, attention_mask[, token_type_ids]``, or ``start_logits`` or
            ``end_logits`` is missing from the outputs.
    """
    if not {"input_ids", "attention_mask"} <= set(inputs) <= set(FEEDS) or not set(OUTPUTS) <= set(outputs):
        raise ReaderError(
            f"{model}: must have the inputs {', '.join(FEEDS)} and the outputs start_logits and end_logits, but has "
            f"{', '.join(sorted(inputs))} and {', '.join(sorted(outputs))}"
        )
    return {name: FEEDS[name] for name in inputs}


def cannot_run(model: Path | str, shape: tuple[int, ...], error: Exception) -> ReaderError:
    """Return the error for a network that fails on a batch of ``shape`` (windows, tokens); ``model`` is its name."""
    rows, tokens = shape
    return ReaderError(
        f"{model}: cannot run {rows} windows of {tokens} tokens: {error}. "
        "Check that the window length and the token ids are within the limits of the network, and that the batch fits "
        "into memory."
    )
