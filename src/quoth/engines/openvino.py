"""OpenVINO on the CPU: the engine of the base install.

It reads the same ``model.onnx`` as ONNX Runtime, fuses each matrix product with the operations after it (bias, GELU,
quantization for the next one), and computes products in bfloat16 or int8 if the CPU supports it. Compilation takes a
third of a second, so compiled networks are cached in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import threading
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from quoth.engines.base import cpu_batch_tokens, usable_cores
from quoth.engines.float_products import with_float_products
from quoth.engines.network import FEEDS, OUTPUTS, cannot_run, check_network
from quoth.engines.precisions import OPENVINO, wrong_precision
from quoth.errors import ReaderError
from quoth.files import atomic_bytes, sha256
from quoth.reading import SpanLogits, WindowBatch

if TYPE_CHECKING:
    import openvino

# Number of compiled networks in the cache; the oldest are removed.
_KEPT = 8
_BERT_TOKENS = 512
_LOCK = threading.Lock()


class OpenVinoEngine:
    """Runs a ``model.onnx`` with OpenVINO; inputs and outputs as for :class:`quoth.engines.onnx.OnnxEngine`.

    It is thread-safe. Each batch uses all threads of the engine, or those of one stream.

    Attributes:
        streams: Number of batches that ``parallel`` computes at the same time.
    """

    name = "openvino"

    def __init__(
        self,
        model: Path,
        *,
        precision: str = "float32",
        threads: int | None = None,
        int8: bool = True,
        cache: Path | None = None,
        counters: bool = False,
        streams: int = 1,
        alone: bool = True,
    ) -> None:
        """Load a model.

        Args:
            model: The file.
            precision: Precision of operations that are not quantized: "float32" or "bfloat16".
            threads: Number of threads; all usable cores if ``None``.
            int8: Whether quantized products are computed in int8; otherwise, in ``precision``.
            cache: The folder of compiled networks; not cached if ``None``.
            counters: Whether to count the time of each layer.
            streams: Number of batches that ``parallel`` computes at the same time; they share the threads.
            alone: Whether each batch uses all threads; otherwise, this engine is its own ``parallel``.

        Raises:
            ReaderError: If the file cannot be loaded, has unexpected inputs or outputs, or the CPU does not support the
                precision.
        """
        self.precision = precision
        self._model = model
        core = one_core()
        _check_precision(core, precision)
        threads = 1 if _is_forked() else threads or usable_cores()
        self.streams = streams = min(streams, threads)
        self.batch_tokens = cpu_batch_tokens(threads if alone else threads // streams)
        # Loads the engine for several batches at the same time; None: it is this one.
        self._load_parallel = functools.partial(
            OpenVinoEngine,
            model, precision=precision, threads=threads, int8=int8, cache=cache, streams=streams, alone=False,
        ) if alone and streams > 1 else None  # fmt: skip
        config = {
            "INFERENCE_PRECISION_HINT": OPENVINO[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 0 if _is_forked() else 1 if alone else streams,
            "PERFORMANCE_HINT": "LATENCY",
            # Pinned threads compete with other threads on the same core while other cores may be idle.
            "ENABLE_CPU_PINNING": False,
            "PERF_COUNT": counters,
        }
        self._compile = functools.partial(_compile, core, model, config, cache, int8=int8)
        try:
            self._compiled, self._longest = self._compile()
        except (RuntimeError, OSError) as error:
            raise ReaderError(f"{model}: must be an ONNX model, but cannot be loaded: {error}") from error
        self._feeds = check_network(
            model, _names(self._compiled.inputs, FEEDS), _names(self._compiled.outputs, OUTPUTS)
        )
        self._idle: list[openvino.InferRequest] = []

    @functools.cached_property
    def parallel(self) -> OpenVinoEngine:
        """The engine for several batches at the same time; loaded, and its memory used, from the first use on.

        Raises:
            ReaderError: If the file cannot be loaded any more.
        """
        return self._load_parallel() if self._load_parallel else self

    def run(self, batch: WindowBatch) -> SpanLogits:
        """Compute the logits of one batch.

        Raises:
            ReaderError: If the network fails, or does not support windows of this length.
        """
        self._check_length(batch)
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            request.infer({name: getattr(batch, field) for name, field in self._feeds.items()}, share_inputs=True)
            # Copy: the next batch overwrites the memory of the request.
            start, end = (np.array(request.get_tensor(name).data, dtype=np.float32) for name in OUTPUTS)
        except RuntimeError as error:
            raise cannot_run(self._model, batch.ids.shape, error) from error
        if start.shape != batch.ids.shape:
            # A table of positions was too short in a way that the shapes do not show (RoBERTa); compile again, because
            # the compiled network is unusable now.
            (self._compiled, self._longest), self._idle = self._compile(), []
            raise cannot_run(self._model, batch.ids.shape, ValueError(f"it returned logits of shape {start.shape}"))
        self._idle.append(request)
        return SpanLogits(start, end)

    def _check_length(self, batch: WindowBatch) -> None:
        """Raise if windows are longer than the network's table of positions: OpenVINO would access invalid memory."""
        tokens = batch.ids.shape[1]
        if tokens <= self._longest:
            return
        try:
            _take(one_core().read_model(self._model), batch.ids.shape)
        except RuntimeError as error:
            raise cannot_run(self._model, batch.ids.shape, error) from error
        self._longest = tokens


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which would write an identifier into the user's home on import.

    OpenVINO works without its telemetry package, so the package is hidden during the import.
    """
    if "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        try:
            return importlib.import_module("openvino")
        finally:
            del sys.modules["openvino_telemetry"]
    return importlib.import_module("openvino")


def one_core() -> openvino.Core:
    """Return the only OpenVINO core of this process, which is never destroyed.

    A core's CPU plugin installs an alternate signal stack in the thread that created it, and restores the previous one
    when it is destroyed. If two cores are destroyed in the order of their creation, the second one restores a stack
    that the first one has freed, and the next signal that Python handles is a segmentation fault.
    """
    with _LOCK:  # functools.cache alone would let two threads each create a core
        _process_of_core()
        return _core()


@functools.cache
def _core() -> openvino.Core:
    return import_openvino().Core()


@functools.cache
def _process_of_core() -> int:
    """Return the id of the process that created the core: this one, or the one it was forked from."""
    return os.getpid()


def _is_forked() -> bool:
    """Return True if the core was created by a parent process.

    OpenVINO reuses the threads of a destroyed network for the next one with the same numbers of streams and threads,
    after it has limited these to the cores. In a forked process the threads of its parent do not exist, so it would
    wait for them forever. With 0 streams it has no threads, and the calling thread runs the network.
    """
    return _process_of_core() != os.getpid()


def _check_precision(core: openvino.Core, precision: str) -> None:
    if precision not in OPENVINO:
        raise ReaderError(f"openvino: {wrong_precision(precision, OPENVINO)}")
    if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ReaderError(
            "openvino: precision bfloat16 needs a CPU with native bfloat16, but this one has none. Use float32."
        )


def _names(ports: list[Any], known: Collection[str]) -> list[str]:
    """Return a name of each port: a known one if it has one.

    A port has several names if OpenVINO has removed the operation between two of them, such as an Identity.
    """
    return [min(port.get_names(), key=lambda name: (name not in known, name), default="") for port in ports]


def _compile(
    core: openvino.Core, model: Path, config: dict[str, Any], cache: Path | None, *, int8: bool
) -> tuple[openvino.CompiledModel, int]:
    """Compile a network, or load it from the cache.

    Returns:
        The compiled network, and a window length that it supports, in tokens.
    """
    key = _key(core, model, config["INFERENCE_PRECISION_HINT"], int8) if cache else ""
    for blob in cache.glob(f"{key}-*.blob") if cache else ():
        with contextlib.suppress(OSError, RuntimeError):  # damaged: compile again
            return core.import_model(blob.read_bytes(), "CPU", config), int(blob.stem.rpartition("-")[2])
    network = core.read_model(model)
    if not int8:
        with_float_products(network)
    compiled = core.compile_model(network, "CPU", config)
    longest = _longest(network)
    if cache:
        _keep(compiled, cache / f"{key}-{longest}.blob")
    return compiled, longest


def _keep(compiled: openvino.CompiledModel, blob: Path) -> None:
    """Cache a compiled network. If the cache cannot be written, the network is compiled again the next time."""
    with contextlib.suppress(OSError):
        blob.parent.mkdir(parents=True, exist_ok=True)
        with atomic_bytes(blob) as stream:
            stream.write(compiled.export_model().getbuffer())
        for old in sorted(blob.parent.glob("*.blob"), key=lambda file: -file.stat().st_mtime)[_KEPT:]:
            old.unlink()


def _longest(network: openvino.Model) -> int:
    """Return a window length that a network supports: 512 (as BERT) if it does, else the maximum."""
    least, most = 1, _BERT_TOKENS + 1
    while most - least > 1:
        # Try 512 first: few networks support less.
        tried = most - 1 if most > _BERT_TOKENS else (least + most) // 2
        try:
            _take(network, (1, tried))
        except RuntimeError:
            most = tried
        else:
            least = tried
    return least


def _take(network: openvino.Model, shape: tuple[int, ...]) -> None:
    """Reshape a network to batches of one shape ``(B, T)``; raises if it does not support the shape."""
    network.reshape({port: list(shape) for port in network.inputs})


def _key(core: openvino.Core, model: Path, hint: str, int8: bool) -> str:
    """Return the cache key of a compiled network: a hash of its file, precisions, OpenVINO's version and the CPU."""
    processor = [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    return sha256(repr([sha256(model), hint, int8, import_openvino().__version__, processor]).encode())[:32]
