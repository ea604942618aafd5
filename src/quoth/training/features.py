"""Training features: windows with their targets, the collator that batches them, and the order of batches."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch.utils.data import Dataset

from quoth.reading import Window, WindowBatch, Windower
from quoth.records import Example, Gold
from quoth.training.teacher import TeacherLogits


class WindowDataset(Dataset[Window]):
    """Windows with targets, ready for the collator.

    Attributes:
        windows: All windows of all examples, in order.
        lost: Ids of examples that have golds, but none that fits completely into a window.
    """

    def __init__(self, examples: Iterable[Example], windower: Windower) -> None:
        """Split the examples into windows."""
        self.windows: list[Window] = []
        self.lost: list[str] = []
        for example, windows in windower.each(examples):
            self.windows.extend(windows)
            if example.golds and not any(window.target for window in windows):
                self.lost.append(example.id)

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Window:
        return self.windows[index]

    def digest(self) -> str:
        """Return a sha256 of all token ids and targets, which identifies the data."""
        found = hashlib.sha256()
        for window in self.windows:
            found.update(window.ids.tobytes())
            found.update(repr([(target.start, target.end) for target in window.targets]).encode())
        return found.hexdigest()


def with_every_place(example: Example) -> Example:
    """Return the example with a gold at every occurrence of a gold's text as whole words in the context.

    If an answer occurs several times in its context, only one occurrence was annotated, often not the one that answers
    the question. So the loss should not penalize the others.
    """
    golds = list(example.golds or ())
    known = {(gold.text, gold.start, gold.context_index) for gold in golds}
    for text in dict.fromkeys(gold.text for gold in golds if gold.text):
        pattern = re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")
        for index, context in enumerate(example.contexts):
            places = (Gold(text, place.start(), index) for place in pattern.finditer(context))
            golds.extend(gold for gold in places if (text, gold.start, index) not in known)
    return replace(example, golds=tuple(golds)) if example.golds else example


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Tensors of one forward and backward pass over B windows of at most T tokens, with at most G targets each.

    Attributes:
        inputs: The model's inputs by name: ``input_ids``, ``attention_mask`` and optionally ``token_type_ids``, each
            ``(B, T)`` int64.
        legal: True where an answer may start or end (the tokens of the context, and CLS), ``(B, T)`` bool.
        targets: First and last token (both inclusive) of each gold, ``(B, G, 2)`` int64; -1 in the padding.
        cls: Index of the CLS token of each window, ``(B,)`` int64.
        teacher_logits: The teacher's start and end logits, ``(2, B, T)`` float32; ``None`` without a teacher.
        has_teacher: True for windows with teacher logits, ``(B,)`` bool; ``None`` without a teacher.
    """

    inputs: dict[str, torch.Tensor]
    legal: torch.Tensor
    targets: torch.Tensor
    cls: torch.Tensor
    teacher_logits: torch.Tensor | None = None
    has_teacher: torch.Tensor | None = None

    @property
    def legal_answers(self) -> torch.Tensor:
        """``legal`` without CLS: True where an answer other than "no answer" may start or end."""
        return self.legal.scatter(1, self.cls[:, None], False)

    def pinned(self) -> TrainingBatch:
        """Return the batch in page-locked memory, for asynchronous copies to a GPU."""
        return self._each(torch.Tensor.pin_memory)

    def to(self, device: torch.device) -> TrainingBatch:
        """Return the batch on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> TrainingBatch:
        inputs = {name: change(tensor) for name, tensor in self.inputs.items()}
        teacher_logits = None if self.teacher_logits is None else change(self.teacher_logits)
        has_teacher = None if self.has_teacher is None else change(self.has_teacher)
        legal, targets, cls = change(self.legal), change(self.targets), change(self.cls)
        return TrainingBatch(inputs, legal, targets, cls, teacher_logits, has_teacher)


@dataclass(frozen=True, slots=True)
class Collator:
    """Pads windows to the longest one of their batch, and builds the target tensors.

    With a ``limit``, batches are padded to a multiple of 16 tokens, but not beyond the limit. With few distinct
    lengths, memory fragments less.

    The target of a window without an answer is its CLS token ("no answer in this window").

    Source: Devlin et al. 2019, sections 4.2 and 4.3.
    """

    pad_id: int
    takes_types: bool
    limit: int | None = None

    def __call__(self, windows: Sequence[Window], teacher_logits: Sequence[TeacherLogits | None] = ()) -> TrainingBatch:
        """Build the tensors of one batch.

        Args:
            windows: The windows of the batch.
            teacher_logits: For each window the teacher's logits, or ``None`` if the teacher is not used for it; empty
                without a teacher.
        """
        batch = WindowBatch.of(windows, self.pad_id, limit=self.limit)
        legal = torch.zeros(batch.ids.shape, dtype=torch.bool)
        cls = torch.tensor([window.cls for window in windows])
        most = max(len(window.targets) for window in windows)
        targets = torch.full((len(windows), max(most, 1), 2), -1)
        for row, window in enumerate(windows):
            legal[row, window.cls] = True
            legal[row, window.context_tokens.start : window.context_tokens.end] = True
            places = [(target.start, target.end - 1) for target in window.targets] or [(window.cls, window.cls)]
            targets[row, : len(places)] = torch.tensor(places)
        inputs = {"input_ids": torch.from_numpy(batch.ids), "attention_mask": torch.from_numpy(batch.mask)}
        if self.takes_types:
            inputs["token_type_ids"] = torch.from_numpy(batch.type_ids)
        if not teacher_logits:
            return TrainingBatch(inputs, legal, targets, cls)
        padded = torch.zeros((2, *batch.ids.shape))
        for row, logits in enumerate(teacher_logits):
            if logits is not None:
                padded[:, row, : logits.shape[1]] = torch.from_numpy(logits)
        has_teacher = torch.tensor([logits is not None for logits in teacher_logits])
        return TrainingBatch(inputs, legal, targets, cls, padded, has_teacher)


class StepPlan:
    """Assigns windows to steps: similar lengths together, steps in random order.

    Windows are shuffled, split into pools of ``pool`` steps, sorted by length within a pool, and then the steps of all
    pools are shuffled. The plan depends only on the seed and the epoch: every process computes the same plan and takes
    its share of each step, and a resumed run continues with the same plan.
    """

    pool = 50

    def __init__(self, lengths: Sequence[int], step_windows: int, seed: int) -> None:
        """Create a plan.

        Args:
            lengths: Length of each window, in tokens.
            step_windows: Windows per step, over all processes.
            seed: Seed of the shuffling.
        """
        self._lengths = torch.tensor(lengths)
        self.step_windows = step_windows
        self._seed = seed

    def __len__(self) -> int:
        """Return the number of steps per epoch."""
        return -(-len(self._lengths) // self.step_windows)

    def epoch(self, epoch: int) -> list[list[int]]:
        """Return the indices of the windows of each step of an epoch."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
        shuffled = torch.randperm(len(self._lengths), generator=generator)
        steps: list[torch.Tensor] = []
        for pool in torch.split(shuffled, self.step_windows * self.pool):
            ordered = pool[self._lengths[pool].argsort(stable=True)]
            steps.extend(torch.split(ordered, self.step_windows))
        order = torch.randperm(len(steps), generator=generator).tolist()
        return [steps[index].tolist() for index in order]
