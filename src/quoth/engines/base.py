"""The engine protocol, and the number of usable cores."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:  # so that this package can be imported without the tokenizer
    from quoth.reading import SpanLogits, WindowBatch


class Engine(Protocol):
    """Runs the network of a reader.

    Attributes:
        name: The name of the runtime, as in ``--engine`` and reports.
        precision: "float32", "bfloat16" or "float16".
        batch_tokens: Number of tokens of a batch, padding included, with which many windows are read fastest.
        streams: Number of batches that ``parallel`` computes at the same time; 1 if there is nothing to gain.
        parallel: An engine with the same results for as many batches at the same time, each from its own thread. It
            may be loaded at its first use. It is this engine if ``streams`` is 1.
    """

    @property
    def name(self) -> str:
        """The runtime."""

    @property
    def precision(self) -> str:
        """The precision of the computation."""

    @property
    def batch_tokens(self) -> int:
        """The best size of a batch."""

    @property
    def streams(self) -> int:
        """The number of batches at the same time."""

    @property
    def parallel(self) -> Engine:
        """The engine for several batches at the same time."""

    def run(self, batch: WindowBatch) -> SpanLogits:
        """Compute the logits of a batch. Logits of padding are undefined.

        Raises:
            ReaderError: If the network fails; the cause is the error of the runtime.
        """


class Sequential:
    """The part of an engine that has nothing to gain from several batches at the same time."""

    streams = 1

    @property
    def parallel(self) -> Self:
        """This engine."""
        return self


def cpu_batch_tokens(threads: int) -> int:
    """Return the best number of tokens of a batch on a CPU.

    512 for each thread, so that the activations of a layer fit into its cache, but at least 1,024, because fewer leave
    too little work between two waits for the other threads, and at most 8,192, to limit memory. Measured with two
    threads (docs/decisions/0019-float-products.md).

    Args:
        threads: Number of threads that compute one batch.
    """
    return min(8_192, max(1_024, 512 * threads))


def usable_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return how many cores this process may use: its CPU affinity, limited by the quota of its control group.

    Args:
        cgroup: Folder with the control group's ``cpu.max`` (cgroup v2).
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        allowed = affinity if quota == "max" else math.ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return affinity
    return max(1, min(affinity, allowed))
