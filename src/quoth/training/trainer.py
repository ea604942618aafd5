"""The training loop: steps, evaluation, checkpoints, and resuming.

It runs in one or several processes (``torchrun``, ``accelerate launch``). Each process takes its share of every step,
and the loss is the sum over all processes, divided by the number of windows of the step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from transformers import TrainerCallback, TrainingArguments
from transformers.trainer_callback import TrainerControl, TrainerState

from quoth.engines.precisions import FROM_ACCELERATE
from quoth.engines.torch import TorchEngine
from quoth.errors import TrainingStoppedError
from quoth.evaluation import score
from quoth.reading import Tokenizer
from quoth.records import Example
from quoth.store import ReaderSettings
from quoth.training.checkpoints import clear_checkpoints, write_checkpoint
from quoth.training.config import TrainConfig
from quoth.training.dev_answers import answer_dev
from quoth.training.dev_metrics import dev_metrics
from quoth.training.features import Collator, TrainingBatch, WindowDataset
from quoth.training.loss import span_losses, teacher_losses
from quoth.training.optimizer import MovingAverage, adamw, rate_factor
from quoth.training.snapshot import RunState, random_state, read_snapshot, snapshot
from quoth.training.step_batches import StepBatches
from quoth.training.stops import StopSignals, explain_out_of_memory, raise_if_diverged
from quoth.training.teacher import Teacher

# The loss is logged at least every this many steps, and at least ten times in a run.
LOG_STEPS = 50
# Folder of cached teacher logits, next to the checkpoints.
TEACHER_CACHE = "teacher"


def log_steps(steps: int) -> int:
    """Return the interval, in steps, at which the loss of a run is logged."""
    return min(LOG_STEPS, max(1, steps // 10))


@dataclass(frozen=True, slots=True)
class RunData:
    """The inputs of a run: training windows, dev examples, and the reader's settings.

    Attributes:
        windows: The training windows.
        dev: Labelled examples for evaluation; if empty, the run is not evaluated.
        tokenizer: The tokenizer of both.
        settings: Window sizes and decoding settings.
        teacher: The teacher, if the run distils one.
    """

    windows: WindowDataset
    dev: Sequence[Example]
    tokenizer: Tokenizer
    settings: ReaderSettings
    teacher: Teacher | None = None


@dataclass(slots=True)
class _Losses:
    """The losses since the last log entry. They stay on their device until they are logged, to avoid syncs."""

    total: torch.Tensor
    steps: int = 0
    norm: torch.Tensor = field(default_factory=lambda: torch.zeros(()))


class ReaderTrainer:
    """Trains one model on windows, and evaluates EM and F1 by answering the dev questions.

    Attributes:
        model: The model, not wrapped.
        average: The exponential moving average of its weights, if configured.
        checkpoints: Folder of the checkpoints.
        state: The trainer state that is passed to callbacks.
    """

    def __init__(
        self,
        model: Any,
        config: TrainConfig,
        data: RunData,
        accelerator: Accelerator,
        arguments: TrainingArguments,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        """Create the trainer; every process does the same."""
        self.model, self.config, self.data = model, config, data
        self._accelerator = accelerator
        self._precision = FROM_ACCELERATE[accelerator.mixed_precision]
        self.checkpoints = Path(arguments.output_dir)
        collator = Collator(data.tokenizer.pad_id, TorchEngine(model).takes_types, config.max_tokens)
        self._steps = StepBatches(data.windows, collator, config, accelerator)
        steps = config.max_steps or max(1, math.ceil(config.epochs * self._steps.per_epoch))
        wrapped = torch.compile(model, dynamic=True) if config.compile else model
        self._wrapped, self._optimizer = accelerator.prepare(wrapped, adamw(model, config))
        self.average = MovingAverage(model, config.average) if config.average else None
        main = accelerator.is_main_process
        self.state = TrainerState(
            max_steps=steps, logging_steps=log_steps(steps), is_world_process_zero=main, is_local_process_zero=main
        )
        self._control = TrainerControl()
        self._arguments = arguments
        self._callbacks = list(callbacks)
        self._saved_step: int | None = None

    @cached_property
    def data_fingerprint(self) -> dict[str, Any]:
        """Fingerprint of the data and of the windows per step; a resumed run must have the same."""
        return {
            "windows": len(self.data.windows),
            "step_windows": self._steps.step_windows,
            "of": self.data.windows.digest(),
        }

    def add_callback(self, callback: TrainerCallback) -> None:
        """Add a callback, as for transformers' Trainer."""
        self._callbacks.append(callback)

    def train(self, resume_from: Path | None = None) -> None:
        """Train to the last step, or until a signal or a callback stops the run.

        Args:
            resume_from: The folder of a complete checkpoint.

        Raises:
            TrainingError: If the loss diverges, memory runs out, a checkpoint cannot be written, or a signal stopped
                the run. Earlier checkpoints stay.
        """
        if resume_from:
            self._resume(resume_from)
        if self.data.teacher:
            self._steps.compute_teacher_logits(
                self.data.teacher, self.state.max_steps, self.checkpoints.parent / TEACHER_CACHE
            )
        self._losses = _Losses(torch.zeros((), device=self._accelerator.device))
        self._wrapped.train()
        self._notify("on_train_begin")
        with StopSignals(self._accelerator) as signals:
            if self.data.dev and not self.state.global_step and not self._evaluations(since=-1):
                self._evaluate(signals)
            if resume_from and self._evaluation_is_due():
                self._evaluate(signals)
                self._save()
            for rows, batches in self._steps.between(self.state.global_step, self.state.max_steps):
                if self._control.should_training_stop:
                    break
                self._step(rows, batches)
                self._notify("on_step_end")
                self._raise_if_stopped(signals)
                self._after_step(signals)
        self._notify("on_train_end")

    def _notify(self, event: str, **more: Any) -> None:
        for callback in self._callbacks:
            control = getattr(callback, event)(
                self._arguments, self.state, self._control, model=self.model, optimizer=self._optimizer, **more
            )
            self._control = control or self._control

    def _step(self, rows: int, batches: Sequence[TrainingBatch]) -> None:
        """Do one optimizer step; ``rows`` is the number of windows of all processes in this step."""
        accelerator, optimizer = self._accelerator, self._optimizer
        factor = rate_factor(self.config, self.state.global_step, self.state.max_steps)
        for group in optimizer.param_groups:
            group["lr"] = self.config.learning_rate * factor * group["scale"]
        idle = rows <= accelerator.process_index
        for index, batch in enumerate(batches):
            apart = index + 1 < len(batches)
            with (
                accelerator.no_sync(self._wrapped) if apart else nullcontext(),
                explain_out_of_memory(self.config, batch),
            ):
                moved = batch.to(accelerator.device)
                with accelerator.autocast():
                    output = self._wrapped(**moved.inputs)
                losses = self._window_losses(moved, output)
                loss = losses.sum() * (0.0 if idle else 1.0 / rows)
                # Gradients are averaged over processes, but the loss is a sum over them.
                accelerator.backward(loss * accelerator.num_processes)
            self._losses.total += loss.detach()
        with explain_out_of_memory(self.config):
            norm = accelerator.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
            optimizer.step()
        self._losses.norm = norm if norm is not None else self._losses.norm
        self._losses.steps += 1
        optimizer.zero_grad()
        if self.average:
            self.average.update()
        self.state.global_step += 1
        self.state.epoch = self.state.global_step / self._steps.per_epoch

    def _window_losses(self, batch: TrainingBatch, output: Any) -> torch.Tensor:
        """Return the loss of each window: from its golds and, with a teacher, from the teacher's logits."""
        losses = span_losses(output.start_logits, output.end_logits, batch.legal, batch.targets)
        if batch.teacher_logits is None or batch.has_teacher is None:
            return losses
        places = batch.legal_answers if self.config.teacher_on == "answers" else batch.legal
        distilled = teacher_losses(output.start_logits, output.end_logits, places, batch.teacher_logits)
        weight = self.config.teacher_weight * batch.has_teacher
        return (1 - weight) * losses + weight * distilled

    def _after_step(self, signals: StopSignals) -> None:
        """Log, evaluate and save if it is due after this step."""
        step, every = self.state.global_step, self.config.save_steps
        saving = self._evaluation_is_due() or self._ends_epoch() or bool(every and step % every == 0)
        if step % self.state.logging_steps == 0 or saving:
            self._log_loss()
        if saving:
            self._save()
        if self._evaluation_is_due():
            # Evaluation may take long, so the checkpoint is written before it, and again with its result.
            self._evaluate(signals)
            self._save()
            self._raise_if_stopped(signals)

    def _raise_if_stopped(self, signals: StopSignals) -> None:
        """If a signal was received, save and raise; an evaluation that is due is done when the run resumes."""
        stop = signals.received()
        if stop is None:
            return
        self._log_loss()
        if self._saved_step != self.state.global_step:
            self._save()
        state = self.state
        raise TrainingStoppedError(
            f"stopped by {stop.name} after step {state.global_step:,} of {state.max_steps:,}; a checkpoint was saved. "
            "Continue with --resume.",
            stop,
        )

    def _is_last(self) -> bool:
        return bool(self.state.global_step == self.state.max_steps or self._control.should_training_stop)

    def _ends_epoch(self) -> bool:
        return self._is_last() or self.state.global_step % self._steps.per_epoch == 0

    def _evaluation_is_due(self) -> bool:
        """Return True if this step must be evaluated and has not been."""
        every, step = self.config.eval_steps, self.state.global_step
        due = self._is_last() or (step % every == 0 if every else self._ends_epoch())
        return bool(self.data.dev) and due and not self._evaluations(since=step - 1)

    def _evaluations(self, since: int) -> list[dict[str, float]]:
        return [row for row in self.state.log_history if "eval_f1" in row and row["step"] > since]

    def _log_loss(self) -> None:
        losses = self._losses
        if not losses.steps:
            return
        mean = float(self._accelerator.reduce(losses.total, "sum")) / losses.steps
        norm, rate = float(losses.norm), self._optimizer.param_groups[-1]["lr"]
        with_teacher = self.data.teacher is not None
        raise_if_diverged(self.config, mean, norm, self.state.global_step, self._precision, with_teacher=with_teacher)
        self._losses = _Losses(torch.zeros_like(losses.total))
        self._log({"loss": mean, "grad_norm": norm, "learning_rate": rate})

    def _log(self, metrics: dict[str, float]) -> None:
        self.state.log_history.append({"epoch": self.state.epoch, "step": self.state.global_step, **metrics})
        self._notify("on_log", logs=metrics)

    def _evaluate(self, signals: StopSignals) -> None:
        """Answer the dev questions, shared between processes, and log EM and F1.

        A signal aborts the evaluation without a result.
        """
        started = time.monotonic()
        data = self.data
        self.model.eval()
        if self.average:
            self.average.swap()
        try:
            with explain_out_of_memory(self.config):
                answers, loss = answer_dev(
                    self.model, data.tokenizer, data.settings, data.dev, self._accelerator, lambda: signals.seen
                )
        finally:
            if self.average:
                self.average.swap()
            self.model.train()
        self._raise_if_stopped(signals)
        metrics = {**dev_metrics(score(data.dev, answers)), "eval_loss": loss}
        self._log({**metrics, "eval_seconds": round(time.monotonic() - started, 1)})
        self._notify("on_evaluate", metrics=metrics)
        # Before the first step there is nothing to select: the weights are those of the base.
        if self.state.global_step:
            self._remember_best(metrics["eval_f1"])

    def _remember_best(self, f1: float) -> None:
        state = self.state
        if state.best_metric is None or f1 > state.best_metric:
            state.best_metric, state.best_global_step = f1, state.global_step
        self._stop_early()

    def _stop_early(self) -> None:
        patience, best = self.config.patience, self.state.best_global_step
        if patience and best is not None and len(self._evaluations(since=best)) >= patience:
            self._control.should_training_stop = True

    def _save(self) -> None:
        accelerator, state = self._accelerator, self.state
        states = gather_object([random_state()])
        if accelerator.is_main_process:
            files = snapshot(self._run_state(), states)
            write_checkpoint(self.checkpoints, state.global_step, files)
            clear_checkpoints(self.checkpoints, self.config.keep_checkpoints, state.best_global_step, state.global_step)
        accelerator.wait_for_everyone()
        self._saved_step = state.global_step
        self._notify("on_save")

    def _resume(self, folder: Path) -> None:
        accelerator = self._accelerator
        process = (accelerator.process_index, accelerator.num_processes)
        self.state = read_snapshot(folder, self._run_state(), process)
        self.state.is_world_process_zero = self.state.is_local_process_zero = accelerator.is_main_process
        self._stop_early()

    def _run_state(self) -> RunState:
        return RunState(
            self.config,
            self.data_fingerprint,
            self.model,
            self._optimizer,
            self.state,
            self.average,
            self._accelerator.scaler,
        )
