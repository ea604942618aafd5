"""The batches of each training step, built one step ahead, with the teacher's logits if there is a teacher."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from accelerate import Accelerator

from quoth.training.config import TrainConfig
from quoth.training.features import Collator, StepPlan, TrainingBatch, WindowDataset
from quoth.training.teacher import Teacher, TeacherLogits, gather_teacher_logits


class StepBatches:
    """The windows of each step of a run, as batches of this process.

    Attributes:
        step_windows: Number of windows per step, in all processes.
        per_epoch: Number of steps per epoch.
    """

    def __init__(
        self, windows: WindowDataset, collator: Collator, config: TrainConfig, accelerator: Accelerator
    ) -> None:
        """Plan the steps; every process gets the same plan."""
        self._windows, self._collator, self._config, self._accelerator = windows, collator, config, accelerator
        lengths = [len(window) for window in windows.windows]
        share = config.batch_size * config.accumulation
        self._plan = StepPlan(lengths, share * accelerator.num_processes, config.seed)
        self._teacher_logits: dict[int, TeacherLogits] = {}
        self.step_windows = self._plan.step_windows
        self.per_epoch = len(self._plan)

    def compute_teacher_logits(self, teacher: Teacher, steps: int, cache: Path) -> None:
        """Compute the teacher logits of all windows of a run, once.

        Args:
            teacher: The teacher.
            steps: Number of steps of the run.
            cache: Folder of cached logits.
        """
        accelerator = self._accelerator
        planned = self._plan.epoch(0)[:steps]
        seen = sorted(index for rows in planned for index in rows if self._uses_teacher(index))
        windows = [self._windows[index] for index in seen]
        process = {"process": accelerator.process_index, "processes": accelerator.num_processes}
        mine = teacher.logits(windows, cache, **process)
        logits = gather_teacher_logits(mine, windows, accelerator.device if accelerator.num_processes > 1 else None)
        self._teacher_logits = dict(zip(seen, logits, strict=True))

    def _uses_teacher(self, index: int) -> bool:
        """Return True if the teacher is used for this window: always, or only for answerable questions."""
        return self._config.teacher_on == "all" or bool(self._windows[index].example.golds)

    def between(self, step: int, last: int) -> Iterator[tuple[int, list[TrainingBatch]]]:
        """Yield for each step the number of windows of all processes, and the batches of this process.

        Batches are built one step ahead, in a separate thread.

        Args:
            step: Number of steps that are done.
            last: Number of steps of the run.
        """
        with ThreadPoolExecutor(1, "quoth-batches") as ahead:
            waiting = None
            for rows in self._rows(step, last):
                made = ahead.submit(self._batches, rows)
                if waiting:
                    yield waiting[0], waiting[1].result()
                waiting = (len(rows), made)
            if waiting:
                yield waiting[0], waiting[1].result()

    def _rows(self, step: int, last: int) -> Iterator[list[int]]:
        """Yield the indices of the windows of each remaining step."""
        while step < last:
            epoch, done = divmod(step, self.per_epoch)
            for rows in self._plan.epoch(epoch)[done : done + last - step]:
                step += 1
                yield rows

    def _batches(self, rows: Sequence[int]) -> list[TrainingBatch]:
        """Return the batches of this process for a step; ``rows`` are the indices of the windows of all processes."""
        accelerator, size = self._accelerator, self._config.batch_size
        # A process without windows in the last step of an epoch still computes one, with weight 0.
        mine = rows[accelerator.process_index :: accelerator.num_processes] or rows[:1]
        parts = [mine[start : start + size] for start in range(0, len(mine), size)]
        batches = [
            self._collator(
                [self._windows[index] for index in part],
                [self._teacher_logits.get(index) for index in part] if self._teacher_logits else (),
            )
            for part in parts
        ]
        return [batch.pinned() for batch in batches] if accelerator.device.type == "cuda" else batches
