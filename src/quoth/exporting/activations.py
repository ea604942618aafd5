"""Activation statistics of a network on real text: the range of each channel, and a random sample of rows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from quoth.engines.network import FEEDS
from quoth.engines.openvino import one_core
from quoth.reading import WindowBatch

Floats = NDArray[np.float32]

_ROWS = 2048  # approximate number of tokens in the sample


@dataclass(frozen=True, slots=True, eq=False)
class Activations:
    """Statistics of one activation over the tokens of the calibration windows, without padding.

    Attributes:
        least, most: Minimum and maximum of each channel, ``(K,)`` float32.
        rows: The values for a random sample of tokens, ``(about 2,048, K)`` float32.
    """

    least: Floats
    most: Floats
    rows: Floats


def activations(model: Path, names: Sequence[str], batches: Sequence[WindowBatch]) -> dict[str, Activations]:
    """Run a network and collect activation statistics. Deterministic.

    Args:
        model: The float32 network.
        names: Names of activations, each ``(B, T, K)``.
        batches: The calibration windows.

    Returns:
        The statistics of each activation, in the order of ``names``.
    """
    network = onnx.load(model)
    for name in names:
        network.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(network, Path(folder) / "model.onnx")
        compiled = one_core().compile_model(
            Path(folder) / "model.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
        )
    request = compiled.create_infer_request()
    inputs = [port.any_name for port in compiled.inputs]
    draw = np.random.default_rng(0)
    share = _ROWS / sum(int(batch.mask.sum()) for batch in batches)
    seen: dict[str, list[Activations]] = {name: [] for name in names}
    for batch in batches:
        request.infer({name: getattr(batch, FEEDS[name]) for name in inputs})
        real = batch.mask == 1
        kept = draw.random(int(real.sum())) < share
        for name in names:
            rows = np.array(request.get_tensor(name).data, dtype=np.float32)[real]
            seen[name].append(Activations(rows.min(axis=0), rows.max(axis=0), rows[kept]))
    return {
        name: Activations(
            np.min([part.least for part in parts], axis=0),
            np.max([part.most for part in parts], axis=0),
            np.concatenate([part.rows for part in parts]),
        )
        for name, parts in seen.items()
    }
