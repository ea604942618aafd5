"""Device, precision, threads and memory allocation of a training run."""

from __future__ import annotations

import ctypes
import logging

import torch

from quoth.engines import usable_cores
from quoth.errors import ConfigError

_LOG = logging.getLogger(__name__)


def choose_precision(wanted: str) -> str:
    """Return "float32", "bfloat16" or "float16".

    "auto" is bfloat16 if the device supports it natively (AMX or AVX512-BF16 on a CPU; Ampere and later GPUs), else
    float16 with loss scaling on a CUDA GPU, else float32. Warns if bfloat16 is requested on a CPU without native
    support.

    Raises:
        ConfigError: If float16 is requested without a CUDA GPU: gradients would underflow.
    """
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return wanted if wanted != "auto" else "bfloat16" if native else "float16"
    if wanted == "float16":
        raise ConfigError("precision must be float32 or bfloat16 without a CUDA GPU, but is float16")
    if not on_cpu():
        return wanted if wanted != "auto" else "float32"
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    if wanted == "bfloat16" and not native:
        _LOG.warning("this CPU has no native bfloat16, so training is much slower than in float32")
    return wanted if wanted != "auto" else "bfloat16" if native else "float32"


def on_cpu() -> bool:
    """Return True if training runs on the CPU."""
    return not torch.cuda.is_available() and not torch.backends.mps.is_available()


def keep_memory() -> None:
    """Configure glibc's malloc to keep freed memory, so that each step does not map and clear large blocks again.

    About 20 % more windows per second on a CPU, but fragmentation raised memory use to 18 GB for 23 million weights
    (docs/log.md). Does nothing with other C libraries.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # as in glibc's malloc.h
    mallopt(mmap_threshold, 2**31 - 1)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 2**28)


def use_threads(threads: int | None) -> None:
    """Set the number of torch threads; all usable cores if ``None``."""
    torch.set_num_threads(threads or usable_cores())
