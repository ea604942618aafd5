"""Progress of a run, passed to a callback after each step and evaluation: ``progress=print`` prints it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback

# Fields of Progress -> the trainer's metrics.
_LOGGED = {"loss": "loss", "exact": "eval_exact", "f1": "eval_f1", "dev_loss": "eval_loss"}


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run.

    Attributes:
        step: Number of completed steps.
        steps: Number of steps of the run.
        precision: "float32", "bfloat16" or "float16".
        seconds_left: Estimated from the mean time per step, evaluations included. ``None`` before the first step.
        loss: Mean loss at the last log entry; ``None`` before the first one.
        exact: Exact match of the last evaluation, in [0, 100]; ``None`` before the first one.
        f1: F1 of the last evaluation, in [0, 100]; ``None`` before the first one.
        dev_loss: Mean loss per window of the last evaluation; ``None`` before the first one.
        evaluated: The step of the last evaluation; ``None`` before the first one.
        trial: Name of the sweep's trial; ``None`` outside of sweeps.
    """

    step: int
    steps: int
    precision: str
    seconds_left: float | None = None
    loss: float | None = None
    exact: float | None = None
    f1: float | None = None
    dev_loss: float | None = None
    evaluated: int | None = None
    trial: str | None = None

    def __str__(self) -> str:
        parts = [f"step {self.step:,} of {self.steps:,} in {self.precision}"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.3f}")
        if self.f1 is not None:
            loss = "" if self.dev_loss is None else f", loss {self.dev_loss:.3f}"
            parts.append(f"dev at step {self.evaluated or 0:,}: EM {self.exact:.2f}, F1 {self.f1:.2f}{loss}")
        if self.seconds_left is not None and self.step < self.steps:
            parts.append(f"{self.seconds_left / 60:.0f} min left")
        return f"{self.trial}: " * bool(self.trial) + ", ".join(parts)


class ProgressCallback(TrainerCallback):
    """Calls a function with the progress after each step and each evaluation."""

    def __init__(self, callback: Callable[[Progress], None], precision: str) -> None:
        """Create the callback.

        Args:
            callback: Called after each step and each evaluation.
            precision: "float32", "bfloat16" or "float16".
        """
        self._callback = callback
        self._precision = precision
        self._last: dict[str, float] = {}
        self._started = 0.0
        self._first_step = 0
        self._evaluated: int | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the start time, and the first step of this process (above 0 in a resumed run)."""
        self._started, self._first_step = time.monotonic(), state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Call the function with the current progress."""
        self._callback(self._now(state))

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Call the function with the new scores."""
        self._evaluated = state.global_step
        self._callback(self._now(state))

    def _now(self, state: Any) -> Progress:
        done = state.global_step - self._first_step
        seconds = time.monotonic() - self._started
        left = seconds / done * (state.max_steps - state.global_step) if done else None
        loss, exact, f1, dev_loss = map(self._last.get, _LOGGED)
        step, steps = state.global_step, state.max_steps
        return Progress(step, steps, self._precision, left, loss, exact, f1, dev_loss, self._evaluated)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Store the last loss and scores."""
        for name, key in _LOGGED.items():
            if key in (logs or {}):
                self._last[name] = float(logs[key])
