"""How far a run is, told to whoever wants to know: the command line draws it, ``progress=print`` prints it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: Steps done.
        steps: Steps in all.
        precision: What the steps are computed in: "float32", "bfloat16" or "float16".
        seconds_left: Guess from the pace so far; evaluations are part of the pace. ``None`` before the first step.
        loss: Mean loss since the last time it was logged; ``None`` before.
        exact: Exact match of the last evaluation, in [0, 100]; ``None`` before.
        f1: F1 of the last evaluation, in [0, 100]; ``None`` before.
        trial: Which trial of a sweep this is; ``None`` outside of sweeps.
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
    """Tells after every step where the run stands."""

    def __init__(self, tell: Callable[[Progress], None], precision: str) -> None:
        """Take the one who wants to know, and what the run is computed in."""
        self._tell = tell
        self._precision = precision
        self._last: dict[str, float] = {}
        self._started = 0.0
        self._first_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock: a resumed run begins at a later step."""
        self._started, self._first_step = time.monotonic(), state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell where the run stands."""
        done = state.global_step - self._first_step
        pace = (time.monotonic() - self._started) / max(done, 1)
        left = pace * (state.max_steps - state.global_step)
        loss, exact, f1 = (self._last.get(name) for name in ("loss", "exact", "f1"))
        self._tell(Progress(state.global_step, state.max_steps, self._precision, left, loss, exact, f1))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Remember the last loss and scores."""
        for name, key in (("loss", "loss"), ("exact", "eval_exact"), ("f1", "eval_f1")):
            if key in (logs or {}):
                self._last[name] = float(logs[key])
