"""Exports a torch network as one ONNX file, and measures how far the logits differ."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from quoth.engines import Engine
from quoth.engines.network import OUTPUTS
from quoth.engines.torch import TorchEngine
from quoth.errors import ExportError
from quoth.reading import WindowBatch

# Maximum absolute difference of a logit in the parity check, in float32.
PARITY = 1e-3


class _Logits(torch.nn.Module):
    """A question-answering model that returns only its start and end logits."""

    def __init__(self, model: Any, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.inputs = inputs

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        output = self.model(**dict(zip(self.inputs, tensors, strict=True)))
        return output.start_logits, output.end_logits


def write_onnx(engine: TorchEngine, file: Path) -> None:
    """Write the network of an engine as one ONNX file, with dynamic batch size and sequence length.

    Args:
        engine: The engine. Its model is switched to evaluation mode (no dropout) and to eager attention, whose plain
            products and softmax engines can fuse (torch's fused attention adds checks for fully masked rows, which
            windows never have).
        file: The file to write, with the weights inside.

    Raises:
        ExportError: If torch cannot export the network.
    """
    inputs = ("input_ids", "attention_mask", *(["token_type_ids"] if engine.takes_types else []))
    # Batch size 2 and length 12: torch.export would treat a size of 1, or equal sizes, as constant.
    ids = torch.ones((2, 12), dtype=torch.int64)
    arguments = (ids, torch.ones_like(ids), torch.zeros_like(ids))[: len(inputs)]
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    engine.model.set_attn_implementation("eager")
    with warnings.catch_warnings():
        # torch warns about its own deprecated internals, which the user cannot fix.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                _Logits(engine.model.eval(), inputs).eval(),
                arguments,
                str(file),
                input_names=list(inputs),
                output_names=list(OUTPUTS),
                dynamic_shapes=(tuple(free for _ in inputs),),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            # The first line of the cause is the reason; the rest is advice for authors of networks.
            reason = str(error.__cause__ or error).partition("\n")[0]
            raise ExportError(f"torch cannot export this network: {reason}") from error
    model = onnx.load(file)
    forget_origin(model)
    onnx.save(model, file)


def forget_origin(model: onnx.ModelProto) -> None:
    """Remove torch's metadata of each node: stack traces with paths of the machine that exported it."""
    for item in (model, model.graph, *model.graph.node, *model.graph.initializer, *model.graph.value_info):
        del item.metadata_props[:]
        item.doc_string = ""


def largest_difference(one: Engine, other: Engine, *, vocabulary: int, max_tokens: int) -> float:
    """Return the largest absolute difference of the logits of two engines on random batches with padding.

    Args:
        one: The reference engine.
        other: The engine to compare.
        vocabulary: Number of token ids.
        max_tokens: Maximum length of a window, in tokens.
    """
    random = np.random.default_rng(0)
    worst = 0.0
    for rows, tokens in ((1, 8), (3, 61), (2, max_tokens)):
        lengths = random.integers(tokens // 2, tokens + 1, rows)
        lengths[0] = tokens
        mask = (np.arange(tokens) < lengths[:, None]).astype(np.int64)
        ids = random.integers(0, vocabulary, (rows, tokens)) * mask
        half = ((np.arange(tokens) >= tokens // 3) * mask).astype(np.int64)
        batch = WindowBatch(ids, half, mask, ())
        first, second = one.run(batch), other.run(batch)
        real = mask == 1
        worst = max(
            worst,
            float(np.abs(first.start - second.start)[real].max()),
            float(np.abs(first.end - second.end)[real].max()),
        )
    return worst
