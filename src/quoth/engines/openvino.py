"""OpenVINO on the CPU: the engine of the base install.

It reads the same ``model.onnx`` as ONNX Runtime, joins each matrix product with what follows it (bias, GELU, the
rounding to int8 of the next one), and takes the products in bfloat16 or int8 where the processor can.
Compiling takes a third of a second, so what was compiled is kept in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from quoth.engines.base import usable_cores
from quoth.engines.network import OUTPUTS, cannot_run, check_network
from quoth.engines.precisions import OPENVINO, wrong_precision
from quoth.errors import ReaderError
from quoth.files import sha256, whole_bytes
from quoth.reading import SpanLogits, WindowBatch

if TYPE_CHECKING:
    import openvino

# How many compiled networks are kept; the latest made.
_KEPT = 8
_BERT_TOKENS = 512
_ONE_AT_A_TIME = threading.Lock()


class OpenVinoEngine:
    """Runs a ``model.onnx``; what it must take and give is as for :class:`quoth.engines.onnx.OnnxEngine`.

    Several threads may use it at once; each batch is computed by all of its threads.
    """

    name = "openvino"

    def __init__(
        self, model: Path, *, precision: str = "float32", threads: int | None = None, cache: Path | None = None
    ) -> None:
        """Load a model.

        Args:
            model: The file.
            precision: What to compute in where the file leaves it open: "float32" or "bfloat16". Products of int8 stay
                int8.
            threads: How many threads to use; all usable cores if ``None``.
            cache: The folder of compiled networks; nothing is kept if ``None``.

        Raises:
            ReaderError: If the file cannot be loaded, has other inputs or outputs, or the processor cannot compute in
                this precision.
        """
        self.precision = precision
        self._model = model
        core = one_core()
        _check_precision(core, precision)
        config = {
            "INFERENCE_PRECISION_HINT": OPENVINO[precision],
            "INFERENCE_NUM_THREADS": 2 if _is_forked() else threads or usable_cores(),
            "NUM_STREAMS": 2 if _is_forked() else 1,
            "PERFORMANCE_HINT": "LATENCY",
            # Pinned threads fight for a core with whatever else is pinned to it, while another may be idle.
            "ENABLE_CPU_PINNING": False,
        }
        self._compile = functools.partial(_compile, core, model, config, cache)
        try:
            self._compiled, self._longest = self._compile()
        except (RuntimeError, OSError) as error:
            raise ReaderError(f"{model}: must be an ONNX model, but cannot be loaded: {error}") from error
        self._feeds = check_network(model, _names(self._compiled.inputs), _names(self._compiled.outputs))
        self._idle: list[openvino.InferRequest] = []

    def run(self, batch: WindowBatch) -> SpanLogits:
        """Compute the logits of one batch.

        Raises:
            ReaderError: If the network fails, or was made for shorter windows.
        """
        self._refuse_longer(batch)
        request = self._idle.pop() if self._idle else self._compiled.create_infer_request()
        try:
            request.infer({name: getattr(batch, field) for name, field in self._feeds.items()}, share_inputs=True)
            # Copies: the request's own memory is written over by the next batch.
            start, end = (np.array(request.get_tensor(name).data, dtype=np.float32) for name in OUTPUTS)
        except RuntimeError as error:
            raise cannot_run(self._model, batch.ids.shape, error) from error
        if start.shape != batch.ids.shape:
            # A table that shapes do not show was too short (RoBERTa's positions); what was compiled is unfit for use.
            (self._compiled, self._longest), self._idle = self._compile(), []
            raise cannot_run(self._model, batch.ids.shape, ValueError(f"it gave logits of shape {start.shape}"))
        self._idle.append(request)
        return SpanLogits(start, end)

    def _refuse_longer(self, batch: WindowBatch) -> None:
        """Raise where windows outgrow the network's table of positions: OpenVINO would write past its memory."""
        tokens = batch.ids.shape[1]
        if tokens <= self._longest:
            return
        try:
            _take(one_core().read_model(self._model), batch.ids.shape)
        except RuntimeError as error:
            raise cannot_run(self._model, batch.ids.shape, error) from error
        self._longest = tokens


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which writes an identifier into the user's home as it is imported.

    Where the package of the telemetry is not installed, OpenVINO does without; so it is hidden for that moment.
    """
    if "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        try:
            return importlib.import_module("openvino")
        finally:
            del sys.modules["openvino_telemetry"]
    return importlib.import_module("openvino")


def one_core() -> openvino.Core:
    """Return the process's one OpenVINO core, which is never given back.

    A core's CPU plugin gives the thread that made it a stack for signals, and puts back the one before when it ends. Of
    two that end in the order in which they came, the second puts back what the first has freed; the next signal that
    Python handles is then a segmentation fault.
    """
    with _ONE_AT_A_TIME:  # a cache alone lets two threads that are first each make one
        _process_of_core()
        return _core()


@functools.cache
def _core() -> openvino.Core:
    return import_openvino().Core()


@functools.cache
def _process_of_core() -> int:
    """Return the process that made the core: this one, or that from which it was forked."""
    return os.getpid()


def _is_forked() -> bool:
    """Tell whether the core is that of a parent process.

    OpenVINO keeps the threads of a network that is gone for the next one of the same streams and threads, and in a
    forked process waits for ever for these, which it has not. So networks have one stream, and two in forked processes.
    """
    return _process_of_core() != os.getpid()


def _check_precision(core: openvino.Core, precision: str) -> None:
    if precision not in OPENVINO:
        raise ReaderError(f"openvino: {wrong_precision(precision, OPENVINO)}")
    if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ReaderError(
            "openvino: precision bfloat16 needs a processor that has it, but this one has not. Use float32."
        )


def _names(ports: list[Any]) -> list[str]:
    return [next(iter(sorted(port.get_names())), "") for port in ports]


def _compile(
    core: openvino.Core, model: Path, config: dict[str, Any], cache: Path | None
) -> tuple[openvino.CompiledModel, int]:
    """Compile a network, or take what was compiled before; keep it whole or not at all.

    Returns:
        It, and a number of tokens that its windows may surely have.
    """
    key = _key(core, model, config["INFERENCE_PRECISION_HINT"]) if cache else ""
    for blob in cache.glob(f"{key}-*.blob") if cache else ():
        with contextlib.suppress(OSError, RuntimeError):  # it is damaged: it is made anew
            return core.import_model(blob.read_bytes(), "CPU", config), int(blob.stem.rpartition("-")[2])
    network = core.read_model(model)
    compiled = core.compile_model(network, "CPU", config)
    longest = _longest(network)
    if cache:
        _keep(compiled, cache / f"{key}-{longest}.blob")
    return compiled, longest


def _keep(compiled: openvino.CompiledModel, blob: Path) -> None:
    """Write what was compiled, if that can be: a home that cannot be written to costs the time to compile, no more."""
    with contextlib.suppress(OSError):
        blob.parent.mkdir(parents=True, exist_ok=True)
        with whole_bytes(blob) as stream:
            stream.write(compiled.export_model().getbuffer())
        for old in sorted(blob.parent.glob("*.blob"), key=lambda file: -file.stat().st_mtime)[_KEPT:]:
            old.unlink()


def _longest(network: openvino.Model) -> int:
    """Return a number of tokens that a network takes: the most, or BERT's own where it takes those."""
    least, most = 1, _BERT_TOKENS + 1
    while most - least > 1:
        # BERT's own first; few networks take less.
        tried = most - 1 if most > _BERT_TOKENS else (least + most) // 2
        try:
            _take(network, (1, tried))
        except RuntimeError:
            most = tried
        else:
            least = tried
    return least


def _take(network: openvino.Model, shape: tuple[int, ...]) -> None:
    """Make a network one of batches ``(B, T)`` of one shape, which fails where its parts do not fit together then."""
    network.reshape({port: list(shape) for port in network.inputs})


def _key(core: openvino.Core, model: Path, hint: str) -> str:
    """Name a network as compiled: its bytes, what it computes in, OpenVINO's version and the processor."""
    processor = [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    return sha256(repr([sha256(model), hint, import_openvino().__version__, processor]).encode())[:32]
