"""ONNX Runtime on the CPU: the engine of the base install."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from quoth.engines.base import usable_cores
from quoth.errors import ReaderError
from quoth.reading import SpanLogits, WindowBatch

if TYPE_CHECKING:
    import onnxruntime

# Inputs of the network -> the field of a batch that feeds it. A network takes those that it has.
_FEEDS = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "type_ids"}


class OnnxEngine:
    """Runs a ``model.onnx``.

    The file takes ``input_ids, attention_mask[, token_type_ids]``, ``(B, T)`` int64, and gives
    ``start_logits, end_logits``, ``(B, T)`` float32.
    """

    name = "onnxruntime"

    def __init__(self, model: Path, *, precision: str = "float32", threads: int | None = None) -> None:
        """Load a model.

        Args:
            model: The file.
            precision: What the file computes in: the caller knows, and reports show it.
            threads: How many threads to use; all usable cores if ``None``.

        Raises:
            ReaderError: If the file cannot be loaded, or has other inputs or outputs.
        """
        import onnxruntime

        self.precision = precision
        self._model = model
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.log_severity_level = 3
        try:
            self._session: onnxruntime.InferenceSession = onnxruntime.InferenceSession(
                str(model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ReaderError(f"{model}: must be an ONNX model, but cannot be loaded: {error}") from error
        inputs = {item.name for item in self._session.get_inputs()}
        outputs = {item.name for item in self._session.get_outputs()}
        if (
            not {"input_ids", "attention_mask"} <= inputs <= set(_FEEDS)
            or not {"start_logits", "end_logits"} <= outputs
        ):
            raise ReaderError(
                f"{model}: must take {', '.join(_FEEDS)} and give start_logits and end_logits, but takes "
                f"{', '.join(sorted(inputs))} and gives {', '.join(sorted(outputs))}"
            )
        self._feeds = {name: _FEEDS[name] for name in inputs}

    def run(self, batch: WindowBatch) -> SpanLogits:
        """Compute the logits of one batch.

        Raises:
            ReaderError: If the network fails, as it does on a window longer than it was made for.
        """
        feeds = {name: getattr(batch, field) for name, field in self._feeds.items()}
        odd = batch.ids.shape[1] % 2
        if odd and self.precision == "int8":
            # MatMulNBits reads two rows at once, and a last one alone by another kernel, which rounds otherwise: a
            # window of an odd length would be read differently alone and in a batch. One token of padding prevents it.
            feeds = {name: np.pad(array, ((0, 0), (0, 1))) for name, array in feeds.items()}
        try:
            start, end = cast("list[NDArray[np.float32]]", self._session.run(["start_logits", "end_logits"], feeds))
        except Exception as error:
            rows, tokens = batch.ids.shape
            raise ReaderError(
                f"{self._model}: must read {rows} windows of {tokens} tokens, but failed: {error}. "
                "Are the windows longer, or the token ids larger, than the network was made for?"
            ) from error
        return SpanLogits(start[:, : batch.ids.shape[1]], end[:, : batch.ids.shape[1]])
