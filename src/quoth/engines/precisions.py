"""What an engine can compute in: one table, with each runtime's own name of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Precision:
    """A precision, and what others call it.

    Attributes:
        name: Its name here, which is also the name of torch's dtype.
        accelerate: What accelerate calls it, as mixed precision.
        openvino: OpenVINO's hint; ``None`` if Quoth does not run OpenVINO in it.
        onnxruntime: Whether ONNX Runtime computes in it on a processor.
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
    """Return whether an engine can compute in a precision, on some processor."""
    of_engine: dict[str, Iterable[str]] = {"openvino": OPENVINO, "onnxruntime": ONNXRUNTIME, "torch": PRECISIONS}
    return precision in of_engine[engine]


def wrong_precision(given: object, known: Iterable[str] = PRECISIONS, what: str = "precision") -> str:
    """Return the sentence that says which precisions there are."""
    known = list(known)
    kinds = known[0] if len(known) == 1 else f"one of {', '.join(known)}"
    return f"{what} must be {kinds}, but is {given}"
