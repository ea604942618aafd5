"""Selects the engine for a ``model.onnx`` from a table of the fastest precision on each kind of CPU.

Nothing is measured at load time, so the same machine always uses the same engine. ``quoth engines`` runs measurements,
and ``docs/decisions/0007-engines.md`` has the figures behind the table.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from quoth.config import checked_count
from quoth.engines.base import Engine, usable_cores
from quoth.errors import ConfigError, MissingExtraError, ReaderError

# The engines that run an ONNX file, best first. Each name is also the name of the package and of the extra.
ENGINES = ("openvino", "onnxruntime")


class Kind(NamedTuple):
    """A kind of CPU.

    Attributes:
        flags: The flags that it has.
        precision: OpenVINO's fastest precision for operations that are not quantized.
        int8: Whether OpenVINO's int8 products are faster than products in this precision.
    """

    flags: frozenset[str]
    precision: str = "float32"
    int8: bool = True


# The first kind whose flags are all present is used. Measured: avx512_bf16 and avx2 (each an AMD EPYC); amx (a Xeon, in
# earlier prototypes: float32 7,900 tokens/s, bfloat16 21,500). Kinds without native bfloat16 are fastest in float32.
TABLE = {
    "amx": Kind(frozenset({"amx_bf16", "amx_int8"}), "bfloat16"),
    "avx512_bf16": Kind(frozenset({"avx512_bf16"}), "bfloat16"),
    "avx512_vnni": Kind(frozenset({"avx512_vnni"})),
    "avx_vnni": Kind(frozenset({"avx_vnni"})),
    "avx2": Kind(frozenset({"avx2"}), int8=False),
    "other": Kind(frozenset()),
}


# Most streams by default; each needs memory for the activations of a batch, about 50 MB.
_STREAMS = 16


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the kind of this CPU, a key of the table; "other" if the system does not report its flags.

    Args:
        cpuinfo: The file with the CPU's flags.
    """
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    flags = set(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())
    return next(name for name, kind in TABLE.items() if kind.flags <= flags)


def best_precision(engine: str, kind: str | None = None) -> str:
    """Return the fastest precision for an engine on a kind of CPU; this machine's CPU if ``None``."""
    return TABLE[kind or processor()].precision if engine == "openvino" else "float32"


def computes_int8(kind: str | None = None) -> bool:
    """Return whether OpenVINO computes quantized products in int8 on a kind of CPU; this machine's CPU if ``None``."""
    return TABLE[kind or processor()].int8


def installed() -> list[str]:
    """Return the installed engines, best first."""
    return [name for name in ENGINES if find_spec(name)]


def no_such_engine(name: str) -> ConfigError:
    """Return the error for an unknown engine."""
    return ConfigError(f"engine must be auto, {', '.join(ENGINES)} or torch, but is {name}")


def open_onnx(
    model: Path,
    *,
    engine: str = "auto",
    precision: str | None = None,
    threads: int | None = None,
    int8: bool | None = None,
    cache: Path | None = None,
    streams: int | None = None,
) -> Engine:
    """Load an ONNX file into an engine.

    Args:
        model: The file.
        engine: "openvino", "onnxruntime", or "auto": the best installed engine that can load the file.
        precision: Precision of operations that are not quantized; the fastest for this CPU if ``None``.
        threads: Number of threads; all usable cores if ``None``.
        int8: Whether OpenVINO computes quantized products in int8; if ``None``, only where the CPU is faster with it.
        cache: Folder for compiled networks; not cached if ``None``.
        streams: Number of batches that OpenVINO computes at the same time, if there are many; one for each thread, but
            at most 16, if ``None``. Other engines compute one after another.

    Raises:
        ConfigError: If the engine is unknown, or does not support this number of streams.
        MissingExtraError: If the engine is not installed.
        ReaderError: If the engine cannot load the file, or does not support the precision.
    """
    if engine != "auto":
        return _start(engine, model, precision, threads, int8, cache, streams)
    first: ReaderError | None = None
    for name in installed():
        try:
            return _start(name, model, precision, threads, int8, cache, streams)
        except ReaderError as error:  # the file may use an operation that only another runtime supports
            first = first or error
    raise first or MissingExtraError(f"{model} needs an engine; OpenVINO comes with Quoth, ONNX Runtime", "onnxruntime")


def _start(
    engine: str,
    model: Path,
    precision: str | None,
    threads: int | None,
    int8: bool | None,
    cache: Path | None,
    streams: int | None,
) -> Engine:
    if engine not in ENGINES:
        raise no_such_engine(engine)
    if engine != "openvino":
        check_one_stream(engine, streams)
    if find_spec(engine) is None:
        raise MissingExtraError(f"engine {engine}", engine)
    precision = precision or best_precision(engine)
    if engine == "openvino":
        from quoth.engines.openvino import OpenVinoEngine

        threads = threads or usable_cores()
        return OpenVinoEngine(
            model,
            precision=precision,
            threads=threads,
            int8=computes_int8() if int8 is None else int8,
            cache=cache and cache / "openvino",
            streams=checked_streams(streams, threads),
        )
    from quoth.engines.onnx import OnnxEngine

    return OnnxEngine(model, precision=precision, threads=threads)


def checked_streams(streams: int | None, threads: int) -> int:
    """Return the number of streams for a number of threads: one for each thread if ``None``, but at most 16.

    Raises:
        ConfigError: If it is not in 1 to ``threads``.
    """
    if streams is not None and checked_count("streams", streams) > threads:
        raise ConfigError(f"streams must be at most the number of threads, {threads}, but is {streams}")
    return streams or min(threads, _STREAMS)


def check_one_stream(engine: str, streams: int | None) -> None:
    """Raise if an engine that computes one batch after another is to have several streams.

    Raises:
        ConfigError: If it is.
    """
    if streams not in (None, 1):
        raise ConfigError(f"streams must be 1 with engine {engine}, but is {streams}. Use engine openvino")


def cache_folder() -> Path | None:
    """Return Quoth's cache folder, following the conventions of the operating system.

    ``None`` if the user has no home, like a user of a container that exists as a number only.
    """
    try:
        return _cache_base() / "quoth"
    except RuntimeError:
        return None


def _cache_base() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
