"""Where OpenVINO's time goes: the engine's own counters for each layer, and the peak of the CPU's matrix products."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from quoth.engines.openvino import OpenVinoEngine, import_openvino, one_core
from quoth.engines.precisions import OPENVINO
from quoth.reading import SpanLogits, WindowBatch

# Rows and columns of the matrices whose product is measured: large enough for every cache level to be used well.
_SIZE = 2048
_ROUNDS = 4


class Layer(NamedTuple):
    """A kind of layer, as OpenVINO runs it.

    Attributes:
        kind: The type of the operation, such as "FullyConnected".
        kernel: The code that runs it, with its precision, such as "brgemm_avx512_I8".
    """

    kind: str
    kernel: str


class CountingEngine(OpenVinoEngine):
    """OpenVINO with its counters on, which costs a little time. Not thread-safe, and not cached.

    Attributes:
        seconds: Time in each kind of layer so far, all batches together, in seconds.
    """

    def __init__(self, model: Path, *, precision: str, threads: int | None = None, int8: bool = True) -> None:
        """Load a model, as :class:`OpenVinoEngine`."""
        super().__init__(model, precision=precision, threads=threads, int8=int8, counters=True)
        self.seconds: Counter[Layer] = Counter()

    def run(self, batch: WindowBatch) -> SpanLogits:
        """Compute the logits of one batch, and add the times of its layers."""
        logits = super().run(batch)
        for node in self._idle[-1].get_profiling_info():
            self.seconds[Layer(node.node_type, node.exec_type)] += node.real_time.total_seconds()
        return logits


class Operations(NamedTuple):
    """Multiplications and additions in the matrix products of a network, for one window of T tokens.

    Attributes:
        per_token: In products with weights: this times T.
        per_pair: In products of activations (attention): this times T².
    """

    per_token: float
    per_pair: float

    @classmethod
    def of(cls, model: Path) -> Operations:
        """Count them in an ONNX file.

        Raises:
            RuntimeError: If OpenVINO cannot read it.
        """
        network = one_core().read_model(model)
        counts = []
        for tokens in (32, 64):
            network.reshape({port: [1, tokens] for port in network.inputs})
            products = (node for node in network.get_ops() if node.get_type_name() == "MatMul")
            counts.append(sum(map(_operations, products)))
        # Both numbers from two lengths: count = per_token * T + per_pair * T².
        per_pair = (counts[1] - 2 * counts[0]) / (64**2 - 2 * 32**2)
        return cls((counts[0] - per_pair * 32**2) / 32, per_pair)


def _operations(product: Any) -> float:
    inner = product.input_value(0).get_partial_shape().get_min_shape()
    transposed = product.get_attributes()["transpose_a"]
    return 2.0 * float(np.prod(list(product.output(0).get_shape()))) * int(inner[-2 if transposed else -1])


def measured_peak(precision: str, threads: int) -> float:
    """Return the fastest speed of a product of two matrices of 2,048 rows and columns in OpenVINO, in operations/s.

    Args:
        precision: "int8", "float32" or "bfloat16".
        threads: Number of threads.
    """
    openvino = import_openvino()
    from openvino import opset13 as ops

    random = np.random.default_rng(0)
    given = ops.parameter([_SIZE, _SIZE], np.float32)
    left, right = given, ops.constant(random.normal(size=(_SIZE, _SIZE)).astype(np.float32))
    if precision == "int8":
        ends = [np.float32(end) for end in (-4, 4, -4, 4)]
        left, right = ops.fake_quantize(left, *ends, 256), ops.fake_quantize(right, *ends, 255)
    network = openvino.Model([ops.matmul(left, right, False, True)], [given])
    hint = OPENVINO["float32" if precision == "int8" else precision]
    config = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    request = one_core().compile_model(network, "CPU", config).create_infer_request()
    values, fastest = random.normal(size=(_SIZE, _SIZE)).astype(np.float32), float("inf")
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        request.infer({0: values}, share_inputs=True)
        fastest = min(fastest, time.perf_counter() - begun)
    return 2 * _SIZE**3 / fastest
