"""What can befall a run from outside: signals, and too little memory."""

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
    """Turns the first SIGTERM or SIGINT into a question that the loop asks after each step; a second one kills.

    Attributes:
        seen: The signal that this process received; 0 before.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        """Take the processes that must stop together."""
        # A group of its own, on the CPU: asking must not wait for what a GPU still has to do.
        self._group = torch.distributed.new_group(backend="gloo") if accelerator.num_processes > 1 else None
        self.seen = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Only the main thread may set handlers; elsewhere, whoever runs us decides about signals.
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
        """Return the signal that any process received, or ``None``: the same in every process."""
        seen = self.seen
        if self._group is not None:
            told = torch.tensor(seen)
            torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX, self._group)
            seen = int(told)
        return signal.Signals(seen) if seen else None


@contextmanager
def explained_memory(config: TrainConfig, batch: TrainingBatch | None = None) -> Iterator[None]:
    """Turn an error for want of memory into one that names the batch, if there is one, and what to lower.

    Raises:
        TrainingError: Instead of torch's own error.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _too_large(config, batch) from error
    except RuntimeError as error:
        # On a CPU, torch has no type of its own for it.
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
