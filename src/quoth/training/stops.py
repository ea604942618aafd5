"""Stop signals and out-of-memory errors."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

import torch
from accelerate import Accelerator

from quoth.errors import TrainingError
from quoth.training.config import TrainConfig
from quoth.training.features import TrainingBatch

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Records the first SIGTERM or SIGINT, so that the loop can stop after a step; a second one kills the process.

    Attributes:
        seen: The signal that this process received, or 0.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        """Take the accelerator, whose processes must stop together."""
        # A separate process group on the CPU, so that the check does not wait for the GPU.
        self._group = torch.distributed.new_group(backend="gloo") if accelerator.num_processes > 1 else None
        self.seen = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Only the main thread can set handlers. In other threads, the caller handles signals.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._notice) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _notice(self, number: int, _: FrameType | None) -> None:
        self.seen = number
        signal.signal(number, self._before[signal.Signals(number)])

    def received(self) -> signal.Signals | None:
        """Return the signal that any of the processes received, or ``None``; the same in every process."""
        seen = self.seen
        if self._group is not None:
            largest = torch.tensor(seen)
            torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX, self._group)
            seen = int(largest)
        return signal.Signals(seen) if seen else None


@contextmanager
def explain_out_of_memory(config: TrainConfig, batch: TrainingBatch | None = None) -> Iterator[None]:
    """Turn an out-of-memory error into one that names the batch size and the settings to lower.

    Raises:
        TrainingError: Instead of torch's own error.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _too_large(config, batch) from error
    except RuntimeError as error:
        # On a CPU, torch has no exception class for it.
        if "can't allocate memory" not in str(error):
            raise
        raise _too_large(config, batch) from error


def _too_large(config: TrainConfig, batch: TrainingBatch | None) -> TrainingError:
    what = "the run"
    if batch:
        windows, tokens = batch.legal.shape
        what = f"a batch of {windows} windows of {tokens} tokens"
    return TrainingError(
        f"{what} does not fit into memory. Lower batch_size (it is "
        f"{config.batch_size}) and raise accumulation (it is {config.accumulation}) as much, or lower max_tokens "
        f"(it is {config.max_tokens})."
    )
