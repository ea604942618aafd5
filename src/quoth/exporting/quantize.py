"""Static int8 quantization: a quarter of the size and more than twice the speed; the export gate checks the F1.

Each matrix product with constant weights is computed in int8: weights with one scale per column, activations with one
static scale and zero point (``QuantizeLinear``, ``DequantizeLinear``, which every engine supports). The scales are
calibrated here on windows of real text, so the logits of a window do not depend on the other windows of its batch, and
no time is spent on computing scales at run time.

Some channels of a transformer's activations are a hundred times as large as others. So each channel is divided by a
factor, and the weights are multiplied by it ("smoothing"). The smoothing strength is chosen for each product to
minimize its error. The mean of the remaining error is added to the bias (bias correction). If the error of a product
is still too large, its activations stay in floating point. Embedding tables have one scale per row. Norms, softmax and
the products of attention stay in floating point. ``docs/decisions/0007-engines.md`` has the figures.

Source: Xiao et al. 2023, "SmoothQuant: accurate and efficient post-training quantization for large language models";
    bias correction: Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction",
    section 4.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from quoth.exporting.activations import Activations, activations
from quoth.reading import WindowBatch

Floats = NDArray[np.float32]

# Smoothing strengths: how much of the spread between channels moves from the activations to the weights, 0 to 1.
_STRENGTHS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
# Shares of the observed range that the int8 range covers; values outside are clipped.
_SHARES = (1.0, 0.9, 0.8)
# Maximum mean squared error of a product, relative to its mean square. In a MiniLM, only some of the 24 products (after
# the GELU) exceed it; their error is five to ten times as large as that of the others.
_MOST_NOISE = 5e-4
# Products with fewer columns, such as the one that computes the logits, take no time and are not quantized.
_LEAST_COLUMNS = 8
# Smaller embedding tables are not worth two additional nodes.
_LEAST_TABLE = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class _Rounding:
    """The quantization of one activation and the weights that it is multiplied with.

    Attributes:
        factors: Smoothing factor of each channel, ``(K,)``.
        scale, zero: Scale and zero point of the activation; the zero point is in [0, 255].
        weights, steps: The weights, ``(K, N)`` int8, and the scale of each column, ``(N,)``.
        correction: Bias correction: the mean error of each column, ``(N,)``.
        error: Mean squared error of the products, relative to their mean square.
    """

    factors: Floats
    scale: np.float32
    zero: np.uint8
    weights: NDArray[np.int8]
    steps: Floats
    correction: Floats
    error: float


def quantize(source: Path, target: Path, batches: Sequence[WindowBatch]) -> None:
    """Write an int8 copy of a float32 ONNX file. Deterministic.

    Args:
        source: The float32 network.
        target: The file to write; it must differ from the source.
        batches: Windows of real text, to calibrate the scales.
    """
    model = onnx.load(source)
    graph = model.graph
    constants = {item.name: item for item in graph.initializer}
    groups = _products(graph, constants)
    seen = activations(source, [name for products in groups for name in products], batches)
    before: dict[str, list[Any]] = {}  # the name of a node's output -> the nodes to put before it
    for products in groups:
        weights = [numpy_helper.to_array(constants[node.input[1]]) for node in next(iter(products.values()))]
        rounding = _best_rounding(_together([seen[name] for name in products]), np.concatenate(weights, axis=1))
        for name, nodes in products.items():
            if rounding.error > _MOST_NOISE:
                before[nodes[0].output[0]] = list(_put_weights(graph, constants, nodes))
                continue
            _correct_biases(graph, constants, nodes, rounding.correction)
            before[nodes[0].output[0]] = list(_put(graph, constants, name, nodes, rounding))
    _insert(graph, before)
    _quantize_tables(graph, constants)
    _drop_unused(graph)
    onnx.save(model, target)


def _products(graph: Any, constants: dict[str, Any]) -> list[dict[str, list[Any]]]:
    """Return the products with constant weights, grouped by weights; each group maps activations to products.

    A group has several activations if layers share their weights, as in ALBERT. Weights that appear in several groups
    cannot be quantized for all of them, so these products are skipped.
    """
    taken: dict[str, list[Any]] = {}
    for node in graph.node:
        if node.op_type == "MatMul" and _columns(constants.get(node.input[1])) >= _LEAST_COLUMNS:
            taken.setdefault(node.input[0], []).append(node)
    groups: dict[tuple[str, ...], dict[str, list[Any]]] = {}
    for name, nodes in taken.items():
        groups.setdefault(tuple(node.input[1] for node in nodes), {})[name] = nodes
    uses = Counter(chain.from_iterable(groups))
    return [products for weights, products in groups.items() if all(uses[name] == 1 for name in weights)]


def _together(seen: Sequence[Activations]) -> Activations:
    """Merge the statistics of several activations into one, with as many sample rows as one of them."""
    return Activations(
        np.min([one.least for one in seen], axis=0),
        np.max([one.most for one in seen], axis=0),
        np.concatenate([one.rows[:: len(seen)] for one in seen]),
    )


def _columns(constant: Any) -> int:
    return constant.dims[1] if constant is not None and len(constant.dims) == 2 else 0


def _best_rounding(seen: Activations, weights: Floats) -> _Rounding:
    """Return the quantization with the smallest error of the products; ``weights`` is ``(K, N)``."""
    wanted = seen.rows @ weights
    in_activations = np.maximum(np.maximum(-seen.least, seen.most), 1e-5)
    in_weights = np.maximum(np.abs(weights).max(axis=1), 1e-5)
    best: _Rounding | None = None
    for strength in _STRENGTHS:
        factors = (in_weights ** (1 - strength) / in_activations**strength).astype(np.float32)
        rounded, steps = _round_weights(weights / factors[:, None])
        restored = rounded * steps
        for share in _SHARES:
            low = share * min(0.0, float((seen.least * factors).min()))
            high = share * max(1e-6, float((seen.most * factors).max()))
            scale = np.float32((high - low) / 255)
            zero = np.uint8(np.clip(np.round(-low / scale), 0, 255))
            steps_taken = np.clip(np.round(seen.rows * factors / scale) + zero, 0, 255) - zero
            missing = wanted - (steps_taken * scale).astype(np.float32) @ restored
            error = float(np.square(missing).mean() / np.square(wanted).mean())
            if best is None or error < best.error:
                best = _Rounding(factors, scale, zero, rounded, steps, missing.mean(axis=0), error)
    assert best is not None
    return best


def _round_weights(weights: Floats, axis: int = 0) -> tuple[NDArray[np.int8], Floats]:
    """Return the weights as int8, and the scale of each column (``axis=0``) or row (``axis=1``)."""
    steps = (np.maximum(np.abs(weights).max(axis=axis, keepdims=True), 1e-12) / 127).astype(np.float32)
    return np.clip(np.round(weights / steps), -127, 127).astype(np.int8), steps if axis else steps[0]


def _put(graph: Any, constants: dict[str, Any], name: str, nodes: Sequence[Any], rounding: _Rounding) -> Iterator[Any]:
    """Connect products to quantized activations and weights; yield the nodes that quantize and dequantize them."""
    step = [f"{name}_scale", f"{name}_zero"]
    _add(graph, constants, f"{name}_factors", rounding.factors)
    _add(graph, constants, step[0], np.array(rounding.scale))
    _add(graph, constants, step[1], np.array(rounding.zero))
    yield helper.make_node("Mul", [name, f"{name}_factors"], [f"{name}_even"])
    yield helper.make_node("QuantizeLinear", [f"{name}_even", *step], [f"{name}_uint8"])
    yield helper.make_node("DequantizeLinear", [f"{name}_uint8", *step], [f"{name}_restored"])
    start = 0
    for node in nodes:
        columns = slice(start, start := start + _columns(constants[node.input[1]]))
        yield from _restore(graph, constants, node, rounding.weights[:, columns], rounding.steps[columns])
        node.input[0] = f"{name}_restored"


def _put_weights(graph: Any, constants: dict[str, Any], nodes: Sequence[Any]) -> Iterator[Any]:
    """Connect products to quantized weights, but float activations; yield the nodes that dequantize the weights."""
    for node in nodes:
        rounded, steps = _round_weights(numpy_helper.to_array(constants[node.input[1]]))
        yield from _restore(graph, constants, node, rounded, steps)


def _restore(
    graph: Any, constants: dict[str, Any], node: Any, rounded: NDArray[np.int8], steps: Floats
) -> Iterator[Any]:
    """Connect a product to quantized weights; yield the dequantizing node, unless an earlier layer already has it."""
    weights = node.input[1]
    parts = [f"{weights}_int8", f"{weights}_steps"]
    if parts[0] not in constants:
        _add(graph, constants, parts[0], rounded)
        _add(graph, constants, parts[1], steps)
        yield helper.make_node("DequantizeLinear", parts, [f"{weights}_restored"], axis=1)
    node.input[1] = f"{weights}_restored"


def _add(graph: Any, constants: dict[str, Any], name: str, value: Any) -> None:
    """Add a constant, unless it exists."""
    if name not in constants:
        constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        graph.initializer.append(constants[name])


def _correct_biases(graph: Any, constants: dict[str, Any], nodes: Sequence[Any], correction: Floats) -> None:
    """Add the bias correction to the bias of each product, if it has one that no other product uses."""
    start = 0
    for node in nodes:
        columns = slice(start, start := start + _columns(constants[node.input[1]]))
        takers = [other for other in graph.node if node.output[0] in other.input]
        if len(takers) != 1 or takers[0].op_type != "Add":
            continue
        for name in takers[0].input:
            if name in constants and sum(name in other.input for other in graph.node) == 1:
                bias = numpy_helper.to_array(constants[name]) + correction[columns]
                constants[name].CopyFrom(numpy_helper.from_array(bias.astype(np.float32), name))


def _insert(graph: Any, before: dict[str, list[Any]]) -> None:
    nodes = [new for node in graph.node for new in (*before.get(node.output[0], ()), node)]
    del graph.node[:]
    graph.node.extend(nodes)


def _quantize_tables(graph: Any, constants: dict[str, Any]) -> None:
    """Turn each large ``Gather(table, ids)`` into ``Cast(Gather(int8, ids)) * Gather(steps, ids)``."""
    before: dict[str, list[Any]] = {}
    for node in graph.node:
        table = constants.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or len(table.dims) != 2 or np.prod(table.dims) < _LEAST_TABLE:
            continue
        rounded, steps = _round_weights(numpy_helper.to_array(table), axis=1)
        name, ids, out = table.name, node.input[1], node.output[0]
        _add(graph, constants, f"{name}_rows", rounded)
        _add(graph, constants, f"{name}_row_steps", steps)
        before[out] = [
            helper.make_node("Gather", [f"{name}_rows", ids], [f"{out}_int8"]),
            helper.make_node("Cast", [f"{out}_int8"], [f"{out}_float"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Gather", [f"{name}_row_steps", ids], [f"{out}_steps"]),
        ]
        node.CopyFrom(helper.make_node("Mul", [f"{out}_float", f"{out}_steps"], [out]))
    _insert(graph, before)


def _drop_unused(graph: Any) -> None:
    """Remove constants that no node uses."""
    taken = {name for node in graph.node for name in node.input}
    kept = [item for item in graph.initializer if item.name in taken]
    del graph.initializer[:]
    graph.initializer.extend(kept)
