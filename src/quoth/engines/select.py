"""Which engine runs a ``model.onnx``: a table of what measured best on each kind of processor.

Nothing is measured at load: the same machine always answers with the same engine. ``quoth engines`` measures, and
``docs/decisions/0007-engines.md`` has the figures behind the table.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from quoth.engines.base import Engine
from quoth.errors import ConfigError, MissingExtraError, ReaderError

# The engines that run a file, best first, and the package of each, which is also the name of its extra.
ENGINES = ("openvino", "onnxruntime")

# Kind of processor -> what OpenVINO computes in where a file leaves it open; the first kind whose flags are all there.
# Measured: avx512_bf16 (an AMD EPYC); amx (a Xeon, in prototypes made before this project: float32 7,900 tokens/s,
# bfloat16 21,500). The others have no instruction for bfloat16, so nothing but float32 can be best.
TABLE = {
    "amx": ({"amx_bf16", "amx_int8"}, "bfloat16"),
    "avx512_bf16": ({"avx512_bf16"}, "bfloat16"),
    "avx512_vnni": ({"avx512_vnni"}, "float32"),
    "avx2": ({"avx2"}, "float32"),
    "other": (set[str](), "float32"),
}


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the kind of this processor, a key of the table; "other" where the system does not say.

    Args:
        cpuinfo: What Linux says of it.
    """
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    flags = set(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())
    return next(kind for kind, (wanted, _) in TABLE.items() if wanted <= flags)


def best_precision(engine: str, kind: str | None = None) -> str:
    """Return the precision that measured best for an engine on a kind of processor; this one if ``None``."""
    return TABLE[kind or processor()][1] if engine == "openvino" else "float32"


def installed() -> list[str]:
    """Return those of the engines that are installed, best first."""
    return [name for name in ENGINES if find_spec(name)]


def no_such_engine(name: str) -> ConfigError:
    """Return the error that there is no engine of this name."""
    return ConfigError(f"engine must be auto, {', '.join(ENGINES)} or torch, but is {name}")


def open_onnx(
    model: Path,
    *,
    engine: str = "auto",
    precision: str | None = None,
    threads: int | None = None,
    cache: Path | None = None,
) -> Engine:
    """Start an engine for a file.

    Args:
        model: The file.
        engine: "openvino", "onnxruntime", or "auto": the best of those installed that can read the file.
        precision: What to compute in where the file leaves it open; what measured best if ``None``.
        threads: All usable cores if ``None``.
        cache: Where an engine may keep what it compiled; nothing is kept if ``None``.

    Raises:
        ConfigError: If there is no such engine.
        MissingExtraError: If it is not installed.
        ReaderError: If it cannot run the file, or compute in this precision.
    """
    if engine != "auto":
        return _start(engine, model, precision, threads, cache)
    first: ReaderError | None = None
    for name in installed():
        try:
            return _start(name, model, precision, threads, cache)
        except ReaderError as error:  # an operation of another runtime: the next one may have it
            first = first or error
    raise first or MissingExtraError(f"{model} needs an engine; OpenVINO comes with Quoth, ONNX Runtime", "onnxruntime")


def _start(engine: str, model: Path, precision: str | None, threads: int | None, cache: Path | None) -> Engine:
    if engine not in ENGINES:
        raise no_such_engine(engine)
    if find_spec(engine) is None:
        raise MissingExtraError(f"engine {engine}", engine)
    precision = precision or best_precision(engine)
    if engine == "openvino":
        from quoth.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(model, precision=precision, threads=threads, cache=cache and cache / "openvino")
    from quoth.engines.onnx import OnnxEngine

    return OnnxEngine(model, precision=precision, threads=threads)


def cache_folder() -> Path:
    """Return where Quoth keeps what can be made again, by the conventions of the system."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "quoth"
