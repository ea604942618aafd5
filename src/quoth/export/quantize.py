"""Weights as int8: a fourth of the bytes, for an F1 that the gate watches.

Matrix products become ``MatMulNBits`` of ONNX Runtime: weights in blocks of 128 with a scale each, activations
quantised on the fly, again in blocks. So what a window answers does not depend on its neighbours in the batch, as it
does where one scale serves a whole activation tensor (``quantize_dynamic``), and nothing has to be calibrated.
Embedding tables get a scale a row. Everything else (norms, softmax, biases) stays in float32.
``docs/decisions/0003-int8.md`` has the figures of the ways not taken.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

_BLOCK = 128
# Level 4: activations in int8 too, where the processor has the instructions.
_INT8_ACTIVATIONS = 4
# A table below this size is not worth its two more nodes.
_LEAST_TABLE = 50_000


def quantize(source: Path, target: Path) -> None:
    """Write an int8 copy of a float32 ONNX file.

    Args:
        source: The float32 network.
        target: Where to write; the two may not be the same.
    """
    model = onnx.load(source)
    _quantize_tables(model)
    quantizer = _quantizer()(model, bits=8, block_size=_BLOCK, is_symmetric=True, accuracy_level=_INT8_ACTIVATIONS)
    quantizer.process()
    onnx.save(quantizer.model.model, target)


def _quantize_tables(model: onnx.ModelProto) -> None:
    """Turn each large ``Gather(table, ids)`` into ``Cast(Gather(int8, ids)) * Gather(scales, ids)``."""
    graph = model.graph
    tables = {item.name: item for item in graph.initializer}
    nodes = []
    for node in graph.node:
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or len(table.dims) != 2 or np.prod(table.dims) < _LEAST_TABLE:
            nodes.append(node)
            continue
        values = numpy_helper.to_array(table)
        scales = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12).astype(np.float32) / 127
        rounded = np.clip(np.round(values / scales), -127, 127).astype(np.int8)
        name, ids, out = table.name, node.input[1], node.output[0]
        graph.initializer.remove(table)
        graph.initializer.append(numpy_helper.from_array(rounded, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{name}_scale"))
        nodes += [
            helper.make_node("Gather", [f"{name}_int8", ids], [f"{out}_int8"], name=f"{node.name}_int8"),
            helper.make_node("Cast", [f"{out}_int8"], [f"{out}_float"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Gather", [f"{name}_scale", ids], [f"{out}_scale"], name=f"{node.name}_scale"),
            helper.make_node("Mul", [f"{out}_float", f"{out}_scale"], [out]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


def _quantizer() -> Any:
    """Import ONNX Runtime's quantizer, whose module turns on the logging of the whole process; turn it off again."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer, logger
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
    logger.setLevel(logging.WARNING)
    return MatMulNBitsQuantizer
