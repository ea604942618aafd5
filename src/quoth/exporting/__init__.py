"""Export: torch -> ONNX -> int8, with a parity check and an F1 gate. Needs the extra [export]."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from quoth.errors import MissingExtraError

if TYPE_CHECKING:
    from quoth.exporting.run import ExportResult, export

__all__ = ["ExportResult", "export"]


def __getattr__(name: str) -> Any:
    # Imported lazily: the run imports torch and onnx.
    if name not in __all__:
        raise AttributeError(f"module 'quoth.exporting' has no attribute {name!r}")
    if any(find_spec(module) is None for module in ("torch", "transformers", "onnx", "onnxscript")):
        raise MissingExtraError("exporting", "export")
    from quoth.exporting import run

    return getattr(run, name)
