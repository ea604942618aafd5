"""ONNX Runtime on the CPU. Needs the extra [onnxruntime]."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from quoth.engines.base import Sequential, cpu_batch_tokens, usable_cores
from quoth.engines.network import OUTPUTS, cannot_run, check_network
from quoth.engines.precisions import ONNXRUNTIME, wrong_precision
from quoth.errors import ReaderError
from quoth.reading import SpanLogits, WindowBatch

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime
    from numpy.typing import NDArray


class OnnxEngine(Sequential):
    """Runs a ``model.onnx`` with ONNX Runtime.

    Its inputs are ``input_ids, attention_mask[, token_type_ids]``, ``(B, T)`` int64; its outputs are
    ``start_logits, end_logits``, ``(B, T)`` float32.
    """

    name = "onnxruntime"

    def __init__(self, model: Path, *, precision: str = "float32", threads: int | None = None) -> None:
        """Load a model.

        Args:
            model: The file.
            precision: Precision of operations that are not quantized; this runtime supports only "float32".
            threads: Number of threads; all usable cores if ``None``.

        Raises:
            ReaderError: If the file cannot be loaded, or has unexpected inputs or outputs.
        """
        # Disable telemetry, which would write an identifier into the user's home. It must be set before the import.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        if precision not in ONNXRUNTIME:
            raise ReaderError(f"onnxruntime: {wrong_precision(precision, ONNXRUNTIME)}")
        self.precision = precision
        self._model = model
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        self.batch_tokens = cpu_batch_tokens(options.intra_op_num_threads)
        options.log_severity_level = 3
        try:
            self._session: onnxruntime.InferenceSession = onnxruntime.InferenceSession(
                str(model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ReaderError(f"{model}: must be an ONNX model, but cannot be loaded: {error}") from error
        self._feeds = check_network(
            model,
            [item.name for item in self._session.get_inputs()],
            [item.name for item in self._session.get_outputs()],
        )

    def run(self, batch: WindowBatch) -> SpanLogits:
        """Compute the logits of one batch.

        Raises:
            ReaderError: If the network fails, for instance on a window that is longer than it supports.
        """
        feeds = {name: getattr(batch, field) for name, field in self._feeds.items()}
        try:
            start, end = cast("list[NDArray[np.float32]]", self._session.run(list(OUTPUTS), feeds))
        except Exception as error:
            raise cannot_run(self._model, batch.ids.shape, error) from error
        return SpanLogits(start, end)
