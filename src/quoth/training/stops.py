"""Reasons to stop a run: signals, out-of-memory errors, and a diverging loss."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator

from quoth.errors import ReaderError, TrainingError
from quoth.signals import FirstSignal
from quoth.training.config import TrainConfig
from quoth.training.features import TrainingBatch


class StopSignals(FirstSignal):
    """Records the first SIGTERM or SIGINT, so that the loop can stop after a step; a second one kills the process."""

    def __init__(self, accelerator: Accelerator) -> None:
        """Store the accelerator, whose processes must stop together."""
        super().__init__()
        # A separate process group on the CPU, so that the check does not wait for the GPU.
        self._group = torch.distributed.new_group(backend="gloo") if accelerator.num_processes > 1 else None

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
    except (MemoryError, RuntimeError, ReaderError) as error:
        if not _is_out_of_memory(error):
            raise
        raise _too_large(config, batch) from error


def raise_if_diverged(
    config: TrainConfig, loss: float, norm: float, step: int, precision: str, *, with_teacher: bool
) -> None:
    """Raise if the loss diverged, before a checkpoint of unusable weights is written.

    Args:
        config: The configuration.
        loss: Mean loss of the last steps.
        norm: The last gradient norm.
        step: The last step.
        precision: The precision of training. float16 skips steps whose gradients overflow.
        with_teacher: Whether there is a teacher.

    Raises:
        TrainingError: If the loss diverged.
    """
    # A uniform distribution has the loss log(length); a loss far above it does not recover. The distillation loss
    # counts four times (its temperature squared).
    weight = config.teacher_weight if with_teacher else 0.0
    bound = 2 * math.log(config.max_tokens) * ((1 - weight) + 4 * weight)
    if loss < bound and (math.isfinite(norm) or precision == "float16"):
        return
    raise TrainingError(
        f"the loss diverged: {loss:.3g} (gradient norm {norm:.3g}) at step {step}. Start again "
        f"with a lower learning_rate (it is {config.learning_rate:g}), more warmup "
        f"(it is {config.warmup:g}), or in float32; the last checkpoint has the weights from before."
    )


def _is_out_of_memory(error: BaseException | None) -> bool:
    if isinstance(error, ReaderError):  # of the engine, which answers the dev questions
        error = error.__cause__
    # On a CPU, torch has no exception class for it.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


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
