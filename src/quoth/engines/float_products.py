"""Computes an int8 network in float on CPUs that have no instructions for int8 products."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openvino

# The operations between the rounding of an activation and its dequantized value, which a Multiply ends.
_DEQUANTIZES = ("Convert", "Subtract", "Multiply")


def with_float_products(network: openvino.Model) -> None:
    """Change a network in place so that its activations are not rounded to int8, and its int8 weights are floats.

    Tables of which only rows are read (embeddings) stay int8. A network whose activations are not quantized stays as it
    is.

    Args:
        network: A network as read from an ONNX file with ``QuantizeLinear`` and ``DequantizeLinear``.
    """
    from openvino.passes import ConstantFolding, Manager

    rounded = [node for node in network.get_ordered_ops() if _rounds_an_activation(node)]
    for node in rounded:
        dequantized = _dequantized(node)
        if dequantized is not None:
            dequantized.output(0).replace(node.input_value(0))
    if rounded:
        passes = Manager()
        passes.register_pass(ConstantFolding())
        passes.run_passes(network)


def _rounds_an_activation(node: openvino.Node) -> bool:
    """Return True if a node rounds what the network computes, not a constant."""
    if node.get_type_name() != "FakeQuantize":
        return False
    kind: str = node.input_value(0).get_node().get_type_name()
    return kind != "Constant"


def _dequantized(node: openvino.Node) -> openvino.Node | None:
    """Return the node with the value that a node rounded, after its dequantization; ``None`` if there is none."""
    while True:
        readers = list(node.output(0).get_target_inputs())
        if len(readers) != 1 or readers[0].get_node().get_type_name() not in _DEQUANTIZES:
            return None
        node = readers[0].get_node()
        if node.get_type_name() == "Multiply":
            return node
