"""What an engine is, and how many threads it may take."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # so that the names of precisions can be had without the tokenizer
    from quoth.reading import SpanLogits, WindowBatch


class Engine(Protocol):
    """Runs the network.

    Attributes:
        name: The runtime, as ``--engine`` and reports call it.
        precision: What it computes in: "float32", "bfloat16", "int8".
    """

    @property
    def name(self) -> str:
        """The runtime."""

    @property
    def precision(self) -> str:
        """What it computes in."""

    def run(self, batch: WindowBatch) -> SpanLogits:
        """Compute the logits of one batch; those of padding mean nothing."""


def usable_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return how many cores this process may use: its affinity, cut by the quota of its control group.

    Args:
        cgroup: Where the control group's ``cpu.max`` lies (cgroup v2).
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        allowed = affinity if quota == "max" else math.ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return affinity
    return max(1, min(affinity, allowed))
