"""A network of torch as one ONNX file, and the proof that both say the same."""

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

# Largest difference of a logit that counts as the same network, in float32.
PARITY = 1e-3


class _Logits(torch.nn.Module):
    """A question-answering model that returns its two logits and nothing else."""

    def __init__(self, model: Any, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.inputs = inputs

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        output = self.model(**dict(zip(self.inputs, tensors, strict=True)))
        return output.start_logits, output.end_logits


def write_onnx(engine: TorchEngine, file: Path) -> None:
    """Write the network of an engine as one ONNX file, batch and tokens free.

    Args:
        engine: Its model is put into evaluation mode: dropout must not be exported; and its attention into plain
            products and softmax, which engines know to join (torch's own guards against rows without a token, which
            no window is).
        file: Where to write; weights stand inside, not beside it.

    Raises:
        ExportError: If torch cannot export the network.
    """
    inputs = ("input_ids", "attention_mask", *(["token_type_ids"] if engine.takes_types else []))
    # Two rows of different numbers of tokens: a size of 1, or equal sizes, would be taken for fixed.
    ids = torch.ones((2, 12), dtype=torch.int64)
    arguments = (ids, torch.ones_like(ids), torch.zeros_like(ids))[: len(inputs)]
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    engine.model.set_attn_implementation("eager")
    with warnings.catch_warnings():
        # torch warns of its own deprecated internals, which a user can do nothing about.
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
            # The first line of the cause says what; the rest is advice to those who write networks.
            reason = str(error.__cause__ or error).partition("\n")[0]
            raise ExportError(f"torch cannot export this network: {reason}") from error
    model = onnx.load(file)
    forget_origin(model)
    onnx.save(model, file)


def forget_origin(model: onnx.ModelProto) -> None:
    """Take out what torch notes of each node: stack traces, with the paths of the machine that exported it."""
    for item in (model, model.graph, *model.graph.node, *model.graph.initializer, *model.graph.value_info):
        del item.metadata_props[:]
        item.doc_string = ""


def largest_difference(one: Engine, other: Engine, *, vocabulary: int, max_tokens: int) -> float:
    """Return the largest difference of any logit between two engines, over random batches with padding.

    Args:
        one: The engine to compare with.
        other: The engine to compare.
        vocabulary: Number of token ids.
        max_tokens: The longest window.
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
