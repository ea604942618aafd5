"""From examples to the tensors of the loss: windows with all their targets, and batches of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch.utils.data import Dataset

from quoth.reading import Window, WindowBatch, Windower
from quoth.records import Example, Gold
from quoth.training.teacher import Lesson


class WindowDataset(Dataset[Window]):
    """Windows with targets, ready for a collator.

    Attributes:
        windows: All windows of all examples, in order.
        lost: Examples that have golds, none of which any window holds whole.
    """

    def __init__(self, examples: Iterable[Example], windower: Windower) -> None:
        """Cut the examples into windows."""
        self.windows: list[Window] = []
        self.lost: list[str] = []
        kept = list(examples)
        for example, windows in zip(kept, windower.each(kept), strict=True):
            self.windows.extend(windows)
            if example.golds and not any(window.target for window in windows):
                self.lost.append(example.id)

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Window:
        return self.windows[index]

    def digest(self) -> str:
        """Return a hash of all token ids and targets: other data has another one."""
        found = hashlib.sha256()
        for window in self.windows:
            found.update(window.ids.tobytes())
            found.update(repr([(target.start, target.end) for target in window.targets]).encode())
        return found.hexdigest()


def with_every_place(example: Example) -> Example:
    """Return the example with a gold wherever the text of one stands in the context as whole words.

    An answer that stands in its context several times was annotated in one of the places only, and often not in the
    one that answers: the loss should not punish the others.
    """
    golds = list(example.golds or ())
    for text in dict.fromkeys(gold.text for gold in golds):
        known = {gold.start for gold in golds if gold.text == text}
        places = re.finditer(rf"(?<!\w){re.escape(text)}(?!\w)", example.context) if text else ()
        golds.extend(Gold(text, place.start()) for place in places if place.start() not in known)
    return replace(example, golds=tuple(golds)) if example.golds else example


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Tensors of one forward and backward pass over B windows of at most T tokens, with at most G targets each.

    Attributes:
        inputs: What the model takes, by name: ``input_ids``, ``attention_mask`` and perhaps ``token_type_ids``, each
            ``(B, T)`` int64.
        legal: Where an answer may start or end: the tokens of the context, and CLS; ``(B, T)`` bool.
        targets: First and last token (both inclusive) of each right answer, ``(B, G, 2)`` int64; -1 in the padding.
        taught: A teacher's logits of starts and of ends, ``(2, B, T)`` float32; ``None`` without a teacher.
        is_taught: Windows that the teacher's logits are known of, ``(B,)`` bool; ``None`` without a teacher.
    """

    inputs: dict[str, torch.Tensor]
    legal: torch.Tensor
    targets: torch.Tensor
    taught: torch.Tensor | None = None
    is_taught: torch.Tensor | None = None

    def pinned(self) -> TrainingBatch:
        """Return the batch in page-locked memory, from where a GPU fetches it without waiting."""
        return self._each(torch.Tensor.pin_memory)

    def to(self, device: torch.device) -> TrainingBatch:
        """Return the batch on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> TrainingBatch:
        inputs = {name: change(tensor) for name, tensor in self.inputs.items()}
        taught = None if self.taught is None else change(self.taught)
        is_taught = None if self.is_taught is None else change(self.is_taught)
        return TrainingBatch(inputs, change(self.legal), change(self.targets), taught, is_taught)


@dataclass(frozen=True, slots=True)
class Collator:
    """Pads windows to the longest of their batch, and says where their right answers stand.

    With a ``limit``, batches are padded on to a multiple of 16 tokens, but not beyond it. Batches of ever other lengths
    leave gaps in memory that none of the next fits into; so there are few lengths.

    A window without a target has one all the same: its CLS token, which is how readers learn "not here".

    Source: Devlin et al. 2019, sections 4.2 and 4.3.
    """

    pad_id: int
    takes_types: bool
    limit: int | None = None

    def __call__(self, windows: Sequence[Window], lessons: Sequence[Lesson | None] = ()) -> TrainingBatch:
        """Make the tensors of one batch; with a teacher's logits for each window, ``None`` where it teaches nothing."""
        batch = WindowBatch.of(windows, self.pad_id, limit=self.limit)
        legal = torch.zeros(batch.ids.shape, dtype=torch.bool)
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
        if not lessons:
            return TrainingBatch(inputs, legal, targets)
        taught = torch.zeros((2, *batch.ids.shape))
        for row, lesson in enumerate(lessons):
            if lesson is not None:
                taught[:, row, : lesson.shape[1]] = torch.from_numpy(lesson)
        is_taught = torch.tensor([lesson is not None for lesson in lessons])
        return TrainingBatch(inputs, legal, targets, taught, is_taught)


class StepPlan:
    """Which windows each step trains on: similar lengths together, steps in random order.

    Windows are shuffled, cut into pools of ``pool`` steps, sorted by length within a pool, and the steps of all pools
    are shuffled. The plan depends on the seed and the epoch alone: every process of a run makes the same one and takes
    its share of each step, and a resumed run goes on with what it would have seen.
    """

    pool = 50

    def __init__(self, lengths: Sequence[int], step_windows: int, seed: int) -> None:
        """Take the lengths of all windows, in tokens, and the windows of one step of all processes together."""
        self._lengths = torch.tensor(lengths)
        self.step_windows = step_windows
        self._seed = seed

    def __len__(self) -> int:
        """Return the steps of an epoch."""
        return -(-len(self._lengths) // self.step_windows)

    def epoch(self, epoch: int) -> list[list[int]]:
        """Return the windows of each step of an epoch."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
        shuffled = torch.randperm(len(self._lengths), generator=generator)
        steps: list[torch.Tensor] = []
        for pool in torch.split(shuffled, self.step_windows * self.pool):
            ordered = pool[self._lengths[pool].argsort(stable=True)]
            steps.extend(torch.split(ordered, self.step_windows))
        order = torch.randperm(len(steps), generator=generator).tolist()
        return [steps[index].tolist() for index in order]
