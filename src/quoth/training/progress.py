"""Progress of a run, passed to a callback after each step: ``progress=print`` prints it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback


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
        trial: Name of the sweep's trial; ``None`` outside of sweeps.
    """

    step: int
    steps: int
    precision: str
    seconds_left: float | None = None
    loss: float | None = None
    exact: float | None = None
    f1: float | None = None
    trial: str | None = None

    def __str__(self) -> str:
        parts = [f"step {self.step:,} of {self.steps:,} in {self.precision}"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.3f}")
        if self.f1 is not None:
            parts.append(f"EM {self.exact:.2f}, F1 {self.f1:.2f}")
        if self.seconds_left is not None and self.step < self.steps:
            parts.append(f"{self.seconds_left / 60:.0f} min left")
        return f"{self.trial}: " * bool(self.trial) + ", ".join(parts)


class ProgressCallback(TrainerCallback):
    """Calls a function with the progress after each step."""

    def __init__(self, callback: Callable[[Progress], None], precision: str) -> None:
        """Create the callback.

        Args:
            callback: Called after each step.
            precision: "float32", "bfloat16" or "float16".
        """
        self._callback = callback
        self._precision = precision
        self._last: dict[str, float] = {}
        self._started = 0.0
        self._first_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the start time, and the first step of this process (above 0 in a resumed run)."""
        self._started, self._first_step = time.monotonic(), state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Call the function with the current progress."""
        done = state.global_step - self._first_step
        pace = (time.monotonic() - self._started) / max(done, 1)
        left = pace * (state.max_steps - state.global_step)
        loss, exact, f1 = (self._last.get(name) for name in ("loss", "exact", "f1"))
        self._callback(Progress(state.global_step, state.max_steps, self._precision, left, loss, exact, f1))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Store the last loss and scores."""
        for name, key in (("loss", "loss"), ("exact", "eval_exact"), ("f1", "eval_f1")):
            if key in (logs or {}):
                self._last[name] = float(logs[key])
