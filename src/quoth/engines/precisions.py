"""The table of precisions, with the name that each runtime uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Precision:
    """A precision, with its names in other libraries.

    Attributes:
        name: The name in Quoth, which is also the name of the torch dtype.
        accelerate: The name in accelerate, as mixed precision.
        openvino: OpenVINO's hint; ``None`` if Quoth does not use it with OpenVINO.
        onnxruntime: Whether ONNX Runtime supports it on a CPU.
    """

    name: str
    accelerate: str
    openvino: str | None = None
    onnxruntime: bool = False


TABLE = (
    Precision("float32", "no", "f32", onnxruntime=True),
    Precision("bfloat16", "bf16", "bf16"),
    Precision("float16", "fp16"),
)
PRECISIONS = tuple(precision.name for precision in TABLE)
OPENVINO = {precision.name: precision.openvino for precision in TABLE if precision.openvino}
ONNXRUNTIME = tuple(precision.name for precision in TABLE if precision.onnxruntime)
TO_ACCELERATE = {precision.name: precision.accelerate for precision in TABLE}
FROM_ACCELERATE = {precision.accelerate: precision.name for precision in TABLE}


def runs_in(engine: str, precision: str) -> bool:
    """Return whether an engine supports a precision on at least some CPUs."""
    of_engine: dict[str, Iterable[str]] = {"openvino": OPENVINO, "onnxruntime": ONNXRUNTIME, "torch": PRECISIONS}
    return precision in of_engine[engine]


def wrong_precision(given: object, known: Iterable[str] = PRECISIONS, what: str = "precision") -> str:
    """Return the error message for an unsupported precision."""
    known = list(known)
    kinds = known[0] if len(known) == 1 else f"one of {', '.join(known)}"
    return f"{what} must be {kinds}, but is {given}"
